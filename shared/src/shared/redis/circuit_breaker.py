"""A circuit breaker for Redis, for work that can do without it.

While Redis hangs, only the calls that are in progress when it stops to answer wait for it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import ResponseError

from shared.budgets import REDIS_S
from shared.redis.client import REDIS_DOWN, AnyRedis, check_redis

log = logging.getLogger(__name__)

T = TypeVar("T")
PAUSE_S = 1.0
"""The pause between two probes of a Redis that does not answer."""


class RedisAwayError(ConnectionError):
    """Redis failed a moment ago, so it was not called. One of `REDIS_DOWN`."""


class CircuitBreaker:
    """Calls Redis for at most `REDIS_S`. After a failure it calls nothing until a probe is answered.

    A probe is started by a call at most once in `PAUSE_S`, and no call waits for it.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._is_open = False
        self._probe_at = 0.0
        self._probe: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[AnyRedis], Awaitable[T]]) -> T:
        """Return the result of `work`; raises one of `REDIS_DOWN`, at once while the circuit is open."""
        if self._is_open:
            self._probe_soon()
            raise RedisAwayError("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(REDIS_S):
                return await work(self._redis)
        except ResponseError:
            raise  # an answer
        except REDIS_DOWN as error:
            if not self._is_open:
                log.warning("Redis does not answer: %r", error)
            self._is_open, self._probe_at = True, time.monotonic() + PAUSE_S
            raise

    async def call(self, work: Callable[[AnyRedis], Awaitable[T]]) -> T | None:
        """Return the result of `work`, or None if Redis does not answer."""
        try:
            return await self.run(work)
        except REDIS_DOWN:
            return None

    def _probe_soon(self) -> None:
        if self._probe is None and time.monotonic() >= self._probe_at:
            self._probe = asyncio.create_task(self._check())

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(REDIS_S):
                await check_redis(self._redis)
        except REDIS_DOWN:
            self._probe_at = time.monotonic() + PAUSE_S
        else:
            self._is_open = False
        finally:
            self._probe = None
