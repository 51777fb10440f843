"""The rules for membership: invite, leave, remove, change roles."""

from rooms.domain.errors import no_room, no_user, unavailable
from rooms.domain.state import MemberState, RoomState
from rooms.domain.unit_of_work import UnitOfWork
from shared.contracts.rooms import Accepted, InviteMembers, LeaveRoom, RemoveMember, Role, SetRole
from shared.errors import Conflict, DomainError, Forbidden, MemberRemoved, NotFound
from shared.events.rooms import MemberJoined, MemberLeft, MemberRoleChanged

MAX_MEMBERS = 2_000
MAX_ROOMS_PER_USER = 1_000


def invite(work: UnitOfWork, command: InviteMembers) -> Accepted:
    room, member = work.require_member(command)
    check_group(room)
    named = [user for user in dict.fromkeys(command.user_ids) if user != command.user_id]
    new = [user for user in named if not work.is_member(room, user)]
    check_accounts(work, named)
    check_invited(work, new, command.user_id)
    _check_may_return(work, room, new, member)
    check_limits(work, room, new)
    for user_id in new:
        join(work, room, user_id, by=command.user_id)
    return Accepted(version=room.head_version)


def check_group(room: RoomState) -> None:
    if room.kind == "direct":
        raise Conflict("A direct room keeps its two members.")


def check_accounts(work: UnitOfWork, user_ids: list[str]) -> None:
    """Raise DomainError unless auth has confirmed that all users have an open account."""
    if work.open_accounts is None and user_ids:
        raise unavailable()
    if any(user not in (work.open_accounts or ()) for user in user_ids):
        raise no_user()


def check_invited(work: UnitOfWork, user_ids: list[str], inviter_id: str) -> None:
    """Raise DomainError if an account has been closed, or if a user has blocked the inviter."""
    if any(user in work.closed for user in user_ids):
        raise no_user()
    if any((user, inviter_id) in work.blocked for user in user_ids):
        raise Forbidden("Someone among them does not want to be invited by you.")


def _check_may_return(work: UnitOfWork, room: RoomState, user_ids: list[str], inviter: MemberState) -> None:
    """Raise DomainError if one of the users was removed and the inviter may not remove members."""
    former = [work.members.get((room.id, user)) for user in user_ids]
    if not _may_remove(inviter) and any(one is not None and one.removed for one in former):
        raise MemberRemoved("Someone among them was removed. Only the owner and admins invite them again.")


def _may_remove(member: MemberState) -> bool:
    return member.role != "member"


def check_limits(work: UnitOfWork, room: RoomState, user_ids: list[str]) -> None:
    if room.member_count + len(user_ids) > MAX_MEMBERS:
        raise Conflict(f"A room has at most {MAX_MEMBERS} members.")
    if any(work.room_counts.get(user, 0) >= MAX_ROOMS_PER_USER for user in user_ids):
        raise Conflict(f"Someone among them is in {MAX_ROOMS_PER_USER} rooms already.")


def join(work: UnitOfWork, room: RoomState, user_id: str, *, by: str, role: Role = "member") -> None:
    """Add a member, a new or a former one. Members do not see messages from before they joined."""
    version, at = work.next_event(room)
    seq = room.head_seq
    member = MemberState(room.id, user_id, role, seq, seq, version, room.updated_at)
    work.members[member.key] = member
    work.mark_member_changed(member)
    room.member_count += 1
    work.room_counts[user_id] = work.room_counts.get(user_id, 0) + 1
    work.changed_room_lists.add(user_id)
    event = MemberJoined(room_id=room.id, version=version, at=at, user_id=user_id, by=by, role=role, read_seq=seq)
    work.record(room, by, event)


def leave(work: UnitOfWork, command: LeaveRoom) -> Accepted:
    room = work.rooms.get(command.room_id)
    member = work.members.get((command.room_id, command.user_id))
    if room is None or member is None or member.removed:
        raise no_room()
    if member.is_current and room.kind == "direct":
        _hide(work, member)
    elif member.is_current:
        _transfer_ownership(work, room, member)
        _end_membership(work, room, member, by=command.user_id)
    return Accepted(version=room.head_version)


def _hide(work: UnitOfWork, member: MemberState) -> None:
    if not member.hidden:
        member.hidden = True
        work.mark_member_changed(member)
        work.changed_room_lists.add(member.user_id)


def _transfer_ownership(work: UnitOfWork, room: RoomState, leaver: MemberState) -> None:
    """Make the admin who joined first the new owner, or the member who joined first if there is no admin."""
    if leaver.role != "owner":
        return
    others = [other for other in work.members.values() if other.room_id == room.id and other is not leaver]
    if candidates := [other for other in others if other.is_current]:
        successor = min(candidates, key=lambda other: (other.role != "admin", other.joined_version))
        _set_role(work, room, successor, "owner", by=leaver.user_id)


def _end_membership(work: UnitOfWork, room: RoomState, member: MemberState, *, by: str) -> None:
    version, at = work.next_event(room)
    member.left_version, member.removed, member.role = version, by != member.user_id, "member"
    work.mark_member_changed(member)
    room.member_count -= 1
    work.room_counts[member.user_id] = work.room_counts.get(member.user_id, 1) - 1
    work.changed_room_lists.add(member.user_id)
    work.record(room, by, MemberLeft(room_id=room.id, version=version, at=at, user_id=member.user_id, by=by))


def remove(work: UnitOfWork, command: RemoveMember) -> Accepted:
    if command.target_id == command.user_id:
        own = LeaveRoom(command_id=command.command_id, room_id=command.room_id, user_id=command.user_id)
        return leave(work, own)
    room, member = work.require_member(command)
    check_group(room)
    if not _may_remove(member):
        raise Forbidden("Only the owner and admins remove members.")
    target = _get_target(work, room, command.target_id)
    if target.is_current:
        if member.role == "admin" and target.role != "member":
            raise Forbidden("Only the owner removes admins.")
        _end_membership(work, room, target, by=command.user_id)
    return Accepted(version=room.head_version)


def _get_target(work: UnitOfWork, room: RoomState, user_id: str) -> MemberState:
    target = work.members.get((room.id, user_id))
    if target is None:
        raise _no_member()
    return target


def _no_member() -> DomainError:
    return NotFound("There is no such member.")


def set_role(work: UnitOfWork, command: SetRole) -> Accepted:
    room, member = work.require_member(command)
    check_group(room)
    if member.role != "owner":
        raise Forbidden("Only the owner gives roles.")
    target = _get_target(work, room, command.target_id)
    if not target.is_current:
        raise _no_member()
    if target.role != command.role:
        if target is member:
            raise Conflict("Make someone else the owner first.")
        _set_role(work, room, target, command.role, by=command.user_id)
        if command.role == "owner":
            _set_role(work, room, member, "admin", by=command.user_id)
    return Accepted(version=room.head_version)


def _set_role(work: UnitOfWork, room: RoomState, member: MemberState, role: Role, *, by: str) -> None:
    version, at = work.next_event(room)
    member.role = role
    work.mark_member_changed(member)
    event = MemberRoleChanged(room_id=room.id, version=version, at=at, user_id=member.user_id, by=by, role=role)
    work.record(room, by, event)
