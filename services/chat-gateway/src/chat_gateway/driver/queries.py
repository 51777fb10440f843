"""Queries: pages and snapshots. The newest page of a room comes from Redis if possible, everything else from rooms."""

import asyncio
import logging

from chat_gateway.driver.connection import UserConnection
from chat_gateway.driver.gateway import Gateway
from chat_gateway.protocol.frames import HomeList, HomeReply, MessageList, PageReply, RoomEnter, RoomReply
from shared.contracts.limits import MAX_INTEGER
from shared.contracts.rooms import Message, MessagesPage, PageChoice, ReadRoom, Rejected, Result
from shared.errors import Invalid, error_for_code
from shared.ids import new_id, parse_rfc3339
from shared.redis.client import REDIS_DOWN
from shared.roomlog.fold import Snapshot
from shared.roomlog.page import RECENT_MESSAGES, cache_recent, find_recent

log = logging.getLogger(__name__)


async def list_rooms(gateway: Gateway, connection: UserConnection, frame: HomeList) -> HomeReply:
    page, friends = await asyncio.gather(
        gateway.rooms.room_list_page(connection.user_id, frame.before, frame.limit),
        gateway.friends.load(connection.user_id),
    )
    profiles = friends.profiles if friends is not None else []
    return HomeReply(id=frame.id or "", friends=profiles, rooms=page.rooms, next=page.next)


async def enter_room(gateway: Gateway, connection: UserConnection, frame: RoomEnter) -> RoomReply:
    """Return a snapshot of the room. The room is marked as read first, so that the snapshot contains the new cursor."""
    if frame.mark_read:
        await _mark_read(gateway, connection, frame.room_id)
    snapshot = await gateway.rooms.enter(connection.user_id, frame.room_id)
    gateway.adopt_epoch(snapshot.epoch)
    return RoomReply(id=frame.id or "", room=snapshot.room, messages=snapshot.messages, version=snapshot.version)


def find_recent_page(gateway: Gateway, connection: UserConnection, frame: MessageList) -> bytes | None:
    """Return the cached reply with the newest page, or None if another page is wanted or the cache lacks it."""
    membership = gateway.room_subscriptions.membership(connection, frame.room_id)
    version = gateway.hub.version_of(frame.room_id)
    if not _wants_newest(frame) or membership is None or version is None:
        return None
    if not gateway.hub.reads(connection, frame.room_id):
        return None
    page = gateway.recent_pages.find((frame.room_id, membership.joined_seq, frame.limit), version, frame.id or "")
    if page is not None:
        gateway.hub.flush_room(frame.room_id)
    return page


async def list_messages(gateway: Gateway, connection: UserConnection, frame: MessageList) -> PageReply:
    choice = _choice_of(frame)
    page = None
    if newest := _wants_newest(frame):
        page = await _newest_page(gateway, connection, frame.room_id, frame.limit)
    if page is None:
        page = await gateway.rooms.messages(connection.user_id, frame.room_id, choice)
    reply = PageReply(id=frame.id or "", messages=page.messages, has_more=page.has_more, version=page.version)
    membership = gateway.room_subscriptions.membership(connection, frame.room_id)
    if newest and page.epoch == connection.epoch and membership is not None:
        gateway.recent_pages.store((frame.room_id, membership.joined_seq, frame.limit), page.version, reply)
    return reply


def _wants_newest(frame: MessageList) -> bool:
    choices = (frame.before, frame.after, frame.around, frame.at, frame.offset)
    return frame.limit <= RECENT_MESSAGES and all(choice is None for choice in choices)


def _choice_of(frame: MessageList) -> PageChoice:
    try:
        at = None if frame.at is None else parse_rfc3339(frame.at)
    except (ValueError, OverflowError) as error:
        raise Invalid("at: expected an RFC 3339 time with its zone.") from error
    return PageChoice(
        before=frame.before, after=frame.after, around=frame.around, at=at, offset=frame.offset, limit=frame.limit
    )


async def _mark_read(gateway: Gateway, connection: UserConnection, room_id: str) -> None:
    """Move the read cursor to the room's last message, and wait for the commit."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def on_result(result: Result) -> None:
        if not future.done():
            future.set_result(result)

    command = ReadRoom(command_id=new_id(), room_id=room_id, user_id=connection.user_id, seq=MAX_INTEGER)
    gateway.command_queues.submit(command, connection.id, on_result)
    result = await future
    if isinstance(result, Rejected):
        raise error_for_code(result.code, result.detail)


async def _newest_page(gateway: Gateway, connection: UserConnection, room_id: str, limit: int) -> MessagesPage | None:
    """Return the newest page from Redis, loading it into Redis if necessary. Returns None if rooms has to be asked."""
    if gateway.room_subscriptions.membership(connection, room_id) is None:
        return None
    try:
        snapshot = await find_recent(gateway.redis, connection.epoch, room_id)
        if snapshot is None:
            return await _load_and_cache(gateway, connection, room_id, limit)
    except REDIS_DOWN as error:
        log.info("the cached page of a room cannot be used: %r", error)
        return None
    if snapshot.version > (gateway.hub.version_of(room_id) or 0):
        await gateway.subscriber.repair([room_id])
    if not gateway.hub.reads(connection, room_id) or snapshot.version < (gateway.hub.version_of(room_id) or 0):
        return None
    gateway.hub.flush_room(room_id)
    membership = gateway.room_subscriptions.of(connection)[room_id]  # it may be a newer one than before the wait
    return _page_of(snapshot, connection.epoch, membership.joined_seq, limit)


def _page_of(snapshot: Snapshot, epoch: str, joined_seq: int, limit: int) -> MessagesPage | None:
    """Return the page of a member who joined after `joined_seq`, or None if the snapshot has too few messages."""
    visible = sorted((message for message in snapshot.messages.values() if message.seq > joined_seq), key=_seq)
    complete = snapshot.from_seq <= joined_seq + 1
    if len(visible) < limit and not complete:
        return None
    newest = visible[-limit:]
    has_more = len(newest) < len(visible) or not complete
    return MessagesPage(epoch=epoch, messages=newest, has_more=has_more, version=snapshot.version)


def _seq(message: Message) -> int:
    return message.seq


async def _load_and_cache(gateway: Gateway, connection: UserConnection, room_id: str, limit: int) -> MessagesPage:
    page = await gateway.rooms.messages(connection.user_id, room_id, PageChoice(limit=RECENT_MESSAGES))
    if page.messages:
        snapshot = Snapshot(page.version, page.messages[0].seq, {message.seq: message for message in page.messages})
        await cache_recent(gateway.redis, page.epoch, room_id, snapshot)
    newest = page.messages[-limit:]
    has_more = page.has_more or len(newest) < len(page.messages)
    return MessagesPage(epoch=page.epoch, messages=newest, has_more=has_more, version=page.version)
