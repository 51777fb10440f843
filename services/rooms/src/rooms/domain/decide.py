"""One command after the other over the working state: repeats first, then the rule of its kind."""

from collections.abc import Callable
from typing import Any

from rooms.domain import membership, room, sending
from rooms.domain.work import Work
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    MuteRoom,
    ReactToMessage,
    ReadRoom,
    Rejected,
    RemoveMember,
    Result,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.errors import DomainError

_RULES: dict[type, Callable[[Work, Any], Accepted]] = {
    SendMessage: sending.send,
    EditMessage: sending.edit,
    DeleteMessage: sending.delete,
    ReactToMessage: sending.react,
    ReadRoom: room.read,
    UpdateRoom: room.update,
    MuteRoom: room.mute,
    InviteMembers: membership.invite,
    LeaveRoom: membership.leave,
    RemoveMember: membership.remove,
    SetRole: membership.set_role,
}


def decide(work: Work, command: AnyCommand) -> Result:
    """Apply a valid command to `work`. A rejected command leaves it unchanged."""
    try:
        if isinstance(command, SendMessage):
            return sending.send(work, command)
        return _decide_once(work, command)
    except DomainError as error:
        return rejected(error)


def _decide_once(work: Work, command: AnyCommand) -> Accepted:
    key = (command.room_id, command.user_id, command.command_id)
    if (version := work.answered.get(key)) is not None:
        return Accepted(version=version)
    before = len(work.events)
    done = _RULES[type(command)](work, command)
    if len(work.events) > before:
        work.events[-1].command_id = command.command_id
        work.answered[key] = done.version
    return done


def rejected(error: DomainError) -> Rejected:
    return Rejected(code=error.code, detail=error.detail)
