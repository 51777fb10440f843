"""The read set of a batch: the keys of all rows that its commands need, so that one statement loads each kind."""

import msgspec

from rooms.domain.state import AttachmentKey, ClientKey, MemberKey, MessageKey, ReactionKey
from shared.contracts.rooms import (
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MuteRoom,
    ReactToMessage,
    ReadRoom,
    RemoveMember,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.ids import is_id


class ReadSet(msgspec.Struct):
    locked_rooms: set[str] = set()
    unlocked_rooms: set[str] = set()
    """Rooms in which only read cursors move, which needs no lock."""
    members: set[MemberKey] = set()
    sends: set[ClientKey] = set()
    """Idempotency keys of the messages."""
    commands: set[ClientKey] = set()
    """Idempotency keys of the other commands."""
    messages: set[MessageKey] = set()
    reactions: set[ReactionKey] = set()
    attachments: set[AttachmentKey] = set()
    """Attachments that the batch sends."""
    deletions: set[MessageKey] = set()
    """Messages whose attachments may lose a reference."""
    writers: set[MemberKey] = set()
    """Users who send, edit, react or pin. In a direct room the other member may have blocked them."""
    invited: set[str] = set()
    inviters: set[tuple[str, str]] = set()
    """(invited user, inviter)"""
    leavers: set[MemberKey] = set()
    new_owners: set[str] = set()
    """Rooms in which the owner may change before a member leaves."""


def read_set_of(commands: list[AnyCommand]) -> ReadSet:
    read_set = ReadSet()
    for command in commands:
        _add(read_set, command)
    read_set.unlocked_rooms -= read_set.locked_rooms
    return read_set


def _add(read_set: ReadSet, command: AnyCommand) -> None:
    room_id, actor = command.room_id, command.user_id
    read_set.members.add((room_id, actor))
    if isinstance(command, ReadRoom):
        read_set.unlocked_rooms.add(room_id)
        return
    read_set.locked_rooms.add(room_id)
    if isinstance(command, SendMessage):
        read_set.sends.add((room_id, actor, command.client_id))
        read_set.writers.add((room_id, actor))
        read_set.members.update((room_id, user) for user in command.mentions if is_id(user))
        attachment_ids = [one.attachment_id for one in command.attachments if is_id(one.attachment_id)]
        read_set.attachments.update((room_id, attachment_id) for attachment_id in attachment_ids)
    elif not isinstance(command, MuteRoom):
        read_set.commands.add((room_id, actor, command.command_id))
        _add_other(read_set, command)


def _add_other(read_set: ReadSet, command: AnyCommand) -> None:
    room_id, actor = command.room_id, command.user_id
    match command:
        case EditMessage(seq=seq):
            read_set.messages.add((room_id, seq))
            read_set.writers.add((room_id, actor))
        case DeleteMessage(seq=seq):
            read_set.messages.add((room_id, seq))
            read_set.deletions.add((room_id, seq))
        case ReactToMessage(seq=seq, emoji=emoji):
            read_set.messages.add((room_id, seq))
            read_set.reactions.add((room_id, seq, emoji, actor))
            read_set.writers.add((room_id, actor))
        case UpdateRoom():
            read_set.writers.add((room_id, actor))
        case InviteMembers(user_ids=user_ids):
            read_set.invited.update(user_ids)
            read_set.inviters.update((user, actor) for user in user_ids)
            read_set.members.update((room_id, user) for user in user_ids)
        case LeaveRoom():
            read_set.leavers.add((room_id, actor))
        case RemoveMember(target_id=target):
            read_set.members.add((room_id, target))
            read_set.leavers.add((room_id, actor))
        case SetRole(target_id=target, role=role):
            read_set.members.add((room_id, target))
            read_set.new_owners.update({room_id} if role == "owner" else ())
        case _:
            pass
