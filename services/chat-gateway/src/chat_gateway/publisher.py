"""Publishing of messages that may be lost: typing and presence. Messages of one turn of the loop share a round trip."""

import asyncio

from shared.redis.client import AnyRedis

MAX_QUEUED = 2000


class EphemeralPublisher:
    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._queued: list[tuple[str, bytes]] = []
        self._not_empty = asyncio.Event()

    def publish(self, channel: str, message: bytes) -> None:
        """Queue a message, or drop it if the queue is full."""
        if len(self._queued) < MAX_QUEUED:
            self._queued.append((channel, message))
            self._not_empty.set()

    async def run(self) -> None:
        """Wait for messages and publish them."""
        await self._not_empty.wait()
        self._not_empty.clear()
        queued, self._queued = self._queued, []
        pipeline = self._redis.pipeline(transaction=False)
        for channel, message in queued:
            pipeline.execute_command("SPUBLISH", channel, message)
        await pipeline.execute()
