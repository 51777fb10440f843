"""Converts stored rows to the contracts of shared.contracts.rooms."""

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from rooms.domain.state import MemberState, RoomState, StoredMessage, attachments_of, mentions_of
from shared.contracts.rooms import Member, Membership, Message, Room, RoomDetail, RoomEntry
from shared.ids import rfc3339

Reactions = Mapping[str, list[str]]
NO_REACTIONS: Reactions = {}

_AS_STORED = tuple(
    name for name in Message.__struct_fields__
    if name in StoredMessage.__struct_fields__ and name not in {"at", "edited_at", "attachments", "mentions"}
)  # fmt: skip
"""The fields of a message that are stored as they are sent."""
_stored_values = attrgetter(*_AS_STORED)

time_text = lru_cache(maxsize=4096)(rfc3339)


def message_fields(message: StoredMessage, reactions: Reactions) -> dict[str, Any]:
    """Return the fields of a message, which are the same in pages and in `message.created`."""
    fields: dict[str, Any] = dict(zip(_AS_STORED, _stored_values(message), strict=True))
    fields["at"] = time_text(message.at)
    fields["edited_at"] = None if message.edited_at is None else time_text(message.edited_at)
    fields["attachments"] = attachments_of(message)
    fields["mentions"] = mentions_of(message)
    fields["reactions"] = reactions
    return fields


def message_of(message: StoredMessage, reactions: Reactions = NO_REACTIONS) -> Message:
    return Message(**message_fields(message, reactions))


def member_of(member: MemberState) -> Member:
    return Member(
        user_id=member.user_id, role=member.role, read_seq=member.read_seq, joined_at=time_text(member.joined_at)
    )


def _room_fields(room: RoomState, member: MemberState, last: Message | None) -> dict[str, Any]:
    return {
        "room_id": room.id,
        "kind": room.kind,
        "title": room.title,
        "member_count": room.member_count,
        "version": room.head_version,
        "last_seq": room.head_seq,
        "read_seq": member.read_seq,
        "unread": max(0, room.head_seq - member.read_seq),
        "muted": member.muted,
        "role": member.role,
        "last_message": last,
        "peer_id": room.peer_of(member.user_id),
        "pinned_seq": room.pinned_seq,
    }


def room_of(room: RoomState, member: MemberState, last: Message | None) -> Room:
    return Room(**_room_fields(room, member, last))


def room_detail(room: RoomState, member: MemberState, last: Message | None, members: list[Member]) -> RoomDetail:
    return RoomDetail(**_room_fields(room, member, last), members=members)


def membership_of(member: MemberState) -> Membership:
    return Membership(
        since=max(member.joined_version, member.shown_version),
        joined_version=member.joined_version,
        joined_seq=member.joined_seq,
        muted=member.muted,
        silenced=member.silenced,
    )


def room_entry(room: RoomState, member: MemberState, last: Message | None) -> RoomEntry:
    return RoomEntry(room_of(room, member, last), membership_of(member))
