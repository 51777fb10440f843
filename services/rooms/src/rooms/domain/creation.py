"""Creates rooms. The first events of a room are the joins of its members."""

from rooms.domain.errors import invalid
from rooms.domain.membership import check_accounts, check_invited, check_limits, join
from rooms.domain.state import RoomState, direct_key
from rooms.domain.unit_of_work import UnitOfWork
from shared.errors import Forbidden


def create_group(work: UnitOfWork, room_id: str, creator_id: str, title: str, user_ids: list[str]) -> RoomState:
    """Create a group with its first members. Raises DomainError if one of them may not join."""
    named = [user for user in dict.fromkeys(user_ids) if user != creator_id]
    check_accounts(work, [creator_id, *named])
    check_invited(work, [creator_id, *named], creator_id)
    room = RoomState(room_id, "group", title, None, work.now, 0, 0, 0, None, work.now)
    check_limits(work, room, [creator_id, *named])
    _begin(work, room)
    join(work, room, creator_id, by=creator_id, role="owner")
    for user_id in named:
        join(work, room, user_id, by=creator_id)
    return room


def check_direct(work: UnitOfWork, user_id: str, other_id: str) -> None:
    """Raise DomainError if `user_id` may not open the direct room of the pair."""
    if user_id == other_id:
        raise invalid("user_id: is your own.")
    check_accounts(work, [user_id, other_id])
    check_invited(work, [user_id, other_id], user_id)
    if (other_id, user_id) in work.blocked:
        raise Forbidden("You cannot write to this person.")


def create_direct(work: UnitOfWork, room_id: str, user_id: str, other_id: str) -> RoomState:
    """Create the only direct room of a pair. Call `check_direct` first."""
    key = direct_key(user_id, other_id)
    room = RoomState(room_id, "direct", "", key, work.now, 0, 0, 0, None, work.now)
    check_limits(work, room, [user_id, other_id])
    _begin(work, room)
    for member_id in (user_id, other_id):
        join(work, room, member_id, by=user_id)
    work.members[room.id, other_id].silenced = (user_id, other_id) in work.blocked
    return room


def _begin(work: UnitOfWork, room: RoomState) -> None:
    work.rooms[room.id] = room
    work.created_rooms.add(room.id)


def show_again(work: UnitOfWork, room: RoomState, user_id: str) -> None:
    """Show a hidden direct room to the user who opens it."""
    member = work.members.get((room.id, user_id))
    if member is not None and member.hidden:
        work.show(member, room.head_version)
