"""Facts of a room: everything durable that happens in it, in the one order of `version`.

They are also the frames that clients get, so their field names are the protocol's.
"""

from typing import TypeAlias

import msgspec

from shared.contracts.rooms import Message, Role


class MessageCreated(Message, tag="message.created", tag_field="op", omit_defaults=True, kw_only=True):
    """Carries the message (its current state, when read later). Its sender has read up to it."""


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
    """`read_seq` is where the member's reading starts; nothing at or below it is seen by them."""

    user_id: str
    by: str
    role: Role
    read_seq: int


class MemberLeft(Event, tag="member.left", kw_only=True):
    """`by` is the member itself, or who removed it."""

    user_id: str
    by: str


class MemberRoleChanged(Event, tag="member.role_changed", kw_only=True):
    user_id: str
    by: str
    role: Role


class RoomUpdated(Event, tag="room.updated", omit_defaults=True, kw_only=True):
    """Only what changed is there; `pinned_seq` null: nothing is pinned any more."""

    by: str
    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned_seq: int | msgspec.UnsetType | None = msgspec.UNSET


SystemEvent: TypeAlias = MemberJoined | MemberLeft | MemberRoleChanged | RoomUpdated
"""What stands between the messages."""
RoomEvent: TypeAlias = MessageCreated | MessageEdited | MessageDeleted | MessageReacted | SystemEvent

MEMBERSHIP = (MemberJoined, MemberLeft, MemberRoleChanged)


class AttachmentsReleased(msgspec.Struct, tag="attachments.released", tag_field="topic", kw_only=True):
    """For media: no message of the room refers to these any more, and none ever will again. No client gets it."""

    room_id: str
    attachment_ids: list[str]
    at: int
