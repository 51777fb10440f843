"""Token buckets in Redis, shared by all replicas; in this process alone while Redis is away."""

from collections import OrderedDict
from pathlib import Path

from auth.domain.bucket import Rate, take
from auth.storage.redis_gate import RedisGate
from shared.ids import now_ms
from shared.redis.client import AnyRedis, Script

_TAKE = Script(Path(__file__).parent / "take_token.lua")
MAX_OWN = 50_000


class Buckets:
    def __init__(self, gate: RedisGate) -> None:
        self._gate = gate
        self._own: OrderedDict[str, int] = OrderedDict()

    async def take(self, name: str, rate: Rate) -> int:
        """0 where a token was left in the bucket, else how many milliseconds to wait for one."""

        async def run(redis: AnyRedis) -> int:
            return int(await _TAKE(redis, [_key(name)], rate.burst, rate.every_ms))

        wait = await self._gate.ask(run)
        return self._take_own(name, rate) if wait is None else wait

    async def refill(self, name: str) -> None:
        self._own.pop(name, None)
        await self._gate.ask(lambda redis: redis.delete(_key(name)))

    def _take_own(self, name: str, rate: Rate) -> int:
        full_at, wait = take(self._own.pop(name, 0), now_ms(), rate)
        self._own[name] = full_at
        if len(self._own) > MAX_OWN:
            self._own.popitem(last=False)
        return wait


def _key(name: str) -> str:
    return f"auth:bucket:{{{name}}}"
