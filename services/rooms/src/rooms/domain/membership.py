"""Who is in a room, and as what: invited, left, removed, given a role."""

from rooms.domain.errors import no_room, no_user, unavailable
from rooms.domain.state import MemberState, RoomState
from rooms.domain.work import Work, change_member, next_event, record, where
from shared.contracts.rooms import Accepted, InviteMembers, LeaveRoom, RemoveMember, Role, SetRole
from shared.errors import Conflict, DomainError, Forbidden, NotFound
from shared.events.rooms import MemberJoined, MemberLeft, MemberRoleChanged

MAX_MEMBERS = 2_000
MAX_ROOMS = 1_000


def invite(work: Work, command: InviteMembers) -> Accepted:
    room, _ = where(work, command)
    check_group(room)
    named = [user for user in dict.fromkeys(command.user_ids) if user != command.user_id]
    new = [user for user in named if not _is_in(work.members.get((room.id, user)))]
    check_known(work, named)
    check_invited(work, new, command.user_id)
    check_room_for(work, room, new)
    for user_id in new:
        join(work, room, user_id, by=command.user_id)
    return Accepted(version=room.head_version)


def check_group(room: RoomState) -> None:
    if room.kind == "direct":
        raise Conflict("A direct room keeps its two members.")


def check_known(work: Work, user_ids: list[str]) -> None:
    """Raises DomainError unless auth said that all have an open account."""
    if work.known is None and user_ids:
        raise unavailable()
    if any(user not in (work.known or ()) for user in user_ids):
        raise no_user()


def check_invited(work: Work, user_ids: list[str], inviter_id: str) -> None:
    """Raises DomainError where an account was closed meanwhile, or someone has blocked the inviter."""
    if any(user in work.closed for user in user_ids):
        raise no_user()
    if any((user, inviter_id) in work.blocked for user in user_ids):
        raise Forbidden("Someone among them does not want to be invited by you.")


def check_room_for(work: Work, room: RoomState, user_ids: list[str]) -> None:
    if room.member_count + len(user_ids) > MAX_MEMBERS:
        raise Conflict(f"A room has at most {MAX_MEMBERS} members.")
    if any(work.room_counts.get(user, 0) >= MAX_ROOMS for user in user_ids):
        raise Conflict(f"Someone among them is in {MAX_ROOMS} rooms already.")


def _is_in(member: MemberState | None) -> bool:
    return member is not None and member.is_in


def join(work: Work, room: RoomState, user_id: str, *, by: str, role: Role = "member") -> None:
    """Let someone in, for the first time or again; what was said before stays unseen."""
    version, at = next_event(work, room)
    seq = room.head_seq
    member = MemberState(room.id, user_id, role, seq, seq, version, room.updated_at)
    work.members[member.key] = member
    change_member(work, member)
    room.member_count += 1
    work.room_counts[user_id] = work.room_counts.get(user_id, 0) + 1
    work.revised.add(user_id)
    event = MemberJoined(room_id=room.id, version=version, at=at, user_id=user_id, by=by, role=role, read_seq=seq)
    record(work, room, by, event)


def leave(work: Work, command: LeaveRoom) -> Accepted:
    room = work.rooms.get(command.room_id)
    member = work.members.get((command.room_id, command.user_id))
    if room is None or member is None or member.removed:
        raise no_room()
    if member.is_in and room.kind == "direct":
        _hide(work, member)
    elif member.is_in:
        _hand_over(work, room, member)
        _part(work, room, member, by=command.user_id)
    return Accepted(version=room.head_version)


def _hide(work: Work, member: MemberState) -> None:
    if not member.hidden:
        member.hidden = True
        change_member(work, member)
        work.revised.add(member.user_id)


def _hand_over(work: Work, room: RoomState, leaver: MemberState) -> None:
    """An owner who leaves is followed by the longest-standing admin, else member."""
    if leaver.role != "owner":
        return
    others = [other for other in work.members.values() if other.room_id == room.id and other is not leaver]
    if heirs := [other for other in others if other.is_in]:
        heir = min(heirs, key=lambda other: (other.role != "admin", other.joined_version))
        _set_role(work, room, heir, "owner", by=leaver.user_id)


def _part(work: Work, room: RoomState, member: MemberState, *, by: str) -> None:
    version, at = next_event(work, room)
    member.left_version, member.removed, member.role = version, by != member.user_id, "member"
    change_member(work, member)
    room.member_count -= 1
    work.room_counts[member.user_id] = work.room_counts.get(member.user_id, 1) - 1
    work.revised.add(member.user_id)
    record(work, room, by, MemberLeft(room_id=room.id, version=version, at=at, user_id=member.user_id, by=by))


def remove(work: Work, command: RemoveMember) -> Accepted:
    if command.target_id == command.user_id:
        own = LeaveRoom(command_id=command.command_id, room_id=command.room_id, user_id=command.user_id)
        return leave(work, own)
    room, member = where(work, command)
    check_group(room)
    if member.role == "member":
        raise Forbidden("Only the owner and admins remove members.")
    target = _get_target(work, room, command.target_id)
    if target.is_in:
        if member.role == "admin" and target.role != "member":
            raise Forbidden("Only the owner removes admins.")
        _part(work, room, target, by=command.user_id)
    return Accepted(version=room.head_version)


def _get_target(work: Work, room: RoomState, user_id: str) -> MemberState:
    target = work.members.get((room.id, user_id))
    if target is None:
        raise _no_member()
    return target


def _no_member() -> DomainError:
    return NotFound("There is no such member.")


def set_role(work: Work, command: SetRole) -> Accepted:
    room, member = where(work, command)
    check_group(room)
    if member.role != "owner":
        raise Forbidden("Only the owner gives roles.")
    target = _get_target(work, room, command.target_id)
    if not target.is_in:
        raise _no_member()
    if target.role != command.role:
        if target is member:
            raise Conflict("Make someone else the owner first.")
        _set_role(work, room, target, command.role, by=command.user_id)
        if command.role == "owner":
            _set_role(work, room, member, "admin", by=command.user_id)
    return Accepted(version=room.head_version)


def _set_role(work: Work, room: RoomState, member: MemberState, role: Role, *, by: str) -> None:
    version, at = next_event(work, room)
    member.role = role
    change_member(work, member)
    event = MemberRoleChanged(room_id=room.id, version=version, at=at, user_id=member.user_id, by=by, role=role)
    record(work, room, by, event)
