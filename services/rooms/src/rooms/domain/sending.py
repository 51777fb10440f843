"""Messages: sent, edited, deleted, reacted to."""

from hashlib import sha256

import msgspec

from rooms.domain.attachments import let_attachments_go, use_attachments
from rooms.domain.errors import invalid, no_attachment
from rooms.domain.shapes import message_fields, time_text
from rooms.domain.state import MemberState, ReactionKey, RoomState, StoredMessage, attachments_of
from rooms.domain.work import Sent, Work, change_member, change_message, get_message, next_event, record, where
from shared.contracts.rooms import Accepted, DeleteMessage, EditMessage, ReactToMessage, SendMessage
from shared.errors import Conflict, Forbidden
from shared.events.rooms import MessageCreated, MessageDeleted, MessageEdited, MessageReacted

MAX_REACTIONS = 4_000
MAX_EMOJI = 100


def digest_of(command: SendMessage) -> bytes:
    """SHA-256 of what is sent: a repeat has the same."""
    attachment_ids = [attachment.attachment_id for attachment in command.attachments]
    return sha256(msgspec.json.encode([command.body, command.reply_to, attachment_ids, command.mentions])).digest()


def send(work: Work, command: SendMessage) -> Accepted:
    digest = digest_of(command)
    key = (command.room_id, command.user_id, command.client_id)
    if (first := work.sent.get(key)) is not None:
        return _repeated(first, digest)
    room, member = where(work, command)
    _check_not_blocked(work, room, command.user_id)
    if command.reply_to is not None and not member.joined_seq < command.reply_to <= room.head_seq:
        raise invalid("reply_to: there is no such message.")
    _check_attachments(work, command)
    message = _new_message(work, room, command, digest)
    use_attachments(work, message)
    work.sent[key] = Sent(message.seq, message.version, message.at, digest)
    move_cursor(work, member, message.seq)
    _show(work, room, message.version)
    return Accepted(version=message.version, seq=message.seq, at=time_text(message.at))


def _repeated(first: Sent, digest: bytes) -> Accepted:
    if first.digest != digest:
        raise Conflict("client_id: was used for another message.")
    return Accepted(version=first.version, seq=first.seq, at=time_text(first.at), duplicate=True)


def _check_not_blocked(work: Work, room: RoomState, sender_id: str) -> None:
    peer_id = room.peer_of(sender_id)
    if peer_id is not None and (peer_id, sender_id) in work.blocked:
        raise Forbidden("You cannot write to this person.")


def _check_attachments(work: Work, command: SendMessage) -> None:
    if any(work.uses.get((command.room_id, one.attachment_id), 0) is None for one in command.attachments):
        raise no_attachment()


def _new_message(work: Work, room: RoomState, command: SendMessage, digest: bytes) -> StoredMessage:
    mentions = [user for user in dict.fromkeys(command.mentions) if _is_in(work, room, user)]
    version, _ = next_event(work, room)
    room.head_seq += 1
    message = StoredMessage(
        room_id=room.id,
        seq=room.head_seq,
        version=version,
        sender_id=command.user_id,
        client_id=command.client_id,
        digest=digest,
        kind="file" if command.attachments else "text",
        body=command.body,
        at=room.updated_at,
        edited_at=None,
        deleted=False,
        reply_to=command.reply_to,
        attachments=msgspec.json.encode(command.attachments) if command.attachments else None,
        mentions=msgspec.json.encode(mentions) if mentions else None,
        reaction_count=0,
    )
    work.messages[message.key] = work.new_messages[message.key] = message
    record(work, room, command.user_id, MessageCreated(**message_fields(message, {})))
    return message


def _is_in(work: Work, room: RoomState, user_id: str) -> bool:
    member = work.members.get((room.id, user_id))
    return member is not None and member.is_in


def move_cursor(work: Work, member: MemberState, seq: int) -> bool:
    """Forward only; whether it moved."""
    if seq <= member.read_seq:
        return False
    member.read_seq = seq
    work.moved_cursors[member.key] = member
    return True


