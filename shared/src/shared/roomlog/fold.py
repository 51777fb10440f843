"""Apply events to a snapshot of a room.

A snapshot at version v, folded with the events after v, equals a fresh snapshot. Folding is idempotent: an event may be
folded twice, and it may contain a later state of its message.
"""

from collections.abc import Iterable

import msgspec

from shared.contracts.rooms import Message, Role
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


class SnapshotMember(msgspec.Struct):
    """A member, as far as events change it."""

    role: Role
    read_seq: int


class Snapshot(msgspec.Struct):
    """A room at `version`, with all of its messages from `from_seq` on, by seq."""

    version: int
    from_seq: int
    messages: dict[int, Message]
    title: str = ""
    pinned_seq: int | None = None
    members: dict[str, SnapshotMember] = {}


def fold(snapshot: Snapshot, events: Iterable[RoomEvent]) -> Snapshot:
    """Return the snapshot after the events, which are in order. Events up to the snapshot's version are skipped."""
    after = msgspec.structs.replace(snapshot, messages=dict(snapshot.messages), members=dict(snapshot.members))
    for event in events:
        if event.version > after.version:
            _fold_members(after, event)
            _fold_message(after, event)
            after.version = event.version
    return after


def _fold_members(snapshot: Snapshot, event: RoomEvent) -> None:
    members = snapshot.members
    match event:
        case MessageCreated(sender_id=user_id, seq=seq) if user_id in members:
            members[user_id] = SnapshotMember(members[user_id].role, max(members[user_id].read_seq, seq))
        case MemberJoined(user_id=user_id, role=role, read_seq=read_seq):
            members[user_id] = SnapshotMember(role, read_seq)
        case MemberLeft(user_id=user_id):
            members.pop(user_id, None)
        case MemberRoleChanged(user_id=user_id, role=role) if user_id in members:
            members[user_id] = SnapshotMember(role, members[user_id].read_seq)
        case RoomUpdated(title=title, pinned_seq=pinned):
            snapshot.title = snapshot.title if isinstance(title, msgspec.UnsetType) else title
            snapshot.pinned_seq = snapshot.pinned_seq if isinstance(pinned, msgspec.UnsetType) else pinned
        case _:
            pass


def _fold_message(snapshot: Snapshot, event: RoomEvent) -> None:
    messages = snapshot.messages
    if isinstance(event, MessageCreated):
        if event.seq >= snapshot.from_seq:
            messages[event.seq] = msgspec.convert(event, Message, from_attributes=True)
        return
    if not isinstance(event, MessageEdited | MessageDeleted | MessageReacted) or event.seq not in messages:
        return
    message = messages[event.seq]
    if message.deleted:
        return
    messages[event.seq] = _changed(message, event)


def _changed(message: Message, event: MessageEdited | MessageDeleted | MessageReacted) -> Message:
    replace = msgspec.structs.replace
    if isinstance(event, MessageEdited):
        return replace(message, body=event.body, edited_at=event.edited_at)
    if isinstance(event, MessageDeleted):
        return replace(message, body="", deleted=True, attachments=[], mentions=[], reactions={})
    reactions = {emoji: users for emoji, users in message.reactions.items() if emoji != event.emoji}
    users = [user for user in message.reactions.get(event.emoji, []) if user != event.user_id]
    users += [] if event.removed else [event.user_id]
    return replace(message, reactions=reactions | ({event.emoji: users} if users else {}))
