"""Decides commands one after the other on a unit of work. A duplicate gets the result of the first one."""

from collections.abc import Callable
from typing import Any

from rooms.domain import membership, messages, room
from rooms.domain.unit_of_work import UnitOfWork
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

_RULES: dict[type, Callable[[UnitOfWork, Any], Accepted]] = {
    SendMessage: messages.send,
    EditMessage: messages.edit,
    DeleteMessage: messages.delete,
    ReactToMessage: messages.react,
    ReadRoom: room.read,
    UpdateRoom: room.update,
    MuteRoom: room.mute,
    InviteMembers: membership.invite,
    LeaveRoom: membership.leave,
    RemoveMember: membership.remove,
    SetRole: membership.set_role,
}


def decide(work: UnitOfWork, command: AnyCommand) -> Result:
    """Apply a validated command to `work`. A rejected command leaves it unchanged."""
    try:
        if isinstance(command, SendMessage):
            return messages.send(work, command)
        return _decide_once(work, command)
    except DomainError as error:
        return rejected(error)


def _decide_once(work: UnitOfWork, command: AnyCommand) -> Accepted:
    key = (command.room_id, command.user_id, command.command_id)
    if (version := work.answered.get(key)) is not None:
        return Accepted(version=version)
    before = len(work.events)
    result = _RULES[type(command)](work, command)
    if len(work.events) > before:
        work.events[-1].command_id = command.command_id
        work.answered[key] = result.version
    return result


def rejected(error: DomainError) -> Rejected:
    return Rejected(code=error.code, detail=error.detail)
