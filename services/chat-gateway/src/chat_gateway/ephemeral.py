"""Publishing of messages that may be lost: typing and presence. Messages of one turn of the loop share a round trip."""

from itertools import count

from shared.batcher import Batcher
from shared.redis.client import AnyRedis

MAX_QUEUED = 2000


class EphemeralPublisher:
    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._numbers = count()
        self._queue = Batcher[int, tuple[str, bytes]](self._publish, limit=MAX_QUEUED, requeue=False)
        self.run = self._queue.run

    def publish(self, channel: str, message: bytes) -> None:
        """Queue a message, or drop it if the queue is full."""
        self._queue.add(next(self._numbers), (channel, message))

    async def _publish(self, messages: dict[int, tuple[str, bytes]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for channel, message in messages.values():
            pipeline.execute_command("SPUBLISH", channel, message)
        await pipeline.execute()
