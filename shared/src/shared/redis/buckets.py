"""Token buckets in Redis, shared by all replicas. While Redis is unavailable, each process has its own."""

import math
from collections import OrderedDict
from pathlib import Path

from shared.errors import RateLimited
from shared.ids import now_ms
from shared.rates import Rate, give_back, take
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis, Script

_TAKE = Script(Path(__file__).parent / "take_token.lua")
_GIVE = Script(Path(__file__).parent / "give_token.lua")
MAX_LOCAL = 50_000


class Buckets:
    """The buckets of one service, by name. Without `on`, nothing is limited."""

    def __init__(self, breaker: CircuitBreaker, service: str, *, on: bool) -> None:
        self._breaker, self._service, self._on = breaker, service, on
        self._local: OrderedDict[str, int] = OrderedDict()

    async def count(self, name: str, rate: Rate, too_many: str) -> None:
        """Take a token. Raises RateLimited with the text `too_many` if the bucket is empty."""
        if self._on and (wait := await self.take(name, rate)):
            raise RateLimited(too_many, retry_after=math.ceil(wait / 1000))

    async def take(self, name: str, rate: Rate) -> int:
        """Take a token and return 0; if the bucket is empty, return how many milliseconds to wait for one."""

        async def run(redis: AnyRedis) -> int:
            return int(await _TAKE(redis, [self._key(name)], rate.burst, rate.every_ms))

        wait = await self._breaker.call(run)
        return self._take_local(name, rate) if wait is None else wait

    async def give_back(self, name: str, rate: Rate) -> None:
        """Give back a token that was taken."""
        if not self._on:
            return
        if name in self._local:
            self._local[name] = give_back(self._local[name], rate)

        async def run(redis: AnyRedis) -> int:
            return int(await _GIVE(redis, [self._key(name)], rate.every_ms))

        await self._breaker.call(run)

    async def refill(self, name: str) -> None:
        if not self._on:
            return
        self._local.pop(name, None)
        await self._breaker.call(lambda redis: redis.delete(self._key(name)))

    def _take_local(self, name: str, rate: Rate) -> int:
        full_at, wait = take(self._local.pop(name, 0), now_ms(), rate)
        self._local[name] = full_at
        if len(self._local) > MAX_LOCAL:
            self._local.popitem(last=False)
        return wait

    def _key(self, name: str) -> str:
        return f"{self._service}:bucket:{{{name}}}"
