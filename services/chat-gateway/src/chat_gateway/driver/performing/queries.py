"""Queries: pages and snapshots. The newest page of a room comes from Redis if possible, everything else from rooms."""

import asyncio
import logging
from typing import TypeAlias

from chat_gateway.clients.rooms import Rooms
from chat_gateway.command_queue import CommandQueues
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.driver.output import send_error, send_reply
from chat_gateway.driver.performing.newest_page import NewestPages, wants_newest
from chat_gateway.presence import Presence
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import (
    HomeList,
    HomeReply,
    MessageList,
    Ok,
    PageReply,
    PresenceReply,
    PresenceWatch,
    RoomEnter,
    RoomReply,
)
from shared.contracts.limits import MAX_INTEGER
from shared.contracts.rooms import PageChoice, ReadRoom, Rejected, Result
from shared.contracts.social import Friends
from shared.data_loader import DataLoader
from shared.errors import DomainError, ErrorCode, Invalid, NotFound, error_for_code
from shared.ids import is_id, new_id, parse_rfc3339
from shared.redis.client import REDIS_DOWN
from shared.web.overload import Overload

log = logging.getLogger(__name__)

Query: TypeAlias = HomeList | RoomEnter | MessageList | PresenceWatch


class Queries:
    def __init__(
        self,
        rooms: Rooms,
        friends: DataLoader[str, Friends],
        live_rooms: LiveRooms,
        newest_pages: NewestPages,
        presence: Presence,
        queues: CommandQueues,
        overload: Overload,
    ) -> None:
        self._rooms, self._friends, self._live_rooms = rooms, friends, live_rooms
        self._newest_pages, self._presence = newest_pages, presence
        self._queues, self._overload = queues, overload

    async def answer(self, connection: Connection, frame: Query) -> None:
        try:
            self._overload.check_history()
            send_reply(connection, frame.id, await self._run(connection, frame))
        except DomainError as error:
            retry_after = error.retry_after or (1 if error.code == ErrorCode.UNAVAILABLE else None)
            send_error(connection, frame.id, error.code, error.detail, retry_after=retry_after)
        except (*REDIS_DOWN, ValueError) as error:
            log.warning("%s failed: %r", type(frame).__name__, error)
            detail = "A part of WebChat is unavailable. Try again."
            send_error(connection, frame.id, ErrorCode.UNAVAILABLE, detail, retry_after=1)

    async def _run(self, connection: Connection, frame: Query) -> Ok:
        match frame:
            case HomeList():
                return await self._list_rooms(connection, frame)
            case RoomEnter():
                return await self._enter_room(connection, frame)
            case MessageList():
                return await self._list_messages(connection, frame)
            case PresenceWatch():
                return await self._watch_presence(connection, frame)

    async def _list_rooms(self, connection: Connection, frame: HomeList) -> HomeReply:
        page, friends = await asyncio.gather(
            self._rooms.room_list_page(connection.user_id, frame.before, frame.limit),
            self._friends.load(connection.user_id),
        )
        profiles = friends.profiles if friends is not None else []
        return HomeReply(id=frame.id or "", friends=profiles, rooms=page.rooms, next=page.next)

    async def _enter_room(self, connection: Connection, frame: RoomEnter) -> RoomReply:
        """Return a snapshot of the room. It is marked as read first, so that the snapshot contains the new cursor."""
        if frame.mark_read:
            await self._mark_read(connection, frame.room_id)
        snapshot = await self._rooms.enter(connection.user_id, frame.room_id)
        self._live_rooms.adopt_epoch(snapshot.epoch)
        return RoomReply(id=frame.id or "", room=snapshot.room, messages=snapshot.messages, version=snapshot.version)

    async def _mark_read(self, connection: Connection, room_id: str) -> None:
        """Move the read cursor to the room's last message, and wait for the commit."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def on_result(result: Result) -> None:
            if not future.done():
                future.set_result(result)

        command = ReadRoom(command_id=new_id(), room_id=room_id, user_id=connection.user_id, seq=MAX_INTEGER)
        self._queues.submit(command, connection.id, on_result)
        result = await future
        if isinstance(result, Rejected):
            raise error_for_code(result.code, result.detail)

    async def _list_messages(self, connection: Connection, frame: MessageList) -> PageReply:
        choice, page = _choice_of(frame), None
        if wants_newest(frame):
            page = await self._newest_pages.load(connection, frame.room_id, frame.limit)
        if page is None:
            page = await self._rooms.messages(connection.user_id, frame.room_id, choice)
        reply = PageReply(id=frame.id or "", messages=page.messages, has_more=page.has_more, version=page.version)
        self._newest_pages.store(connection, frame, page, reply)
        return reply

    async def _watch_presence(self, connection: Connection, frame: PresenceWatch) -> PresenceReply:
        if not all(map(is_id, frame.user_ids)):
            raise NotFound("user_ids: there is no such user.")
        return PresenceReply(id=frame.id or "", presence=await self._presence.watch(connection, frame.user_ids))


def _choice_of(frame: MessageList) -> PageChoice:
    try:
        at = None if frame.at is None else parse_rfc3339(frame.at)
    except (ValueError, OverflowError) as error:
        raise Invalid("at: expected an RFC 3339 time with its zone.") from error
    return PageChoice(
        before=frame.before, after=frame.after, around=frame.around, at=at, offset=frame.offset, limit=frame.limit
    )
