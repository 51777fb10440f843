"""Redis as something that may be away: a failed call is answered None, and Redis is left alone for a second after it.

So an outage costs one request a second its time-out, and nobody an error.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.redis.client import REDIS_DOWN, AnyRedis

log = logging.getLogger(__name__)

T = TypeVar("T")
PAUSE_S = 1.0


class RedisGate:
    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._closed_until = 0.0

    async def ask(self, call: Callable[[AnyRedis], Awaitable[T]]) -> T | None:
        """The answer of `call`; None while Redis is away."""
        if time.monotonic() < self._closed_until:
            return None
        return await self.insist(call)

    async def insist(self, call: Callable[[AnyRedis], Awaitable[T]]) -> T | None:
        """As `ask`, but tries even just after a failure."""
        try:
            return await call(self._redis)
        except REDIS_DOWN as error:
            self._closed_until = time.monotonic() + PAUSE_S
            log.warning("Redis does not answer: %r", error)
            return None
