"""New rooms: they begin with the joining of their members."""

from rooms.domain.errors import invalid
from rooms.domain.membership import check_invited, check_known, check_room_for, join
from rooms.domain.sending import show
from rooms.domain.state import RoomState, direct_key
from rooms.domain.work import Work
from shared.errors import Forbidden


def create_group(work: Work, room_id: str, creator_id: str, title: str, user_ids: list[str]) -> RoomState:
    """Raises DomainError unless everyone named may be let in."""
    named = [user for user in dict.fromkeys(user_ids) if user != creator_id]
    check_known(work, [creator_id, *named])
    check_invited(work, [creator_id, *named], creator_id)
    room = RoomState(room_id, "group", title, None, work.now, 0, 0, 0, None, work.now)
    check_room_for(work, room, [creator_id, *named])
    _begin(work, room)
    join(work, room, creator_id, by=creator_id, role="owner")
    for user_id in named:
        join(work, room, user_id, by=creator_id)
    return room


def check_direct(work: Work, user_id: str, other_id: str) -> None:
    """Raises DomainError where `user_id` may not open the pair's direct room."""
    if user_id == other_id:
        raise invalid("user_id: is your own.")
    check_known(work, [user_id, other_id])
    check_invited(work, [user_id, other_id], user_id)
    if (other_id, user_id) in work.blocked:
        raise Forbidden("You cannot write to this person.")


def create_direct(work: Work, room_id: str, user_id: str, other_id: str) -> RoomState:
    """The pair's first and only room; call check_direct before."""
    key = direct_key(user_id, other_id)
    room = RoomState(room_id, "direct", "", key, work.now, 0, 0, 0, None, work.now)
    check_room_for(work, room, [user_id, other_id])
    _begin(work, room)
    for member_id in (user_id, other_id):
        join(work, room, member_id, by=user_id)
    return room


def _begin(work: Work, room: RoomState) -> None:
    work.rooms[room.id] = room
    work.created_rooms.add(room.id)


def show_again(work: Work, room: RoomState, user_id: str) -> None:
    """Bring a hidden direct room back for the one who opens it."""
    member = work.members.get((room.id, user_id))
    if member is not None and member.hidden:
        show(work, member, room.head_version)
