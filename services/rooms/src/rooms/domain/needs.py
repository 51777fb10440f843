"""What a batch has to read before it is decided, so that every kind of row is read with one statement."""

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
)
from shared.ids import is_id


class Needs(msgspec.Struct):
    locked_rooms: set[str] = set()
    read_rooms: set[str] = set()
    """Rooms whose cursors move, which takes no lock."""
    members: set[MemberKey] = set()
    sends: set[ClientKey] = set()
    commands: set[ClientKey] = set()
    messages: set[MessageKey] = set()
    reactions: set[ReactionKey] = set()
    attachments: set[AttachmentKey] = set()
    """Those that are sent."""
    deletions: set[MessageKey] = set()
    """Messages that may let go of theirs."""
    writers: set[MemberKey] = set()
    """Who writes: in a direct room the other one may have blocked it."""
    invited: set[str] = set()
    inviters: set[tuple[str, str]] = set()
    """(invited, by whom)"""
    leavers: set[MemberKey] = set()
    new_owners: set[str] = set()
    """Rooms in which the owner may change before someone leaves."""


def needs_of(commands: list[AnyCommand]) -> Needs:
    needs = Needs()
    for command in commands:
        _add(needs, command)
    needs.read_rooms -= needs.locked_rooms
    return needs


def _add(needs: Needs, command: AnyCommand) -> None:
    here, actor = command.room_id, command.user_id
    needs.members.add((here, actor))
    if isinstance(command, ReadRoom):
        needs.read_rooms.add(here)
        return
    needs.locked_rooms.add(here)
    if isinstance(command, SendMessage):
        needs.sends.add((here, actor, command.client_id))
        needs.writers.add((here, actor))
        needs.members.update((here, user) for user in command.mentions if is_id(user))
        needs.attachments.update((here, one.attachment_id) for one in command.attachments if is_id(one.attachment_id))
    elif not isinstance(command, MuteRoom):
        needs.commands.add((here, actor, command.command_id))
        _add_other(needs, command)


def _add_other(needs: Needs, command: AnyCommand) -> None:
    here, actor = command.room_id, command.user_id
    match command:
        case EditMessage(seq=seq):
            needs.messages.add((here, seq))
            needs.writers.add((here, actor))
        case DeleteMessage(seq=seq):
            needs.messages.add((here, seq))
            needs.deletions.add((here, seq))
        case ReactToMessage(seq=seq, emoji=emoji):
            needs.messages.add((here, seq))
            needs.reactions.add((here, seq, emoji, actor))
        case InviteMembers(user_ids=user_ids):
            needs.invited.update(user_ids)
            needs.inviters.update((user, actor) for user in user_ids)
            needs.members.update((here, user) for user in user_ids)
        case LeaveRoom():
            needs.leavers.add((here, actor))
        case RemoveMember(target_id=target):
            needs.members.add((here, target))
            needs.leavers.add((here, actor))
        case SetRole(target_id=target, role=role):
            needs.members.add((here, target))
            needs.new_owners.update({here} if role == "owner" else ())
        case _:
            pass
