"""Conversion of frames into commands for rooms, and of results into replies."""

from typing import Any

from chat_gateway.protocol.frames import (
    AnyFrame,
    ChangeReply,
    FileUpload,
    MessageDelete,
    MessageEdit,
    MessageReact,
    MessageSend,
    Ok,
    ReadReply,
    RoomInvite,
    RoomLeave,
    RoomRead,
    SendReply,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import (
    Accepted,
    AnyCommand,
    DeleteMessage,
    EditMessage,
    InviteMembers,
    LeaveRoom,
    ReactToMessage,
    ReadRoom,
    SendMessage,
)
from shared.ids import new_id


def send_command(frame: MessageSend | FileUpload, user_id: str, attachments: list[Attachment]) -> SendMessage:
    """Return the command. It has no command ID, because its `client_id` makes it idempotent."""
    content = frame.content() if isinstance(frame, MessageSend) else {"body": frame.body}
    content["client_id"] = frame.client_id.lower()
    return SendMessage(command_id="", room_id=frame.room_id, user_id=user_id, attachments=attachments, **content)


def command_of(frame: AnyFrame, user_id: str) -> AnyCommand:
    """Return the command with a new command ID, which makes a repeated request to rooms harmless."""
    match frame:
        case MessageEdit():
            return EditMessage(
                command_id=new_id(), room_id=frame.room_id, user_id=user_id, seq=frame.seq, body=frame.body
            )
        case MessageDelete():
            return DeleteMessage(command_id=new_id(), room_id=frame.room_id, user_id=user_id, seq=frame.seq)
        case MessageReact():
            return ReactToMessage(
                command_id=new_id(),
                room_id=frame.room_id,
                user_id=user_id,
                seq=frame.seq,
                emoji=frame.emoji,
                remove=frame.remove,
            )
        case RoomRead():
            return ReadRoom(command_id=new_id(), room_id=frame.room_id, user_id=user_id, seq=frame.seq)
        case RoomInvite():
            return InviteMembers(command_id=new_id(), room_id=frame.room_id, user_id=user_id, user_ids=frame.user_ids)
        case RoomLeave():
            return LeaveRoom(command_id=new_id(), room_id=frame.room_id, user_id=user_id)
        case _:
            raise TypeError(f"{type(frame).__name__} is not a command")


def reply_of(frame: AnyFrame, result: Accepted) -> Ok:
    """Return the reply to a frame whose command was accepted."""
    frame_id = frame.id or ""
    match frame:
        case MessageSend():
            return SendReply(id=frame_id, **sent_fields(result))
        case RoomRead():
            return ReadReply(id=frame_id, read_seq=result.read_seq)
        case _:
            return ChangeReply(id=frame_id, version=result.version)


def sent_fields(result: Accepted) -> dict[str, Any]:
    """Return the fields of the reply to a sent message."""
    return {"at": result.at, "seq": result.seq, "version": result.version, "duplicate": result.duplicate}
