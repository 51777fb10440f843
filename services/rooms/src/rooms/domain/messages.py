"""The rules for messages: send, edit, delete, react.

Whom the other member of a direct room has blocked can only delete there.
"""

from hashlib import sha256

import msgspec

from rooms.domain.attachments import add_references, remove_references
from rooms.domain.errors import invalid, no_attachment
from rooms.domain.serializers import message_fields, time_text
from rooms.domain.state import ReactionKey, RoomState, StoredMessage, attachments_of
from rooms.domain.unit_of_work import SentMessage, UnitOfWork
from shared.contracts.rooms import Accepted, DeleteMessage, EditMessage, ReactToMessage, SendMessage
from shared.errors import Conflict, Forbidden
from shared.events.rooms import MessageCreated, MessageDeleted, MessageEdited, MessageReacted

MAX_REACTIONS = 4_000
MAX_DIFFERENT_EMOJI = 100
_FIELDS_OF_THE_FIRST_RELEASE = frozenset(
    {"command_id", "room_id", "user_id", "traceparent", "client_id", "body", "reply_to", "attachments", "mentions"}
)
"""Fields that later releases add are in a digest only if they are set, so that stored digests stay valid."""


def digest_of(command: SendMessage) -> bytes:
    """Return the SHA-256 of the content of a message. A duplicate has the same digest."""
    attachment_ids = [attachment.attachment_id for attachment in command.attachments]
    content = [command.body, command.reply_to, attachment_ids, command.mentions]
    later = {
        name: value
        for name in command.__struct_fields__
        if name not in _FIELDS_OF_THE_FIRST_RELEASE and (value := getattr(command, name))
    }
    return sha256(msgspec.json.encode([*content, later] if later else content)).digest()


def send(work: UnitOfWork, command: SendMessage) -> Accepted:
    digest = digest_of(command)
    key = (command.room_id, command.user_id, command.client_id)
    if (first := work.sent.get(key)) is not None:
        return _duplicate_of(work, first, digest)
    room, member = work.require_member(command)
    work.check_not_blocked(room, command.user_id)
    if command.reply_to is not None and not member.joined_seq < command.reply_to <= room.head_seq:
        raise invalid("reply_to: there is no such message.")
    _check_attachments(work, command)
    message = _new_message(work, room, command, digest)
    add_references(work, message)
    work.sent[key] = SentMessage(message.seq, message.version, message.at, digest)
    work.move_cursor(member, message.seq)
    _show_to_pair(work, room, message.version)
    return Accepted(version=message.version, seq=message.seq, at=time_text(message.at))


def _duplicate_of(work: UnitOfWork, first: SentMessage, digest: bytes) -> Accepted:
    if not work.digest_keys.matches(first.digest, digest):
        raise Conflict("client_id: was used for another message.")
    return Accepted(version=first.version, seq=first.seq, at=time_text(first.at), duplicate=True)


def _check_attachments(work: UnitOfWork, command: SendMessage) -> None:
    if any(work.references.get((command.room_id, one.attachment_id), 0) is None for one in command.attachments):
        raise no_attachment()


def _new_message(work: UnitOfWork, room: RoomState, command: SendMessage, digest: bytes) -> StoredMessage:
    mentions = [user for user in dict.fromkeys(command.mentions) if work.is_member(room, user)]
    version, _ = work.next_event(room)
    room.head_seq += 1
    message = StoredMessage(
        room_id=room.id,
        seq=room.head_seq,
        version=version,
        sender_id=command.user_id,
        digest=digest,
        kind="file" if command.attachments else "text",
        at=room.updated_at,
        edited_at=None,
        deleted=False,
        attachments=msgspec.json.encode(command.attachments) if command.attachments else None,
        reaction_count=0,
        **command.content() | {"mentions": msgspec.json.encode(mentions) if mentions else None},
    )
    work.messages[message.key] = work.new_messages[message.key] = message
    work.record(room, command.user_id, MessageCreated(**message_fields(message, {})))
    return message


def _show_to_pair(work: UnitOfWork, room: RoomState, version: int) -> None:
    """Show a direct room again to members who have hidden it."""
    for user_id in room.pair:
        member = work.members.get((room.id, user_id))
        if member is not None and member.hidden:
            work.show(member, version)


