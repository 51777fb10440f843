"""The newest page of a room: from the cache of replies, from Redis, or from rooms."""

import logging

from chat_gateway.clients.rooms import Rooms
from chat_gateway.driver.live_rooms import LiveRooms
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.frames import MessageList, PageReply
from shared.contracts.rooms import Message, MessagesPage, PageChoice
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import REDIS_DOWN
from shared.roomlog.fold import Snapshot
from shared.roomlog.page import RECENT_MESSAGES, cache_recent, find_recent

log = logging.getLogger(__name__)


def wants_newest(frame: MessageList) -> bool:
    choices = (frame.before, frame.after, frame.around, frame.at, frame.offset)
    return frame.limit <= RECENT_MESSAGES and all(choice is None for choice in choices)


class NewestPages:
    def __init__(self, redis: CircuitBreaker, rooms: Rooms, live_rooms: LiveRooms) -> None:
        self._redis, self._rooms = redis, rooms
        self._hub, self._feed = live_rooms.hub, live_rooms.feed
        self._subscriptions, self._replies = live_rooms.subscriptions, live_rooms.recent_pages

    # Replies

    def find(self, connection: Connection, frame: MessageList) -> bytes | None:
        """Return the cached reply with the newest page, or None if another page is wanted or the cache lacks it."""
        if not wants_newest(frame) or not self._subscriptions.receives(connection, frame.room_id):
            return None
        membership = self._subscriptions.of(connection)[frame.room_id]
        key, version = (frame.room_id, membership.joined_seq, frame.limit), self._hub.version_of(frame.room_id)
        page = None if version is None else self._replies.find(key, version, frame.id or "")
        if page is not None:
            self._hub.flush_room(frame.room_id)
        return page

    def store(self, connection: Connection, frame: MessageList, page: MessagesPage, reply: PageReply) -> None:
        """Cache the reply for readers of the room with the same first visible message."""
        membership = self._subscriptions.membership(connection, frame.room_id)
        if wants_newest(frame) and page.epoch == connection.epoch and membership is not None:
            self._replies.store((frame.room_id, membership.joined_seq, frame.limit), page.version, reply)

    # Pages

    async def load(self, connection: Connection, room_id: str, limit: int) -> MessagesPage | None:
        """Return the newest page from Redis, loading it into Redis if necessary, or None if rooms has to be asked."""
        if self._subscriptions.membership(connection, room_id) is None:
            return None
        try:
            snapshot = await self._redis.run(lambda redis: find_recent(redis, connection.epoch, room_id))
            if snapshot is None:
                return await self._load_and_cache(connection, room_id, limit)
        except REDIS_DOWN as error:
            log.info("the cached page of a room cannot be used: %r", error)
            return None
        if snapshot.version > (self._hub.version_of(room_id) or 0):
            await self._feed.repair([room_id])
        return self._page_of_reader(connection, room_id, snapshot, limit)

    def _page_of_reader(
        self, connection: Connection, room_id: str, snapshot: Snapshot, limit: int
    ) -> MessagesPage | None:
        """Return the page of a reader whose events continue after it, or None if the snapshot is older than the hub."""
        version = self._hub.version_of(room_id) or 0
        if not self._subscriptions.receives(connection, room_id) or snapshot.version < version:
            return None
        self._hub.flush_room(room_id)
        membership = self._subscriptions.of(connection)[room_id]
        return _page_of(snapshot, connection.epoch, membership.joined_seq, limit)

    async def _load_and_cache(self, connection: Connection, room_id: str, limit: int) -> MessagesPage:
        page = await self._rooms.messages(connection.user_id, room_id, PageChoice(limit=RECENT_MESSAGES))
        if page.messages:
            messages = {message.seq: message for message in page.messages}
            snapshot = Snapshot(page.version, page.messages[0].seq, messages)
            await self._redis.call(lambda redis: cache_recent(redis, page.epoch, room_id, snapshot))
        newest = page.messages[-limit:]
        has_more = page.has_more or len(newest) < len(page.messages)
        return MessagesPage(epoch=page.epoch, messages=newest, has_more=has_more, version=page.version)


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
