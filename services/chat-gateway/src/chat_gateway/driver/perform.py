"""Performs the frames of a client: submits commands, answers queries, and publishes typing."""

import logging
from collections import deque
from functools import partial
from typing import TypeAlias

from chat_gateway.driver.attachments import defer, send_with_attachments, upload
from chat_gateway.driver.commands import command_of, reply_of, send_command
from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.queries import enter_room, find_recent_page, list_messages, list_rooms
from chat_gateway.driver.tracing import submit_traced
from chat_gateway.protocol.frames import (
    AnyCommandFrame,
    AnyFrame,
    AnyRoomFrame,
    FileUpload,
    HomeList,
    MessageList,
    MessageSend,
    Ok,
    Ping,
    PresenceReply,
    PresenceWatch,
    RoomEnter,
    RoomExit,
    RoomTyping,
    TimeReply,
    Typing,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.errors import DomainError, ErrorCode, NotFound
from shared.ids import is_id, now_ms, rfc3339
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import TYPING, publication_header
from shared.roomlog.keys import live_channel
from shared.web.overload import TYPING_SHED

log = logging.getLogger(__name__)

Query: TypeAlias = HomeList | RoomEnter | MessageList | PresenceWatch


def perform(gateway: Gateway, connection: UserConnection, frame: AnyFrame) -> None:
    """Start to perform a frame. It is answered exactly once, now or later. `room.typing` is not answered."""
    if isinstance(frame, RoomTyping):
        _publish_typing(gateway, connection, frame)
    elif isinstance(frame, AnyRoomFrame) and not is_id(frame.room_id):
        connection.send_error(frame.id, ErrorCode.NOT_FOUND, "There is no such room.")
    elif isinstance(frame, Ping):
        connection.send_reply(frame.id, TimeReply(id=frame.id or "", at=rfc3339(now_ms())))
    elif isinstance(frame, RoomExit):
        connection.send_reply(frame.id, Ok(id=frame.id or ""))
    elif isinstance(frame, MessageList) and (reply := find_recent_page(gateway, connection, frame)) is not None:
        connection.send_encoded_reply(frame.id, reply)
    elif isinstance(frame, Query):
        connection.spawn(_answer_query(gateway, connection, frame))
    elif isinstance(frame, FileUpload):
        connection.spawn(upload(gateway, connection, frame))
    else:
        _perform_command(gateway, connection, frame)


def _perform_command(gateway: Gateway, connection: UserConnection, frame: AnyFrame) -> None:
    assert isinstance(frame, AnyRoomFrame)
    if defer(connection, frame, frame.room_id):
        return
    if isinstance(frame, MessageSend) and frame.attachment_ids:
        submit, resume = partial(_submit, gateway, connection), partial(_perform_command, gateway, connection)
        connection.deferred[frame.room_id] = deque()
        connection.spawn(send_with_attachments(gateway, connection, frame, submit, resume))
    else:
        _submit(gateway, connection, frame, [])


def _submit(gateway: Gateway, connection: UserConnection, frame: AnyFrame, attachments: list[Attachment]) -> None:
    assert isinstance(frame, AnyCommandFrame)

    def on_result(result: Result) -> None:
        if isinstance(result, Rejected):
            retry_after = 1 if result.code == ErrorCode.UNAVAILABLE else None
            connection.send_error(frame.id, result.code, result.detail, retry_after=retry_after)
        else:
            connection.send_reply(frame.id, reply_of(frame, result))

    if isinstance(frame, MessageSend):
        command: AnyCommand = send_command(frame, connection.user_id, attachments)
    else:
        command = command_of(frame, connection.user_id)
    submit_traced(gateway, connection, frame, command, on_result)


async def _answer_query(gateway: Gateway, connection: UserConnection, frame: Query) -> None:
    try:
        gateway.overload.check_history()
        connection.send_reply(frame.id, await _run_query(gateway, connection, frame))
    except DomainError as error:
        retry_after = error.retry_after or (1 if error.code == ErrorCode.UNAVAILABLE else None)
        connection.send_error(frame.id, error.code, error.detail, retry_after=retry_after)
    except (*REDIS_DOWN, ValueError) as error:
        log.warning("%s failed: %r", type(frame).__name__, error)
        detail = "A part of WebChat is unavailable. Try again."
        connection.send_error(frame.id, ErrorCode.UNAVAILABLE, detail, retry_after=1)


async def _run_query(gateway: Gateway, connection: UserConnection, frame: Query) -> Ok:
    match frame:
        case HomeList():
            return await list_rooms(gateway, connection, frame)
        case RoomEnter():
            return await enter_room(gateway, connection, frame)
        case MessageList():
            return await list_messages(gateway, connection, frame)
        case PresenceWatch():
            return await _watch_presence(gateway, connection, frame)


async def _watch_presence(gateway: Gateway, connection: UserConnection, frame: PresenceWatch) -> Ok:
    if not all(map(is_id, frame.user_ids)):
        raise NotFound("user_ids: there is no such user.")
    return PresenceReply(id=frame.id or "", presence=await gateway.presence.watch(connection, frame.user_ids))


def _publish_typing(gateway: Gateway, connection: UserConnection, frame: RoomTyping) -> None:
    """Publish typing to the room on every gateway. The only reply is an error if the user is not in the room."""
    if gateway.overload.sheds_ephemeral(TYPING_SHED):
        return
    if not gateway.hub.reads(connection, frame.room_id):
        connection.protocol.unanswered += 1
        connection.send_error(frame.id, ErrorCode.NOT_FOUND, "There is no such room.")
        return
    event = Typing(room_id=frame.room_id, user_id=connection.user_id, typing=frame.typing)
    header = publication_header(0, 0, TYPING + b":" + connection.user_id.encode())
    gateway.ephemeral.publish(live_channel(connection.epoch, frame.room_id), header + connection.encode(event))
