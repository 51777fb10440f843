"""Who is online: a sorted set per user in Redis, connection id → expiry, refreshed by the gateway of the socket.

It also counts a user's sockets over all gateways. Watchers read the sets every few seconds; publishes are hints. Who
shares no room and no follow with the watcher, or blocked it, is shown as offline.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import msgspec

from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from chat_gateway.protocol.frames import PresenceChanged, Status
from chat_gateway.publisher import EphemeralPublisher
from chat_gateway.settings import Timings
from chat_gateway.subscriber import Subscriber
from shared.ids import now_ms
from shared.redis.client import AnyRedis
from shared.roomlog.frames import text_frame
from shared.streams.names import presence_channel, presence_key
from shared.tasks import background
from shared.web.overload import PRESENCE_SHED, Overload

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


class Watcher(Protocol):
    """A connection; `watching` holds the status that each watched user was last shown with (True: online)."""

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
        self._here: dict[str, Watcher] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        self._visible: dict[str, set[str]] = {}
        self._hinted: set[str] = set()
        self._hint = asyncio.Event()
        self._left: list[tuple[str, str]] = []

    async def arrive(self, client: Watcher) -> list[str]:
        """Count a connection; returns the connection ids of its user over all gateways, oldest first."""
        key, now = presence_key(client.user_id), now_ms()
        self._here[client.id] = client
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zremrangebyscore(key, "-inf", now)
        pipeline.zadd(key, {client.id: now + self._expiry_ms})
        pipeline.pexpire(key, self._expiry_ms)
        pipeline.zrange(key, 0, -1)
        ids = sorted(raw.decode() for raw in (await pipeline.execute())[-1])
        self._tell(client.user_id)
        return ids

    def depart(self, client: Watcher) -> None:
        self._unwatch(client, list(client.watching))
        if self._here.pop(client.id, None) is not None:
            self._left.append((client.user_id, client.id))
            self._hint.set()

    async def watch(self, client: Watcher, user_ids: Sequence[str]) -> dict[str, Status]:
        """Replace what the connection watches; returns the status of each. Raises Unavailable."""
        wanted = dict.fromkeys(user_ids)
        visible = await self._visible_to(client.user_id, list(wanted))
        online = await self._online(visible)
        if client.id not in self._here:
            return {}
        self._unwatch(client, [user_id for user_id in client.watching if user_id not in wanted])
        new = [user_id for user_id in wanted if user_id not in client.watching]
        client.watching = {user_id: user_id in online for user_id in wanted}
        self._visible[client.id] = visible
        for user_id in wanted:
            self._watchers.setdefault(user_id, set()).add(client)
        await self._subscriber.acquire({presence_channel(user_id): self._handler(user_id) for user_id in new})
        return {user_id: "online" if shown else "offline" for user_id, shown in client.watching.items()}

    async def recheck(self, clients: Iterable[Watcher]) -> None:
        """Whom these connections may see has changed, perhaps: a block, a follow, a room."""
        for client in clients:
            if client.watching:
                visible = await self._visible_to(client.user_id, list(client.watching))
                if client.id not in self._here:
                    continue
                self._visible[client.id] = visible
                await self._show(set(client.watching))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for name, work, pause in (
                ("presence refresh", self._refresh, self._timings.presence_refresh),
                ("presence look", self._look, self._timings.presence_look),
                ("presence hints", self._follow_hints, 0.05),
            ):
                await stack.enter_async_context(background(name, work, pause=pause))
            yield
        await self._forget_departed()

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

    async def _show(self, user_ids: set[str]) -> None:
        """Tell the watchers of these users of what is no longer as they were shown; under load a later look does."""
        if not user_ids or self._overload.sheds_ephemeral(PRESENCE_SHED):
            return
        online = await self._online(user_ids)
        for user_id in user_ids:
            for client in list(self._watchers.get(user_id, ())):
                shown = user_id in online and user_id in self._visible.get(client.id, ())
                if client.watching.get(user_id) != shown:
                    client.watching[user_id] = shown
                    event = PresenceChanged(user_id=user_id, status="online" if shown else "offline")
                    client.push_droppable(text_frame(_encoder.encode(event)))

    async def _refresh(self) -> None:
        expiry = now_ms() + self._expiry_ms
        pipeline = self._redis.pipeline(transaction=False)
        for client in self._here.values():
            pipeline.zadd(presence_key(client.user_id), {client.id: expiry})
            pipeline.pexpire(presence_key(client.user_id), self._expiry_ms)
        if self._here:
            await pipeline.execute()

    async def _look(self) -> None:
        await self._show(set(self._watchers))

    async def _follow_hints(self) -> None:
        await self._hint.wait()
        self._hint.clear()
        await self._forget_departed()
        hinted, self._hinted = self._hinted, set()
        await self._show(hinted & self._watchers.keys())

    async def _forget_departed(self) -> None:
        left, self._left = self._left, []
        pipeline = self._redis.pipeline(transaction=False)
        for user_id, client_id in left:
            pipeline.zrem(presence_key(user_id), client_id)
        if left:
            await pipeline.execute()
        for user_id, _ in left:
            self._tell(user_id)

    def _tell(self, user_id: str) -> None:
        self._ephemeral.publish(presence_channel(user_id), b"")

    def _handler(self, user_id: str) -> Callable[[bytes], None]:
        def handle(_: bytes) -> None:
            self._hinted.add(user_id)
            self._hint.set()

        return handle

    def _unwatch(self, client: Watcher, user_ids: list[str]) -> None:
        for user_id in user_ids:
            client.watching.pop(user_id, None)
            watchers = self._watchers.get(user_id, set())
            watchers.discard(client)
            if not watchers:
                self._watchers.pop(user_id, None)
        self._subscriber.release(presence_channel(user_id) for user_id in user_ids)
        if not client.watching:
            self._visible.pop(client.id, None)
