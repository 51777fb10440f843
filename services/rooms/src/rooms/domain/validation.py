"""Validates the fields of commands without looking at the room.

A malformed id gets the same error as an id that does not exist.
"""

import re

import msgspec

from rooms.domain.errors import invalid, no_room, no_user
from shared.contracts.limits import MAX_ATTACHMENTS, MAX_INTEGER, MAX_MENTIONS, MAX_USER_IDS
from shared.contracts.rooms import (
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    ReactToMessage,
    ReadRoom,
    RemoveMember,
    SendMessage,
    SetRole,
    UpdateRoom,
)
from shared.ids import is_id
from shared.text import one_line

MAX_MESSAGE_CHARACTERS = 4000
MAX_TITLE_CHARACTERS = 100
MAX_EMOJI_BYTES = 32

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def validate(command: AnyCommand) -> AnyCommand:
    """Return the command with its ids and title in canonical form. Raises DomainError."""
    if not is_id(command.room_id):
        raise no_room()
    if not is_id(command.user_id):
        raise no_user()
    if isinstance(command, SendMessage):
        return _validate_send(command)
    _check_fields(command)
    changes = {"command_id": canonical_id("command_id", command.command_id)}
    if isinstance(command, UpdateRoom) and not isinstance(command.title, msgspec.UnsetType):
        changes["title"] = title_of(command.title)
    return msgspec.structs.replace(command, **changes)


def _check_fields(command: AnyCommand) -> None:
    match command:
        case EditMessage(body=body):
            _check_body(body)
        case ReactToMessage(emoji=emoji):
            _check_emoji(emoji)
        case InviteMembers(user_ids=user_ids):
            check_user_ids(user_ids)
        case RemoveMember(target_id=target) | SetRole(target_id=target):
            check_user_ids([target])
        case UpdateRoom(pinned_seq=int(seq)):
            check_seq("pinned_seq", seq)
        case _:
            pass
    if isinstance(command, EditMessage | ReactToMessage | DeleteMessage | ReadRoom):
        check_seq("seq", command.seq)


def canonical_id(field: str, text: str) -> str:
    """Return a UUID of a client in lower case. Raises DomainError."""
    if not is_id(text.lower()):
        raise invalid(f"{field}: must be a UUID.")
    return text.lower()


def _validate_send(command: SendMessage) -> SendMessage:
    _check_body(command.body, may_be_empty=bool(command.attachments))
    if command.reply_to is not None:
        check_seq("reply_to", command.reply_to)
    if len(command.attachments) > MAX_ATTACHMENTS:
        raise invalid(f"attachments: at most {MAX_ATTACHMENTS}.")
    if len(command.mentions) > MAX_MENTIONS:
        raise invalid(f"mentions: at most {MAX_MENTIONS}.")
    client_id = canonical_id("client_id", command.client_id)
    return msgspec.structs.replace(command, client_id=client_id, mentions=list(filter(is_id, command.mentions)))


def title_of(text: str) -> str:
    try:
        title = one_line(text)
    except ValueError as error:
        raise invalid(f"title: {error}.") from error
    if not 1 <= len(title) <= MAX_TITLE_CHARACTERS:
        raise invalid(f"title: 1 to {MAX_TITLE_CHARACTERS} characters.")
    return title


def check_seq(field: str, value: int, *, least: int = 1) -> None:
    if not least <= value <= MAX_INTEGER:
        raise invalid(f"{field}: an integer from {least} to 2^53 - 1.")


def check_user_ids(user_ids: list[str]) -> None:
    if len(user_ids) > MAX_USER_IDS:
        raise invalid(f"user_ids: at most {MAX_USER_IDS}.")
    if not all(map(is_id, user_ids)):
        raise no_user()


def is_storable(text: str) -> bool:
    """Return whether every database stores the text unchanged."""
    return _UNSTORABLE.search(text) is None


def _check_body(body: str, *, may_be_empty: bool = True) -> None:
    if len(body) > MAX_MESSAGE_CHARACTERS or (not body and not may_be_empty):
        raise invalid(f"body: 1 to {MAX_MESSAGE_CHARACTERS} characters.")
    if not is_storable(body):
        raise invalid("body: has characters that cannot be stored.")


def _check_emoji(emoji: str) -> None:
    if not emoji or not is_storable(emoji) or len(emoji.encode()) > MAX_EMOJI_BYTES:
        raise invalid(f"emoji: 1 to {MAX_EMOJI_BYTES} bytes.")
