"""The limit of sockets per user over all gateways.

Each gateway renews a lease in Redis. A user with too many sockets is counted again after the time of a lease, so that
the sockets of a gateway that died no longer count. Thus no living socket is closed because of a dead one.
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from chat_gateway.timings import Timings
from shared.batcher import Batcher
from shared.ids import now_ms
from shared.redis.client import REDIS_DOWN, AnyRedis
from shared.streams.names import gateway_lease, presence_key
from shared.streams.notifications import ConnectionsEvicted, publish_notifications
from shared.tasks import background

USERS_PER_ROUND = 100


def presence_entry(connection_id: str, gateway_id: str) -> str:
    """Return the member that represents a connection in the set of its user. Members sort by age."""
    return f"{connection_id}@{gateway_id}"


class SocketLimit:
    """Closes the oldest sockets of users who have more than `limit`."""

    def __init__(self, redis: AnyRedis, gateway_id: str, *, limit: int, timings: Timings) -> None:
        self._redis, self._gateway_id, self._limit, self._timings = redis, gateway_id, limit, timings
        self._exceeded = Batcher[str, None](self._count_again, limit=sys.maxsize, batch=USERS_PER_ROUND)
        """Users with too many entries. Bounded by the users of this gateway."""

    def exceeded(self, user_id: str) -> None:
        """Count the user's sockets again after the time of a lease."""
        self._exceeded.add(user_id, None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        renewal = self._timings.gateway_lease / 4
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(background("gateway lease", self._renew, pause=renewal, longest=renewal))
            await stack.enter_async_context(background("socket limit", self._exceeded.run, pause=0))
            yield
        try:
            await self._redis.delete(gateway_lease(self._gateway_id))
        except REDIS_DOWN:
            return  # the lease expires

    async def _renew(self) -> None:
        lease_ms = round(self._timings.gateway_lease * 1000)
        await self._redis.set(gateway_lease(self._gateway_id), "", px=lease_ms)

    async def _count_again(self, users: Mapping[str, None]) -> None:
        await asyncio.sleep(self._timings.gateway_lease)
        entries = await self._entries(users)
        living = await self._living({gateway for pairs in entries.values() for _, gateway in pairs})
        evicted = []
        dead = self._redis.pipeline(transaction=False)
        for user_id, pairs in entries.items():
            alive = [connection_id for connection_id, gateway in pairs if gateway in living]
            if gone := [presence_entry(*pair) for pair in pairs if pair[1] not in living]:
                dead.zrem(presence_key(user_id), *gone)
            if oldest := alive[: -self._limit]:
                evicted.append((user_id, ConnectionsEvicted(oldest)))
        await dead.execute()
        await publish_notifications(self._redis, evicted)

    async def _entries(self, users: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the entries of each user as (connection ID, gateway ID), oldest first."""
        pipeline, now = self._redis.pipeline(transaction=False), now_ms()
        for user_id in users:
            pipeline.zrangebyscore(presence_key(user_id), now, "+inf")
        entries: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for user_id, members in zip(users, await pipeline.execute(), strict=True):
            for member in sorted(member.decode() for member in members):
                connection_id, _, gateway_id = member.partition("@")
                entries[user_id].append((connection_id, gateway_id))
        return entries

    async def _living(self, gateway_ids: set[str]) -> set[str]:
        others = list(gateway_ids - {self._gateway_id})
        pipeline = self._redis.pipeline(transaction=False)
        for gateway_id in others:
            pipeline.exists(gateway_lease(gateway_id))
        exist = await pipeline.execute() if others else []
        return {gateway_id for gateway_id, lease in zip(others, exist, strict=True) if lease} | {self._gateway_id}
