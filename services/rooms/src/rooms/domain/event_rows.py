"""An event as a row, and back: the row holds no text of messages, so what is read later shows their current state."""

from typing import Any, Literal

import msgspec

from rooms.domain.shapes import Reactions, message_fields, time_text
from rooms.domain.state import StoredMessage
from rooms.domain.work import Recorded
from shared.contracts.rooms import Role
from shared.events.rooms import (
    MemberJoined,
    MemberLeft,
    MemberRoleChanged,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    RoomEvent,
    RoomUpdated,
)

Op = Literal[
    "message.created", "message.edited", "message.deleted", "message.reacted",
    "member.joined", "member.left", "member.role_changed", "room.updated",
]  # fmt: skip
SHOWS_MESSAGE = ("message.created", "message.edited")
LINES = ("member.joined", "member.left", "member.role_changed", "room.updated")
"""What stands between the messages."""


class EventRow(msgspec.Struct):
    room_id: str
    version: int
    at: int
    op: Op
    seq: int | None
    actor_id: str
    target_id: str | None
    command_id: str | None
    data: bytes | None


class _Data(msgspec.Struct, omit_defaults=True):
    emoji: str = ""
    removed: bool = False
    role: Role = "member"
    read_seq: int = 0
    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned_seq: int | msgspec.UnsetType | None = msgspec.UNSET


_decoder = msgspec.json.Decoder(_Data)


def row_of(recorded: Recorded) -> EventRow:
    event = recorded.event
    seq, target, data = _deps(event)
    return EventRow(
        room_id=event.room_id,
        version=event.version,
        at=recorded.at,
        op=event.__struct_config__.tag,  # type: ignore[arg-type]
        seq=seq,
        actor_id=recorded.actor_id,
        target_id=target,
        command_id=recorded.command_id,
        data=None if data is None else msgspec.json.encode(data),
    )


def _deps(event: RoomEvent) -> tuple[int | None, str | None, _Data | None]:
    match event:
        case MessageReacted(seq=seq, emoji=emoji, removed=removed):
            return seq, None, _Data(emoji=emoji, removed=removed)
        case MessageCreated(seq=seq) | MessageEdited(seq=seq) | MessageDeleted(seq=seq):
            return seq, None, None
        case MemberJoined(user_id=user_id, role=role, read_seq=read_seq):
            return None, user_id, _Data(role=role, read_seq=read_seq)
        case MemberLeft(user_id=user_id):
            return None, user_id, None
        case MemberRoleChanged(user_id=user_id, role=role):
            return None, user_id, _Data(role=role)
        case RoomUpdated(title=title, pinned_seq=pinned_seq):
            return None, None, _Data(title=title, pinned_seq=pinned_seq)


def event_of(row: EventRow, message: StoredMessage | None, reactions: Reactions) -> RoomEvent:
    """`message` is there for the ops of SHOWS_MESSAGE."""
    if row.op == "message.created":
        assert message is not None
        return MessageCreated(**message_fields(message, reactions))
    head: dict[str, Any] = {"room_id": row.room_id, "version": row.version, "at": time_text(row.at)}
    if row.op.startswith("message."):
        return _of_message(row, message, head)
    return _of_room(row, head)


def _of_message(row: EventRow, message: StoredMessage | None, head: dict[str, Any]) -> RoomEvent:
    assert row.seq is not None
    if row.op == "message.deleted":
        return MessageDeleted(**head, seq=row.seq, by=row.actor_id)
    if row.op == "message.reacted":
        data = _data_of(row)
        return MessageReacted(**head, seq=row.seq, user_id=row.actor_id, emoji=data.emoji, removed=data.removed)
    assert message is not None
    assert message.edited_at is not None
    edited_at = time_text(message.edited_at)
    return MessageEdited(**head, seq=row.seq, body=message.body, edited_at=edited_at, by=row.actor_id)


def _of_room(row: EventRow, head: dict[str, Any]) -> RoomEvent:
    data = _data_of(row)
    if row.op == "room.updated":
        return RoomUpdated(**head, by=row.actor_id, title=data.title, pinned_seq=data.pinned_seq)
    assert row.target_id is not None
    who = {**head, "by": row.actor_id, "user_id": row.target_id}
    if row.op == "member.joined":
        return MemberJoined(**who, role=data.role, read_seq=data.read_seq)
    return MemberLeft(**who) if row.op == "member.left" else MemberRoleChanged(**who, role=data.role)


def _data_of(row: EventRow) -> _Data:
    return _Data() if row.data is None else _decoder.decode(row.data)
