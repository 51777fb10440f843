"""The rules for a room's title and pin, and for a member's read cursor and mute setting."""

from typing import Any

import msgspec

from rooms.domain.errors import no_message
from rooms.domain.state import MemberState, RoomState
from rooms.domain.unit_of_work import UnitOfWork
from shared.contracts.rooms import Accepted, MuteRoom, ReadRoom, UpdateRoom
from shared.errors import Conflict, Forbidden
from shared.events.rooms import RoomUpdated


def update(work: UnitOfWork, command: UpdateRoom) -> Accepted:
    room, member = work.require_member(command)
    if room.kind == "direct" and command.title is not msgspec.UNSET:
        raise Conflict("A direct room has no title.")
    if room.kind == "group" and member.role == "member":
        raise Forbidden("Only the owner and admins change a room.")
    if isinstance(command.pinned_seq, int):
        _check_visible(room, member, command.pinned_seq)
    if changes := _changes(room, command):
        work.check_not_blocked(room, command.user_id)
        version, at = work.next_event(room)
        for field, value in changes.items():
            setattr(room, field, value)
        event = RoomUpdated(room_id=room.id, version=version, at=at, by=command.user_id, **changes)
        work.record(room, command.user_id, event)
    return Accepted(version=room.head_version)


def _check_visible(room: RoomState, member: MemberState, seq: int) -> None:
    if not member.joined_seq < seq <= room.head_seq:
        raise no_message()


def _changes(room: RoomState, command: UpdateRoom) -> dict[str, Any]:
    requested = {"title": command.title, "pinned_seq": command.pinned_seq}
    return {name: new for name, new in requested.items() if new is not msgspec.UNSET and new != getattr(room, name)}


def read(work: UnitOfWork, command: ReadRoom) -> Accepted:
    """Move the read cursor. It is not published if the other member of a direct room has blocked this one."""
    room, member = work.require_member(command)
    if work.move_cursor(member, min(command.seq, room.head_seq)) and not member.silenced:
        work.read_cursors.setdefault(room.id, {})[member.user_id] = member.read_seq
    return Accepted(version=room.head_version, read_seq=member.read_seq)


def mute(work: UnitOfWork, command: MuteRoom) -> Accepted:
    room, member = work.require_member(command)
    if member.muted != command.muted:
        member.muted = command.muted
        work.mark_member_changed(member)
        work.changed_room_lists.add(member.user_id)
    return Accepted(version=room.head_version)
