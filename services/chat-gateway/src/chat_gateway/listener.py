"""A connection that receives the messages of sharded channels from one Redis server."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from redis.crc import key_slot

from shared.redis.client import Access, Address, listening_client

Message = dict[str, Any]


class Listener:
    """A connection to one Redis server that subscribes to channels.

    `channels` includes channels whose subscription is not confirmed yet. With `by_slot`, each command names channels of
    one slot only, as a cluster requires. A silent connection is pinged after `ping_seconds`.
    """

    def __init__(self, address: Address, access: Access, *, by_slot: bool, ping_seconds: float) -> None:
        self.address, self._by_slot, self._ping_seconds = address, by_slot, ping_seconds
        self.channels: set[str] = set()
        self._redis = listening_client(address, access)
        self._pubsub: Any = self._redis.pubsub()
        self._writing = asyncio.Lock()
        self._closed = False

    async def connect(self) -> None:
        try:
            await self._pubsub.connect()
        except BaseException:
            await self.aclose()
            raise

    async def subscribe(self, channels: Sequence[str]) -> None:
        self.channels.update(channels)
        async with self._writing:
            if self._closed:  # redis-py would open a new connection, on which nobody listens
                raise ConnectionResetError("the subscription's connection was closed")
            for group in self._groups(channels):
                await self._pubsub.ssubscribe(*group)

    async def unsubscribe(self, channels: Sequence[str]) -> None:
        self.channels.difference_update(channels)
        async with self._writing:
            for group in [] if self._closed else self._groups(channels):
                await self._pubsub.sunsubscribe(*group)

    async def listen(self, handle: Callable[[Message], None]) -> None:
        """Pass every message to `handle`. Raises if the connection is lost or silent, or on an error reply."""
        pinged = False
        while True:
            message = await self._pubsub.get_message(timeout=self._ping_seconds)
            if message is not None:
                pinged = False
                handle(message)
            elif pinged:
                raise TimeoutError("the subscription's connection does not answer")
            else:
                pinged = True
                async with self._writing:
                    await self._pubsub.ping()

    async def aclose(self) -> None:
        """Close the connection after the write in progress, because redis-py reconnects if a write fails."""
        async with self._writing:
            self._closed = True
            await self._pubsub.aclose()
            await self._redis.aclose()

    def _groups(self, channels: Sequence[str]) -> list[list[str]]:
        """Group channels that one command may name: in a cluster, channels of the same slot."""
        if not self._by_slot:
            return [list(channels)]
        groups: dict[int, list[str]] = defaultdict(list)
        for channel in channels:
            groups[key_slot(channel.encode())].append(channel)
        return list(groups.values())
