"""Rate limits by account, device and address. `RATE_LIMITS=off` lifts them all."""

import hashlib
import ipaddress

from shared.rates import Rate
from shared.redis.buckets import Buckets

SIGN_UP = Rate(burst=60, every_ms=10_000)
AVAILABLE = Rate(burst=60, every_ms=500)
SIGN_IN_FROM_ADDRESS = Rate(burst=100, every_ms=1_000)
SIGN_IN_TO_ACCOUNT = Rate(burst=30, every_ms=10_000)
"""Sign-ins of all known devices of an account, with the right password too. Strangers cannot take from it."""
FAILURES_FROM_ADDRESS = Rate(burst=50, every_ms=20_000)
"""Fifty failures at once, then 180 an hour, whatever accounts are tried. A right password does not count."""
PASSWORD = Rate(burst=10, every_ms=30_000)
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


def by_account(user_id: str | None, login: str) -> str:
    """Return the bucket that all unknown devices share for an account, by whichever name they call it.

    A login without an account has a bucket too, so that limits do not reveal which logins exist.
    """
    return _bucket("login", login) if user_id is None else _bucket("account", user_id)


def by_device(mark: str) -> str:
    """Return the bucket of a device that signed in to the account before."""
    return _bucket("device", mark)


def by_session(user_id: str) -> str:
    """Return the bucket of the signed-in devices of an account, which confirm its password."""
    return _bucket("session", user_id)


class Throttle:
    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets

    async def sign_up(self, address: str) -> None:
        await self._take(f"sign-up:{network_of(address)}", SIGN_UP)

    async def available(self, address: str) -> None:
        await self._take(f"available:{network_of(address)}", AVAILABLE)

    async def unknown_device(self, address: str) -> None:
        """Count an attempt to sign in from a device that did not sign in to the account before."""
        await self._take(f"sign-in:{network_of(address)}", SIGN_IN_FROM_ADDRESS)
        await self._take(_failures(address), FAILURES_FROM_ADDRESS)

    async def known_device(self, user_id: str) -> None:
        """Count a sign-in from a device that signed in to the account before."""
        await self._take(_bucket("sign-in", user_id), SIGN_IN_TO_ACCOUNT)

    async def forgive(self, address: str) -> None:
        """Count the last attempt from this address as no failure."""
        await self._buckets.give_back(_failures(address), FAILURES_FROM_ADDRESS)

    async def password(self, bucket: str) -> None:
        await self._take(bucket, PASSWORD)

    async def forgive_password(self, bucket: str) -> None:
        """Take back a count of `password`, because the password was not checked."""
        await self._buckets.give_back(bucket, PASSWORD)

    async def reset(self, bucket: str) -> None:
        """Forget earlier attempts, because the right password was given."""
        await self._buckets.refill(bucket)

    async def _take(self, name: str, rate: Rate) -> None:
        await self._buckets.count(name, rate, "Too many attempts. Try again later.")


def _bucket(kind: str, name: str) -> str:
    return f"password:{kind}:{hashlib.sha256(name.encode()).hexdigest()}"


def _failures(address: str) -> str:
    return f"sign-in-failures:{network_of(address)}"