def _show(work: Work, room: RoomState, version: int) -> None:
    """A message brings a direct room back to whoever had hidden it."""
    for user_id in room.pair:
        member = work.members.get((room.id, user_id))
        if member is not None and member.hidden:
            show(work, member, version)


def show(work: Work, member: MemberState, version: int) -> None:
    member.hidden, member.shown_version = False, version
    change_member(work, member)
    work.revised.add(member.user_id)


def edit(work: Work, command: EditMessage) -> Accepted:
    room, member = where(work, command)
    message = get_message(work, room, member, command.seq)
    if message.sender_id != command.user_id:
        raise Forbidden("Only its sender edits a message.")
    if message.deleted:
        raise Conflict("This message is deleted.")
    if not command.body and not attachments_of(message):
        raise invalid("body: must not be empty.")
    if message.body != command.body:
        _check_not_blocked(work, room, command.user_id)
        _set_body(work, room, message, command.body)
    return Accepted(version=room.head_version)


def _set_body(work: Work, room: RoomState, message: StoredMessage, body: str) -> None:
    version, at = next_event(work, room)
    message.body, message.edited_at = body, room.updated_at
    change_message(work, message)
    event = MessageEdited(
        room_id=room.id, version=version, at=at, seq=message.seq, body=body, edited_at=at, by=message.sender_id
    )
    record(work, room, message.sender_id, event)


def delete(work: Work, command: DeleteMessage) -> Accepted:
    room, member = where(work, command)
    message = get_message(work, room, member, command.seq)
    if message.sender_id != command.user_id and member.role == "member":
        raise Forbidden("Only its sender and admins delete a message.")
    if not message.deleted:
        _empty(work, message)
        version, at = next_event(work, room)
        event = MessageDeleted(room_id=room.id, version=version, at=at, seq=message.seq, by=command.user_id)
        record(work, room, command.user_id, event)
    return Accepted(version=room.head_version)


def _empty(work: Work, message: StoredMessage) -> None:
    let_attachments_go(work, message)
    message.deleted, message.body = True, ""
    message.attachments = message.mentions = None
    if message.reaction_count:
        work.cleared.add(message.key)
        message.reaction_count = 0
    work.emoji.pop(message.key, None)
    change_message(work, message)


def react(work: Work, command: ReactToMessage) -> Accepted:
    room, member = where(work, command)
    message = get_message(work, room, member, command.seq)
    key = (room.id, command.seq, command.emoji, command.user_id)
    there = _has(work, message, key)
    if there != command.remove:
        return Accepted(version=room.head_version)
    if not command.remove:
        _check_takes_reaction(work, message, command.emoji)
    version, at = next_event(work, room)
    _count(work, message, command.emoji, -1 if command.remove else 1)
    work.new_reactions[key] = None if command.remove else version
    event = MessageReacted(
        room_id=room.id, version=version, at=at, seq=message.seq,
        user_id=command.user_id, emoji=command.emoji, removed=command.remove,
    )  # fmt: skip
    record(work, room, command.user_id, event)
    return Accepted(version=version)


def _has(work: Work, message: StoredMessage, key: ReactionKey) -> bool:
    if message.deleted:
        return False
    return work.new_reactions[key] is not None if key in work.new_reactions else key in work.reactions


def _check_takes_reaction(work: Work, message: StoredMessage, emoji: str) -> None:
    if message.deleted:
        raise Conflict("This message is deleted.")
    if message.reaction_count >= MAX_REACTIONS:
        raise Conflict(f"This message has {MAX_REACTIONS} reactions.")
    kinds = work.emoji.get(message.key, {})
    if emoji not in kinds and len(kinds) >= MAX_EMOJI:
        raise Conflict(f"This message has {MAX_EMOJI} different reactions.")


def _count(work: Work, message: StoredMessage, emoji: str, change: int) -> None:
    message.reaction_count += change
    change_message(work, message)
    kinds = work.emoji.setdefault(message.key, {})
    kinds[emoji] = kinds.get(emoji, 0) + change
    if kinds[emoji] == 0:
        del kinds[emoji]
