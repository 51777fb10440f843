"""A circuit breaker for Redis.

After a failure Redis is not called for a second. No request fails because of Redis; requests that call it at the
beginning of an outage wait for the timeout.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.redis.client import REDIS_DOWN, AnyRedis

log = logging.getLogger(__name__)

T = TypeVar("T")
PAUSE_S = 1.0
TIMEOUT_S = 0.5


class CircuitBreaker:
    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._open_until = 0.0

    async def call(self, work: Callable[[AnyRedis], Awaitable[T]]) -> T | None:
        """Return the result of `work`, or None if Redis failed now or within the last second."""
        if time.monotonic() < self._open_until:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await work(self._redis)
        except REDIS_DOWN as error:
            self._open_until = time.monotonic() + PAUSE_S
            log.warning("Redis does not answer: %r", error)
            return None
