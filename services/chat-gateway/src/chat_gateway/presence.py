"""Presence: which users are online.

Redis has a sorted set per user, connection ID → expiry. The gateway of each connection refreshes its entry. The sets
also count a user's connections over all gateways. Gateways poll the sets of watched users every few seconds, and sooner
when they are notified of a change. A user appears offline to watchers who share no room and no follow with them, and to
watchers whom they blocked.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import msgspec

from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.ephemeral import EphemeralPublisher
from chat_gateway.protocol.frames import PresenceChanged, Status
from chat_gateway.subscriber import Subscriber
from chat_gateway.timings import Timings
from shared.batcher import Batcher
from shared.ids import now_ms
from shared.redis.client import AnyRedis
from shared.roomlog.frames import text_frame
from shared.streams.names import presence_channel, presence_key
from shared.tasks import background
from shared.web.overload import PRESENCE_SHED, Overload

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()

CHANGES_PAUSE_S = 0.05
"""Between two batches of changes, so that many of them share a round trip."""


class Watcher(Protocol):
    """A connection. `watching` maps each watched user to the status that was sent last (True: online)."""

    id: str
    user_id: str
    watching: dict[str, bool]

    def push_droppable(self, data: bytes) -> None: ...


class Presence:
    def __init__(
        self,
        redis: AnyRedis,
        rooms: Rooms,
        social: Social,
        subscriber: Subscriber,
        ephemeral: EphemeralPublisher,
        overload: Overload,
        timings: Timings,
    ) -> None:
        self._redis, self._rooms, self._social = redis, rooms, social
        self._subscriber, self._ephemeral, self._overload = subscriber, ephemeral, overload
        self._timings, self._expiry_ms = timings, round(timings.presence_expiry * 1000)
        self._connections: dict[str, Watcher] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        """User → connections that watch the user."""
        self._visible: dict[str, set[str]] = {}
        """Connection ID → watched users whose status the connection may see."""
        # Bounded by the connections of this gateway and what they watch.
        self._changed = Batcher[str, None](self._update_watched, limit=sys.maxsize)
        self._unregistered = Batcher[tuple[str, str], None](self._remove, limit=sys.maxsize)

    async def register(self, connection: Watcher) -> list[str]:
        """Add a connection. Returns the IDs of all connections of its user, on all gateways, oldest first."""
        key, now = presence_key(connection.user_id), now_ms()
        self._connections[connection.id] = connection
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zremrangebyscore(key, "-inf", now)
        pipeline.zadd(key, {connection.id: now + self._expiry_ms})
        pipeline.pexpire(key, self._expiry_ms)
        pipeline.zrange(key, 0, -1)
        ids = sorted(raw.decode() for raw in (await pipeline.execute())[-1])
        self._notify(connection.user_id)
        return ids

    def unregister(self, connection: Watcher) -> None:
        """Remove a connection. Redis is updated soon."""
        self._unwatch(connection, list(connection.watching))
        if self._connections.pop(connection.id, None) is not None:
            self._unregistered.add((connection.user_id, connection.id), None)

    async def watch(self, connection: Watcher, user_ids: Sequence[str]) -> dict[str, Status]:
        """Replace the users that the connection watches. Returns their status. Raises Unavailable."""
        wanted = dict.fromkeys(user_ids)
        visible = await self._visible_to(connection.user_id, list(wanted))
        online = await self._online(visible)
        if connection.id not in self._connections:
            return {}
        self._unwatch(connection, [user_id for user_id in connection.watching if user_id not in wanted])
        new = [user_id for user_id in wanted if user_id not in connection.watching]
        connection.watching = {user_id: user_id in online for user_id in wanted}
        self._visible[connection.id] = visible
        for user_id in wanted:
            self._watchers.setdefault(user_id, set()).add(connection)
        await self._subscriber.acquire({presence_channel(user_id): self._handler(user_id) for user_id in new})
        return {user_id: "online" if shown else "offline" for user_id, shown in connection.watching.items()}

    async def recheck(self, connections: Iterable[Watcher]) -> None:
        """Determine again whom connections may see, after a change of blocks, follows or rooms."""
        for connection in connections:
            if connection.watching:
                visible = await self._visible_to(connection.user_id, list(connection.watching))
                if connection.id not in self._connections:
                    continue
                self._visible[connection.id] = visible
                await self._update(set(connection.watching))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, work, pause in (
                ("presence refresh", self._refresh, self._timings.presence_refresh),
                ("presence poll", self._poll, self._timings.presence_poll),
                ("presence changes", self._changed.run, CHANGES_PAUSE_S),
                ("presence removals", self._unregistered.run, CHANGES_PAUSE_S),
            ):
                await stack.enter_async_context(background(name, work, pause=pause))
            yield
        await self._unregistered.drain()

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
                shown = user_id in online and user_id in self._visible.get(connection.id, ())
                if connection.watching.get(user_id) != shown:
                    connection.watching[user_id] = shown
                    event = PresenceChanged(user_id=user_id, status="online" if shown else "offline")
                    connection.push_droppable(text_frame(_encoder.encode(event)))

    async def _refresh(self) -> None:
        """Extend the expiry of the connections of this gateway."""
        expiry = now_ms() + self._expiry_ms
        pipeline = self._redis.pipeline(transaction=False)
        for connection in self._connections.values():
            pipeline.zadd(presence_key(connection.user_id), {connection.id: expiry})
            pipeline.pexpire(presence_key(connection.user_id), self._expiry_ms)
        if self._connections:
            await pipeline.execute()

    async def _poll(self) -> None:
        await self._update(set(self._watchers))

    async def _update_watched(self, user_ids: Mapping[str, None]) -> None:
        await self._update(user_ids.keys() & self._watchers.keys())

    async def _remove(self, connections: Mapping[tuple[str, str], None]) -> None:
        """Remove connections, given as (user ID, connection ID), from Redis."""
        pipeline = self._redis.pipeline(transaction=False)
        for user_id, connection_id in connections:
            pipeline.zrem(presence_key(user_id), connection_id)
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

    def _unwatch(self, connection: Watcher, user_ids: list[str]) -> None:
        for user_id in user_ids:
            connection.watching.pop(user_id, None)
            watchers = self._watchers.get(user_id, set())
            watchers.discard(connection)
            if not watchers:
                self._watchers.pop(user_id, None)
        self._subscriber.release(presence_channel(user_id) for user_id in user_ids)
        if not connection.watching:
            self._visible.pop(connection.id, None)
