"""The rates of one person, over all processes of a service, and over those of several services."""

from shared.rates import Rate
from shared.redis.buckets import Buckets
from shared.redis.circuit_breaker import CircuitBreaker

UPLOADS_OF_ONE = Rate(burst=30, every_ms=2_000)
"""Three messages full of attachments at once, and thirty files a minute."""


class PersonRate:
    """Counts what each person does in all processes; while Redis does not answer, in this process."""

    def __init__(self, buckets: Buckets, rate: Rate, *, too_many: str) -> None:
        self._buckets, self._rate, self._too_many = buckets, rate, too_many

    async def count(self, user_id: str) -> None:
        """Count once, also what is refused later. Raises RateLimited if it is too much."""
        await self._buckets.count(user_id, self._rate, self._too_many)

    async def give_back(self, user_id: str) -> None:
        """Take back a count, because nothing was done."""
        await self._buckets.give_back(user_id, self._rate)


def upload_rate(breaker: CircuitBreaker, *, on: bool) -> PersonRate:
    """Return the rate that media counts for uploads over HTTP, and gateways for those over sockets, together.

    A gateway counts before it passes the bytes on, so that media does not receive what is refused.
    """
    too_many = "More uploads than allowed. Try again shortly."
    return PersonRate(Buckets(breaker, "uploads", on=on), UPLOADS_OF_ONE, too_many=too_many)
