"""Frames as commands to rooms, and their results as replies."""

from chat_gateway.protocol.frames import (
    AnyFrame,
    FileUpload,
    MessageDelete,
    MessageEdit,
    MessageReact,
    MessageSend,
    Ok,
    RoomInvite,
    RoomLeave,
    RoomRead,
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
    """Idempotent by its `client_id`, so it needs no command id."""
    command = SendMessage(
        command_id="",
        room_id=frame.room_id,
        user_id=user_id,
        client_id=frame.client_id.lower(),
        body=frame.body,
        attachments=attachments,
    )
    if isinstance(frame, MessageSend):
        command.reply_to, command.mentions = frame.reply_to, frame.mentions
    return command


def command_of(frame: AnyFrame, user_id: str) -> AnyCommand:
    """The command for rooms; its id is new, and makes a repeat of the request harmless."""
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
            raise TypeError(f"{type(frame).__name__} is no command")


def reply_of(frame: AnyFrame, done: Accepted) -> Ok:
    frame_id = frame.id or ""
    match frame:
        case MessageSend():
            return Ok(id=frame_id, seq=done.seq, version=done.version, at=done.at, duplicate=done.duplicate)
        case RoomRead():
            return Ok(id=frame_id, read_seq=done.read_seq)
        case _:
            return Ok(id=frame_id, version=done.version)
