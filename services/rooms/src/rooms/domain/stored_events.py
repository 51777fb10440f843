"""Converts events to rows and back.

A row contains no text of messages: an event that is read later shows the current state of its message.
"""

from typing import Any, Literal

import msgspec

from rooms.domain.serializers import Reactions, message_fields, time_text
from rooms.domain.state import StoredMessage
from rooms.domain.unit_of_work import RecordedEvent
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
MESSAGE_OPS = ("message.created", "message.edited")
"""Events that contain their message's current text."""
SYSTEM_MESSAGE_OPS = ("member.joined", "member.left", "member.role_changed", "room.updated")


class StoredEvent(msgspec.Struct):
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


def stored_event_of(recorded: RecordedEvent) -> StoredEvent:
    event = recorded.event
    seq, target, data = _columns_of(event)
    return StoredEvent(
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


def _columns_of(event: RoomEvent) -> tuple[int | None, str | None, _Data | None]:
    """Return the columns seq, target_id and data."""
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


def event_of(row: StoredEvent, message: StoredMessage | None, reactions: Reactions) -> RoomEvent:
    """Return the event of a row. `message` is required for `MESSAGE_OPS`."""
    if row.op == "message.created":
        assert message is not None
        return MessageCreated(**message_fields(message, reactions))
    head: dict[str, Any] = {"room_id": row.room_id, "version": row.version, "at": time_text(row.at)}
    if row.op.startswith("message."):
        return _of_message(row, message, head)
    return _of_room(row, head)


def _of_message(row: StoredEvent, message: StoredMessage | None, head: dict[str, Any]) -> RoomEvent:
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


def _of_room(row: StoredEvent, head: dict[str, Any]) -> RoomEvent:
    data = _data_of(row)
    if row.op == "room.updated":
        return RoomUpdated(**head, by=row.actor_id, title=data.title, pinned_seq=data.pinned_seq)
    assert row.target_id is not None
    fields = {**head, "by": row.actor_id, "user_id": row.target_id}
    if row.op == "member.joined":
        return MemberJoined(**fields, role=data.role, read_seq=data.read_seq)
    return MemberLeft(**fields) if row.op == "member.left" else MemberRoleChanged(**fields, role=data.role)


def _data_of(row: StoredEvent) -> _Data:
    return _Data() if row.data is None else _decoder.decode(row.data)
