"""Rate limits by account and by address. `RATE_LIMITS=off` lifts them all."""

import hashlib
import ipaddress
import math

from shared.errors import RateLimited
from shared.rates import Rate
from shared.redis.buckets import Buckets

SIGN_UP = Rate(burst=60, every_ms=10_000)
AVAILABLE = Rate(burst=60, every_ms=500)
SIGN_IN_FROM_ADDRESS = Rate(burst=100, every_ms=1_000)
PASSWORD_OF_ACCOUNT = Rate(burst=10, every_ms=30_000)
"""Ten guesses at once, then 120 an hour. A right password refills the bucket."""


def network_of(address: str) -> str:
    """Return what one household or server is likely to have: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)


class Throttle:
    def __init__(self, buckets: Buckets, *, on: bool) -> None:
        self._buckets, self._on = buckets, on

    async def sign_up(self, address: str) -> None:
        await self._take(f"sign-up:{network_of(address)}", SIGN_UP)

    async def available(self, address: str) -> None:
        await self._take(f"available:{network_of(address)}", AVAILABLE)

    async def sign_in(self, login: str, address: str) -> None:
        """Count by the typed login: one bucket for both names of an account would reveal that they belong together."""
        await self._take(f"sign-in:{network_of(address)}", SIGN_IN_FROM_ADDRESS)
        await self.password(login)

    async def password(self, account: str) -> None:
        await self._take(_account(account), PASSWORD_OF_ACCOUNT)

    async def reset(self, account: str) -> None:
        """Forget earlier attempts, because the right password was given."""
        if self._on:
            await self._buckets.refill(_account(account))

    async def _take(self, name: str, rate: Rate) -> None:
        if self._on and (wait := await self._buckets.take(name, rate)):
            raise RateLimited("Too many attempts. Try again later.", retry_after=math.ceil(wait / 1000))


def _account(account: str) -> str:
    return f"password:{hashlib.sha256(account.encode()).hexdigest()}"
