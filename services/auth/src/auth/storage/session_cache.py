"""A cache of sessions in Redis. An entry is valid for 60 s after the session was read from the table.

A revocation replaces the entry by a tombstone. While the tombstone exists, nothing is cached and the table is asked: a
fill never replaces it (SET NX). A fill that arrives after the tombstone has expired carries a session that was read
before the revocation. The age of an entry counts from that read, so such an entry is already too old to be valid.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from auth.domain.accounts import ActiveSession
from auth.storage.circuit_breaker import CircuitBreaker
from shared.redis.client import AnyRedis

log = logging.getLogger(__name__)

VALID_MS = 60_000
TOMBSTONE_MS = 300_000
"""Longer than an entry is valid, by more than the clocks of two replicas may differ."""
_TOMBSTONE = b"revoked"


class _Entry(msgspec.Struct, array_like=True):
    read_at: int
    session: ActiveSession


_decoder = msgspec.json.Decoder(_Entry)


def _key(secret_hash: bytes) -> str:
    return f"auth:session:{{{secret_hash.hex()}}}"


class SessionCache:
    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    async def find(self, secret_hash: bytes, now: int) -> ActiveSession | None:
        """Return the session as it was read less than a minute ago, or None: then ask the table."""
        raw: Any = await self._breaker.call(lambda redis: redis.get(_key(secret_hash)))
        if raw is None or raw == _TOMBSTONE:
            return None
        try:
            entry = _decoder.decode(raw)
        except msgspec.DecodeError as error:  # written by another version of auth, during a rolling update
            log.info("a cached session cannot be decoded, the table is asked: %r", error)
            return None
        fresh = now - VALID_MS < entry.read_at and now < entry.session.expires_at
        return entry.session if fresh else None

    async def fill(self, secret_hash: bytes, session: ActiveSession, read_at: int) -> None:
        """Cache a session. `read_at` is when the read of the table *began*."""
        value = msgspec.json.encode(_Entry(read_at, session))
        await self._breaker.call(lambda redis: redis.set(_key(secret_hash), value, px=VALID_MS, nx=True))

    async def invalidate(self, secret_hashes: Iterable[bytes]) -> None:
        """Replace the entries by tombstones. Call it after the commit that revoked these sessions."""
        keys = [_key(secret_hash) for secret_hash in secret_hashes]

        async def put_tombstones(redis: AnyRedis) -> None:
            pipeline = redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, _TOMBSTONE, px=TOMBSTONE_MS)
            await pipeline.execute()

        if keys:
            await self._breaker.call_anyway(put_tombstones)
