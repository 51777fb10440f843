"""Rooms, members and messages as stored. The fields have the names and the order of the columns."""

from typing import TypeAlias

import msgspec

from shared.contracts.media import Attachment
from shared.contracts.rooms import MessageKind, Role, RoomKind
from shared.ids import id_bytes, id_text

MemberKey: TypeAlias = tuple[str, str]
"""(room id, user id)"""
MessageKey: TypeAlias = tuple[str, int]
"""(room id, seq)"""
ReactionKey: TypeAlias = tuple[str, int, str, str]
"""(room id, seq, emoji, user id)"""
AttachmentKey: TypeAlias = tuple[str, str]
"""(room id, attachment id)"""
ClientKey: TypeAlias = tuple[str, str, str]
"""(room id, user id, client id or command id): the idempotency key of a command."""


class RoomState(msgspec.Struct):
    id: str
    kind: RoomKind
    title: str
    direct_key: bytes | None
    created_at: int
    head_version: int
    head_seq: int
    member_count: int
    pinned_seq: int | None
    updated_at: int

    @property
    def pair(self) -> tuple[str, ...]:
        """The two members of a direct room. Empty for a group."""
        key = self.direct_key
        return () if key is None else (id_text(key[:16]), id_text(key[16:]))

    def peer_of(self, user_id: str) -> str | None:
        return next((other for other in self.pair if other != user_id), None)


def direct_key(user_id: str, other_id: str) -> bytes:
    return b"".join(sorted((id_bytes(user_id), id_bytes(other_id))))


class MemberState(msgspec.Struct):
    room_id: str
    user_id: str
    role: Role
    read_seq: int
    joined_seq: int
    joined_version: int
    joined_at: int
    muted: bool = False
    shown_version: int = 0
    hidden: bool = False
    left_version: int | None = None
    removed: bool = False
    silenced: bool = False

    @property
    def key(self) -> MemberKey:
        return (self.room_id, self.user_id)

    @property
    def is_current(self) -> bool:
        return self.left_version is None


class StoredMessage(msgspec.Struct):
    room_id: str
    seq: int
    version: int
    sender_id: str
    client_id: str
    digest: bytes
    kind: MessageKind
    body: str
    at: int
    edited_at: int | None
    deleted: bool
    reply_to: int | None
    attachments: bytes | None
    mentions: bytes | None
    reaction_count: int

    @property
    def key(self) -> MessageKey:
        return (self.room_id, self.seq)


_attachments = msgspec.json.Decoder(list[Attachment])
_mentions = msgspec.json.Decoder(list[str])


def attachments_of(message: StoredMessage) -> list[Attachment]:
    return _attachments.decode(message.attachments) if message.attachments else []


def mentions_of(message: StoredMessage) -> list[str]:
    return _mentions.decode(message.mentions) if message.mentions else []


def estimated_bytes(message: StoredMessage) -> int:
    """Return about how large the message is as JSON."""
    extra = len(message.attachments or b"") + len(message.mentions or b"")
    return 400 + len(message.body.encode()) + extra + 45 * message.reaction_count
