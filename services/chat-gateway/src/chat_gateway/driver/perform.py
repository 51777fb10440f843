"""What each frame of a client asks for: a command into its lane, a page, or a word to the others in the room."""

import logging
from collections import deque
from functools import partial

from chat_gateway.driver.attaching import attach, hold_back, upload
from chat_gateway.driver.client import Client
from chat_gateway.driver.commands import command_of, reply_of, send_command
from chat_gateway.driver.following import follow
from chat_gateway.driver.gateway import Gateway
from chat_gateway.driver.reading import enter_room, find_recent_page, list_home, list_messages
from chat_gateway.protocol.frames import (
    AnyFrame,
    CommandFrame,
    FileUpload,
    HomeList,
    MessageList,
    MessageSend,
    Ok,
    Ping,
    PresenceWatch,
    RoomEnter,
    RoomExit,
    RoomFrame,
    RoomTyping,
    Typing,
)
from shared.contracts.media import Attachment
from shared.contracts.rooms import AnyCommand, Rejected, Result
from shared.errors import DomainError, NotFound
from shared.ids import is_id, now_ms, rfc3339
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import TYPING, live_header
from shared.roomlog.keys import live_channel
from shared.web.overload import TYPING_SHED

log = logging.getLogger(__name__)


def perform(gateway: Gateway, client: Client, frame: AnyFrame) -> None:
    """Begin what the frame asks for; its answer comes by `client.finish` or `client.refuse`, exactly once."""
    if isinstance(frame, RoomTyping):
        _type(gateway, client, frame)
    elif isinstance(frame, RoomFrame) and not is_id(frame.room_id):
        client.refuse(frame.id, "not_found", "There is no such room.")
    elif isinstance(frame, Ping):
        client.finish(frame.id, Ok(id=frame.id or "", at=rfc3339(now_ms())))
    elif isinstance(frame, RoomExit):
        client.finish(frame.id, Ok(id=frame.id or ""))
    elif isinstance(frame, MessageList) and (reply := find_recent_page(gateway, client, frame)) is not None:
        client.finish_encoded(frame.id, reply)
    elif isinstance(frame, HomeList | RoomEnter | MessageList | PresenceWatch):
        client.spawn(_read(gateway, client, frame))
    elif isinstance(frame, FileUpload):
        client.spawn(upload(gateway, client, frame))
    else:
        _command(gateway, client, frame)


def _command(gateway: Gateway, client: Client, frame: AnyFrame) -> None:
    assert isinstance(frame, RoomFrame)
    if hold_back(client, frame, frame.room_id):
        return
    if isinstance(frame, MessageSend) and frame.attachment_ids:
        submit, again = partial(_submit, gateway, client), partial(_command, gateway, client)
        client.held[frame.room_id] = deque()
        client.spawn(attach(gateway, client, frame, submit, again))
    else:
        _submit(gateway, client, frame, [])


def _submit(gateway: Gateway, client: Client, frame: AnyFrame, attachments: list[Attachment]) -> None:
    assert isinstance(frame, CommandFrame)

    def done(result: Result) -> None:
        if isinstance(result, Rejected):
            retry_after = 1 if result.code == "unavailable" else None
            client.refuse(frame.id, result.code, result.detail, retry_after=retry_after)
        else:
            client.finish(frame.id, reply_of(frame, result))

    if isinstance(frame, MessageSend):
        command: AnyCommand = send_command(frame, client.user_id, attachments)
    else:
        command = command_of(frame, client.user_id)
    follow(gateway, client, frame, command, done)


async def _read(gateway: Gateway, client: Client, frame: HomeList | RoomEnter | MessageList | PresenceWatch) -> None:
    try:
        gateway.overload.check_history()
        client.finish(frame.id, await _answer(gateway, client, frame))
    except DomainError as problem:
        retry_after = problem.retry_after or (1 if problem.code == "unavailable" else None)
        client.refuse(frame.id, problem.code, problem.detail, retry_after=retry_after)
    except (*REDIS_DOWN, ValueError) as error:
        log.warning("%s failed: %r", type(frame).__name__, error)
        client.refuse(frame.id, "unavailable", "A part of WebChat is away: try again.", retry_after=1)


async def _answer(gateway: Gateway, client: Client, frame: HomeList | RoomEnter | MessageList | PresenceWatch) -> Ok:
    match frame:
        case HomeList():
            return await list_home(gateway, client, frame)
        case RoomEnter():
            return await enter_room(gateway, client, frame)
        case MessageList():
            return await list_messages(gateway, client, frame)
        case PresenceWatch():
            return await _watch(gateway, client, frame)


async def _watch(gateway: Gateway, client: Client, frame: PresenceWatch) -> Ok:
    if not all(map(is_id, frame.user_ids)):
        raise NotFound("user_ids: there is no such user.")
    return Ok(id=frame.id or "", presence=await gateway.presence.watch(client, frame.user_ids))


def _type(gateway: Gateway, client: Client, frame: RoomTyping) -> None:
    """Tell the other members, on every gateway; no reply. A stranger to the room is told nothing of it."""
    if gateway.overload.sheds_ephemeral(TYPING_SHED):
        return
    if not gateway.hub.reads(client, frame.room_id):
        client.connection.unanswered += 1
        client.refuse(frame.id, "not_found", "There is no such room.")
        return
    event = Typing(room_id=frame.room_id, user_id=client.user_id, typing=frame.typing)
    header = live_header(0, 0, TYPING + b":" + client.user_id.encode())
    gateway.ephemeral.publish(live_channel(client.epoch, frame.room_id), header + client.encode(event))
