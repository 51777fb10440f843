"""Validation of commands without their room."""

from typing import Any

import pytest

from rooms.domain.validation import title_of, validate
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    AnyCommand,
    EditMessage,
    InviteMembers,
    ReactToMessage,
    ReadRoom,
    RemoveMember,
    SendMessage,
    UpdateRoom,
)
from shared.errors import DomainError
from shared.ids import new_id

A, B, ROOM, COMMAND = (new_id() for _ in range(4))
FILE = Attachment(attachment_id=new_id(), filename="f", content_type="text/plain", size=1, url="/x")


def send(**fields: Any) -> SendMessage:
    values: dict[str, Any] = {"command_id": "", "room_id": ROOM, "user_id": A, "client_id": COMMAND, "body": "x"}
    return SendMessage(**values | fields)


def error_code(command: AnyCommand) -> str:
    with pytest.raises(DomainError) as raised:
        validate(command)
    return raised.value.code


@pytest.mark.parametrize(
    "fields",
    [
        {"body": ""},
        {"body": "x" * 4001},
        {"body": "nul\x00"},
        {"body": "half \ud800"},
        {"client_id": "17"},
        {"reply_to": 0},
        {"reply_to": 2**53},
        {"reply_to": 2**80},
        {"mentions": [A] * 51},
        {"attachments": [FILE] * 11},
    ],
)
def test_invalid_messages_are_rejected(fields: dict[str, Any]) -> None:
    assert error_code(send(**fields)) == "invalid"


@pytest.mark.parametrize(
    "fields",
    [
        {"body": "x" * 4000},
        {"body": "🦊" * 4000},
        {"reply_to": 2**53 - 1},
        {"mentions": [A] * 50},
        {"body": "", "attachments": [FILE] * 10},
    ],
)
def test_messages_at_the_limits_are_valid(fields: dict[str, Any]) -> None:
    command = send(**fields)
    assert validate(command) == command


def test_ids_are_lowercased_and_invalid_mentions_removed() -> None:
    command = validate(send(client_id=COMMAND.upper(), mentions=[B, "nobody", A]))
    assert isinstance(command, SendMessage)
    assert (command.client_id, command.mentions) == (COMMAND, [B, A])
    read = validate(ReadRoom(command_id=COMMAND.upper(), room_id=ROOM, user_id=A, seq=1))
    assert read.command_id == COMMAND


@pytest.mark.parametrize("title", ["", "  ", "x" * 101, "a\nb", "\u202e", "\ud800"])
def test_invalid_titles_are_rejected(title: str) -> None:
    with pytest.raises(DomainError, match="title"):
        title_of(title)
    assert error_code(UpdateRoom(command_id=COMMAND, room_id=ROOM, user_id=A, title=title)) == "invalid"


def test_titles_are_trimmed() -> None:
    command = validate(UpdateRoom(command_id=COMMAND, room_id=ROOM, user_id=A, title="  Zoë's 🦊  "))
    assert isinstance(command, UpdateRoom)
    assert command.title == title_of("  Zoë's 🦊  ") == "Zoë's 🦊"


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        (RemoveMember, {"room_id": "x", "target_id": B}, "not_found"),
        (RemoveMember, {"room_id": A.upper(), "target_id": B}, "not_found"),
        (RemoveMember, {"user_id": "x", "target_id": B}, "not_found"),
        (RemoveMember, {"command_id": "x", "target_id": B}, "invalid"),
        (RemoveMember, {"target_id": "x"}, "not_found"),
        (InviteMembers, {"user_ids": [B, "x"]}, "not_found"),
        (InviteMembers, {"user_ids": [B] * 101}, "invalid"),
        (EditMessage, {"seq": 1, "body": "x" * 4001}, "invalid"),
        (EditMessage, {"seq": 0, "body": "x"}, "invalid"),
        (ReadRoom, {"seq": 0}, "invalid"),
        (ReadRoom, {"seq": 2**53}, "invalid"),
        (UpdateRoom, {"pinned_seq": 0}, "invalid"),
        (ReactToMessage, {"seq": 1, "emoji": ""}, "invalid"),
        (ReactToMessage, {"seq": 1, "emoji": "a" * 33}, "invalid"),
        (ReactToMessage, {"seq": 1, "emoji": "🦊" * 9}, "invalid"),
        (ReactToMessage, {"seq": 1, "emoji": "x\x00"}, "invalid"),
        (ReactToMessage, {"seq": 1, "emoji": "\udc00"}, "invalid"),
    ],
)
def test_other_invalid_commands_are_rejected(kind: type, fields: dict[str, Any], code: str) -> None:
    assert error_code(kind(**{"command_id": COMMAND, "room_id": ROOM, "user_id": A, **fields})) == code
