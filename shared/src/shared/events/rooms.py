"""Events of a room: everything durable that happens in it, ordered by `version`.

Clients receive them as frames, so their field names are those of the protocol.
"""

from typing import TypeAlias

import msgspec

from shared.contracts.rooms import Message, Role


class MessageCreated(Message, tag="message.created", tag_field="op", omit_defaults=True, kw_only=True):
    """A message was sent. When it is loaded later, it has the message's current state. It moves its sender's cursor."""


class Event(msgspec.Struct, tag_field="op", kw_only=True):
    room_id: str
    version: int
    at: str


class MessageEdited(Event, tag="message.edited", kw_only=True):
    seq: int
    body: str
    edited_at: str
    by: str


class MessageDeleted(Event, tag="message.deleted", kw_only=True):
    seq: int
    by: str


class MessageReacted(Event, tag="message.reacted", kw_only=True):
    seq: int
    user_id: str
    emoji: str
    removed: bool


class MemberJoined(Event, tag="member.joined", kw_only=True):
    """A member joined. They see only messages above `read_seq`."""

    user_id: str
    by: str
    role: Role
    read_seq: int


class MemberLeft(Event, tag="member.left", kw_only=True):
    """A member left, or was removed by `by`."""

    user_id: str
    by: str


class MemberRoleChanged(Event, tag="member.role_changed", kw_only=True):
    user_id: str
    by: str
    role: Role


class RoomUpdated(Event, tag="room.updated", omit_defaults=True, kw_only=True):
    """The room's title or pinned message changed. Unchanged fields are omitted; `pinned_seq` null means unpinned."""

    by: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned_seq: int | msgspec.UnsetType | None = msgspec.UNSET


SystemEvent: TypeAlias = MemberJoined | MemberLeft | MemberRoleChanged | RoomUpdated
"""Events that clients display between messages."""
RoomEvent: TypeAlias = MessageCreated | MessageEdited | MessageDeleted | MessageReacted | SystemEvent

MEMBERSHIP = (MemberJoined, MemberLeft, MemberRoleChanged)


class AttachmentsReleased(msgspec.Struct, tag="attachments.released", tag_field="topic", kw_only=True):
    """For media, not for clients: no message of the room refers to these attachments any more, nor ever will."""

    room_id: str
    attachment_ids: list[str]
    at: int
