"""Sessions in Redis, for at most 60 s after they were read from the table. Redis away or empty: read the table.

A revocation puts a tombstone in the entry's place. While it lies there nothing is cached and the table is asked; a fill
never replaces it (SET NX). A fill that comes after the tombstone was read from the table before it, and an entry counts
from the moment it was *read*: it is too old to be believed.
"""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from auth.domain.accounts import StandingSession
from auth.storage.redis_gate import RedisGate
from shared.redis.client import AnyRedis

log = logging.getLogger(__name__)

BELIEVED_MS = 60_000
TOMBSTONE_MS = 300_000
"""Longer than an entry is believed by as much as the clocks of two replicas may differ."""
_TOMBSTONE = b"revoked"


class _Entry(msgspec.Struct, array_like=True):
    read_at: int
    session: StandingSession


_decoder = msgspec.json.Decoder(_Entry)


def _key(secret_hash: bytes) -> str:
    return f"auth:session:{{{secret_hash.hex()}}}"


class SessionCache:
    def __init__(self, gate: RedisGate) -> None:
        self._gate = gate

    async def find(self, secret_hash: bytes, now: int) -> StandingSession | None:
        """The session as it was read less than a minute ago; None: ask the table."""
        raw: Any = await self._gate.ask(lambda redis: redis.get(_key(secret_hash)))
        if raw is None or raw == _TOMBSTONE:
            return None
        try:
            entry = _decoder.decode(raw)
        except msgspec.DecodeError as error:  # another version of auth wrote it: both run while one replaces the other
            log.info("a kept session is not read: %r", error)
            return None
        fresh = now - BELIEVED_MS < entry.read_at and now < entry.session.expires_at
        return entry.session if fresh else None

    async def fill(self, secret_hash: bytes, session: StandingSession, read_at: int) -> None:
        """`read_at`: when the reading of the table *began*."""
        value = msgspec.json.encode(_Entry(read_at, session))
        await self._gate.ask(lambda redis: redis.set(_key(secret_hash), value, px=BELIEVED_MS, nx=True))

    async def bury(self, secret_hashes: Iterable[bytes]) -> None:
        """Call after the commit that revoked these sessions."""
        keys = [_key(secret_hash) for secret_hash in secret_hashes]

        async def bury(redis: AnyRedis) -> None:
            pipeline = redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, _TOMBSTONE, px=TOMBSTONE_MS)
            await pipeline.execute()

        if keys:
            await self._gate.insist(bury)
