"""What may be lost on its way to other gateways: typing and presence, published together once a turn of the loop."""

import asyncio

from shared.redis.client import AnyRedis

WAITING_AT_MOST = 2000


class EphemeralPublisher:
    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._waiting: list[tuple[str, bytes]] = []
        self._filled = asyncio.Event()

    def publish(self, channel: str, message: bytes) -> None:
        """Publish soon; dropped when too much waits already."""
        if len(self._waiting) < WAITING_AT_MOST:
            self._waiting.append((channel, message))
            self._filled.set()

    async def run(self) -> None:
        await self._filled.wait()
        self._filled.clear()
        waiting, self._waiting = self._waiting, []
        pipeline = self._redis.pipeline(transaction=False)
        for channel, message in waiting:
            pipeline.execute_command("SPUBLISH", channel, message)
        await pipeline.execute()
