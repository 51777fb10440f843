"""A lease in Redis, with which the replicas of a service share a job.

It saves work and protects nothing: two processes hold it at once if Redis was emptied, or if one of them was paused.
The job must therefore be harmless when it runs twice at the same time.
"""

from pathlib import Path
from secrets import token_hex

from shared.redis.client import AnyRedis, Script

_HOLD = Script(Path(__file__).parent / "hold_lease.lua")


class Lease:
    """One process's claim to a lease. Redis measures the duration, so the clocks of the processes do not matter."""

    def __init__(self, redis: AnyRedis, key: str, *, duration_s: float) -> None:
        self._redis, self._key = redis, key
        self._duration_ms = max(1, round(duration_s * 1000))
        self._holder = token_hex(8)

    async def hold(self) -> bool:
        """Take or renew the lease. Return False if another process has it."""
        return bool(await _HOLD(self._redis, [self._key], self._holder, self._duration_ms))

    async def release(self) -> None:
        """Give the lease up, if this process has it."""
        await _HOLD(self._redis, [self._key], self._holder, 0)
