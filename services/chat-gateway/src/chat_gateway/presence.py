"""Presence: which users are online.

Redis has a sorted set per user, connection → expiry. The gateway of each connection refreshes its entry. The sets also
count a user's connections over all gateways. Gateways poll the sets of watched users every few seconds, and sooner
when they are notified of a change. A user appears offline to watchers who share no room and no follow with them, and to
watchers whom they blocked.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.encoding import encode
from chat_gateway.protocol.frames import PresenceChanged, Status
from chat_gateway.socket_limit import presence_entry
from chat_gateway.subscriber import Subscriber
from chat_gateway.timings import Timings
from shared.batcher import Batcher
from shared.errors import Unavailable
from shared.ids import now_ms
from shared.redis.client import AnyRedis
from shared.redis.loader import RedisLoader
from shared.streams.names import presence_channel, presence_key
from shared.tasks import background
from shared.web.overload import PRESENCE_SHED, Overload

log = logging.getLogger(__name__)

REGISTRATIONS_PER_CALL = 200
RECHECKS_AT_ONCE = 20
RECHECK_PAUSE_S = 1.0
CHANGES_PAUSE_S = 0.05
"""Between two batches of changes, so that many of them share a round trip."""


class Watch(msgspec.Struct):
    """The users that a connection watches.

    `shown` maps each watched user to the status that was sent last (True: online). `visible` are the watched users
    whose status the connection may see.
    """

    shown: dict[str, bool]
    visible: set[str]


class Presence:
    def __init__(
        self,
        redis: AnyRedis,
        gateway_id: str,
        rooms: Rooms,
        social: Social,
        subscriber: Subscriber,
        ephemeral: EphemeralPublisher,
        overload: Overload,
        timings: Timings,
    ) -> None:
        self._redis, self._gateway_id, self._rooms, self._social = redis, gateway_id, rooms, social
        self._subscriber, self._ephemeral, self._overload = subscriber, ephemeral, overload
        self._timings, self._expiry_ms = timings, round(timings.presence_expiry * 1000)
        self._connections: set[Connection] = set()
        self._watches: dict[Connection, Watch] = {}
        """Connections that watch somebody."""
        self._watchers: dict[str, set[Connection]] = {}
        """User → connections that watch the user."""
        # Bounded by the connections of this gateway and what they watch.
        self._changed = Batcher[str, None](self._update_watched, limit=sys.maxsize)
        self._unregistered = Batcher[tuple[str, str], None](self._remove, limit=sys.maxsize)
        self._rechecks = Batcher[Connection, None](self._recheck_all, limit=sys.maxsize, batch=RECHECKS_AT_ONCE)
        self._registrations: RedisLoader[Connection, int] = RedisLoader(
            redis, lambda connection: presence_key(connection.user_id), self._add, max_batch=REGISTRATIONS_PER_CALL
        )

    async def register(self, connection: Connection) -> int:
        """Add a connection. Returns the number of connections that its user has on all gateways."""
        self._connections.add(connection)
        count = await self._registrations.load(connection)
        self._notify(connection.user_id)
        return count or 0

    def unregister(self, connection: Connection) -> None:
        """Remove a connection. Redis is updated soon."""
        self._unwatch(connection, list(self.watched_by(connection)))
        if connection in self._connections:
            self._connections.remove(connection)
            self._unregistered.add((connection.user_id, connection.id), None)

    async def watch(self, connection: Connection, user_ids: Sequence[str]) -> dict[str, Status]:
        """Replace the users that the connection watches. Returns their status. Raises Unavailable."""
        wanted = dict.fromkeys(user_ids)
        visible = await self._visible_to(connection.user_id, list(wanted))
        online = await self._online(visible)
        if connection not in self._connections:
            return {}
        watched = self.watched_by(connection)
        new = [user_id for user_id in wanted if user_id not in watched]
        self._unwatch(connection, [user_id for user_id in watched if user_id not in wanted])
        if wanted:
            self._watches[connection] = Watch({user_id: user_id in online for user_id in wanted}, visible)
        for user_id in wanted:
            self._watchers.setdefault(user_id, set()).add(connection)
        await self._subscriber.acquire({presence_channel(user_id): self._handler(user_id) for user_id in new})
        watched = self.watched_by(connection)
        return {user_id: "online" if is_online else "offline" for user_id, is_online in watched.items()}

    def watched_by(self, connection: Connection) -> Mapping[str, bool]:
        """Return the users that the connection watches, with the status that was sent last (True: online)."""
        watch = self._watches.get(connection)
        return {} if watch is None else watch.shown

    def recheck(self, connections: Iterable[Connection]) -> None:
        """Determine soon again whom connections may see, after a change of blocks, follows or rooms."""
        for connection in connections:
            if self.watched_by(connection):
                self._rechecks.add(connection, None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, work, pause in (
                ("presence refresh", self._refresh, self._timings.presence_refresh),
                ("presence poll", self._poll, self._timings.presence_poll),
                ("presence changes", self._changed.run, CHANGES_PAUSE_S),
                ("presence checks", self._rechecks.run, CHANGES_PAUSE_S),
                ("presence removals", self._unregistered.run, CHANGES_PAUSE_S),
            ):
                await stack.enter_async_context(background(name, work, pause=pause))
            yield
        await self._registrations.drain()
        await self._unregistered.drain()

    async def _recheck_all(self, connections: Iterable[Connection]) -> None:
        await asyncio.gather(*map(self._recheck, connections))

    async def _recheck(self, connection: Connection) -> None:
        """Check one connection, again later if a service is unavailable for its user."""
        watched = list(self.watched_by(connection))
        try:
            visible = await self._visible_to(connection.user_id, watched)
        except Unavailable:
            asyncio.get_running_loop().call_later(RECHECK_PAUSE_S, self.recheck, [connection])
            return
        if (watch := self._watches.get(connection)) is not None:
            watch.visible = visible
            await self._update(set(watch.shown))

    async def _visible_to(self, user_id: str, other_ids: list[str]) -> set[str]:
        if not other_ids:
            return set()
        pairs, shared = await asyncio.gather(
            self._social.pairs(user_id, other_ids), self._rooms.shared_with(user_id, other_ids)
        )
        return {*pairs.followed, *shared.user_ids, user_id} - set(pairs.blocked_by)

    async def _online(self, user_ids: Iterable[str]) -> set[str]:
        users, now = list(user_ids), now_ms()
        pipeline = self._redis.pipeline(transaction=False)
        for user_id in users:
            pipeline.zcount(presence_key(user_id), now, "+inf")
        counts = await pipeline.execute() if users else []
        return {user_id for user_id, count in zip(users, counts, strict=True) if count}

    async def _update(self, user_ids: set[str]) -> None:
        """Send changed statuses of these users to their watchers. Under load a later poll sends them."""
        if not user_ids or self._overload.sheds_ephemeral(PRESENCE_SHED):
            return
        online = await self._online(user_ids)
        for user_id in user_ids:
            for connection in list(self._watchers.get(user_id, ())):
                watch = self._watches[connection]
                shown = user_id in online and user_id in watch.visible
                if watch.shown[user_id] != shown:
                    watch.shown[user_id] = shown
                    event = PresenceChanged(user_id=user_id, status="online" if shown else "offline")
                    connection.push_droppable(encode(event))

    async def _refresh(self) -> None:
        """Extend the expiry of the connections of this gateway."""
        expiry = now_ms() + self._expiry_ms
        pipeline = self._redis.pipeline(transaction=False)
        for connection in self._connections:
            pipeline.zadd(presence_key(connection.user_id), {presence_entry(connection.id, self._gateway_id): expiry})
            pipeline.pexpire(presence_key(connection.user_id), self._expiry_ms)
        if self._connections:
            await pipeline.execute()

    async def _poll(self) -> None:
        await self._update(set(self._watchers))

    async def _update_watched(self, user_ids: Mapping[str, None]) -> None:
        await self._update(user_ids.keys() & self._watchers.keys())

    async def _add(self, connections: Sequence[Connection]) -> dict[Connection, int]:
        """Add connections to Redis. Returns the count of each user. Those that ended meanwhile are removed again."""
        present = [connection for connection in connections if connection in self._connections]
        now, pipeline = now_ms(), self._redis.pipeline(transaction=False)
        for connection in present:
            key = presence_key(connection.user_id)
            pipeline.zremrangebyscore(key, "-inf", now)
            pipeline.zadd(key, {presence_entry(connection.id, self._gateway_id): now + self._expiry_ms})
            pipeline.pexpire(key, self._expiry_ms)
            pipeline.zcard(key)
        counts = dict(zip(present, (await pipeline.execute())[3::4], strict=True))
        for connection in present:
            if connection not in self._connections:
                self._unregistered.add((connection.user_id, connection.id), None)
        return counts

    async def _remove(self, connections: Mapping[tuple[str, str], None]) -> None:
        """Remove connections, given as (user ID, connection ID), from Redis."""
        pipeline = self._redis.pipeline(transaction=False)
        for user_id, connection_id in connections:
            pipeline.zrem(presence_key(user_id), presence_entry(connection_id, self._gateway_id))
        await pipeline.execute()
        for user_id, _ in connections:
            self._notify(user_id)

    def _notify(self, user_id: str) -> None:
        """Notify all gateways that the status of a user may have changed."""
        self._ephemeral.publish(presence_channel(user_id), b"")

    def _handler(self, user_id: str) -> Callable[[bytes], None]:
        def handle(_: bytes) -> None:
            self._changed.add(user_id, None)

        return handle

    def _unwatch(self, connection: Connection, user_ids: list[str]) -> None:
        for user_id in user_ids:
            del self._watches[connection].shown[user_id]
            self._watchers[user_id].remove(connection)
            if not self._watchers[user_id]:
                del self._watchers[user_id]
        self._subscriber.release(presence_channel(user_id) for user_id in user_ids)
        if not self.watched_by(connection):
            self._watches.pop(connection, None)