def edit(work: UnitOfWork, command: EditMessage) -> Accepted:
    room, member = work.require_member(command)
    message = work.get_message(room, member, command.seq)
    if message.sender_id != command.user_id:
        raise Forbidden("Only its sender edits a message.")
    if message.deleted:
        raise Conflict("This message is deleted.")
    if not command.body and not attachments_of(message):
        raise invalid("body: must not be empty.")
    if message.body != command.body:
        work.check_not_blocked(room, command.user_id)
        _set_body(work, room, message, command.body)
    return Accepted(version=room.head_version)


def _seal_digest(work: UnitOfWork, message: StoredMessage) -> None:
    """Seal the digest before the first change of the content."""
    if message.edited_at is None and not message.deleted:
        message.digest = work.digest_keys.seal(message.digest)


def _set_body(work: UnitOfWork, room: RoomState, message: StoredMessage, body: str) -> None:
    _seal_digest(work, message)
    version, at = work.next_event(room)
    message.body, message.edited_at = body, room.updated_at
    work.mark_message_changed(message)
    event = MessageEdited(
        room_id=room.id, version=version, at=at, seq=message.seq, body=body, edited_at=at, by=message.sender_id
    )
    work.record(room, message.sender_id, event)


def delete(work: UnitOfWork, command: DeleteMessage) -> Accepted:
    room, member = work.require_member(command)
    message = work.get_message(room, member, command.seq)
    if message.sender_id != command.user_id and member.role == "member":
        raise Forbidden("Only its sender and admins delete a message.")
    if not message.deleted:
        _clear(work, message)
        version, at = work.next_event(room)
        event = MessageDeleted(room_id=room.id, version=version, at=at, seq=message.seq, by=command.user_id)
        work.record(room, command.user_id, event)
    return Accepted(version=room.head_version)


def _clear(work: UnitOfWork, message: StoredMessage) -> None:
    remove_references(work, message)
    _seal_digest(work, message)
    message.deleted, message.body = True, ""
    message.attachments = message.mentions = None
    if message.reaction_count:
        work.cleared_reactions.add(message.key)
        message.reaction_count = 0
    work.emoji_counts.pop(message.key, None)
    work.mark_message_changed(message)


def react(work: UnitOfWork, command: ReactToMessage) -> Accepted:
    room, member = work.require_member(command)
    message = work.get_message(room, member, command.seq)
    key = (room.id, command.seq, command.emoji, command.user_id)
    if _has_reaction(work, message, key) != command.remove:
        return Accepted(version=room.head_version)
    work.check_not_blocked(room, command.user_id)
    if not command.remove:
        _check_accepts_reaction(work, message, command.emoji)
    version, at = work.next_event(room)
    _count(work, message, command.emoji, -1 if command.remove else 1)
    work.new_reactions[key] = None if command.remove else version
    event = MessageReacted(
        room_id=room.id, version=version, at=at, seq=message.seq,
        user_id=command.user_id, emoji=command.emoji, removed=command.remove,
    )  # fmt: skip
    work.record(room, command.user_id, event)
    return Accepted(version=version)


def _has_reaction(work: UnitOfWork, message: StoredMessage, key: ReactionKey) -> bool:
    if message.deleted:
        return False
    return work.new_reactions[key] is not None if key in work.new_reactions else key in work.reactions


def _check_accepts_reaction(work: UnitOfWork, message: StoredMessage, emoji: str) -> None:
    if message.deleted:
        raise Conflict("This message is deleted.")
    if message.reaction_count >= MAX_REACTIONS:
        raise Conflict(f"This message has {MAX_REACTIONS} reactions.")
    counts = work.emoji_counts.get(message.key, {})
    if emoji not in counts and len(counts) >= MAX_DIFFERENT_EMOJI:
        raise Conflict(f"This message has {MAX_DIFFERENT_EMOJI} different reactions.")


def _count(work: UnitOfWork, message: StoredMessage, emoji: str, change: int) -> None:
    message.reaction_count += change
    work.mark_message_changed(message)
    counts = work.emoji_counts.setdefault(message.key, {})
    counts[emoji] = counts.get(emoji, 0) + change
    if counts[emoji] == 0:
        del counts[emoji]
