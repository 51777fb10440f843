"""The rate of uploads of one person. media counts uploads over HTTP, and gateways those over sockets, together."""

import math

from shared.errors import RateLimited
from shared.rates import Rate
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker

UPLOADS_OF_ONE = Rate(burst=30, every_ms=2_000)
"""Three messages full of attachments at once, and thirty files a minute."""


class UploadRate:
    """Counts the uploads of each person over all processes; while Redis does not answer, those of this process.

    A gateway counts before it passes the bytes on, so that media does not receive what is refused.
    """

    def __init__(self, breaker: CircuitBreaker, *, on: bool) -> None:
        self._buckets, self._on = Buckets(breaker, "uploads"), on

    async def count(self, user_id: str) -> None:
        """Count an upload, also one that is refused later. Raises RateLimited if there are too many."""
        if self._on and (wait := await self._buckets.take(user_id, UPLOADS_OF_ONE)):
            raise RateLimited("More uploads than allowed. Try again shortly.", retry_after=math.ceil(wait / 1000))
