"""The sessions of requests: read from the table in batches, and kept for half a second (ADR 37)."""

import asyncio
import time
from collections.abc import Iterable

from auth.domain.accounts import ActiveSession, SessionLifetime
from auth.storage import sessions as stored
from shared.batcher import Batcher
from shared.budgets import SESSION_READ_S
from shared.data_loader import DataLoader
from shared.database.engine import Database
from shared.ids import now_ms

VALID_S = 0.5
"""A session counts for this long after it was read. In other replicas, a revocation takes effect within this time."""
SESSIONS_PER_READ = 500
TOUCH_AFTER_MS = 60_000
MAX_TOUCHES = 100_000


class SessionLoader:
    """Finds active sessions by the hash of their secret.

    Only the table decides. So a revocation takes effect within `VALID_S` in every replica, whatever happens to Redis,
    and at once in the replica that calls `forget`.
    """

    def __init__(self, database: Database, lifetime: SessionLifetime) -> None:
        self._database, self._lifetime = database, lifetime
        self.read_timeout_s = SESSION_READ_S
        self._loader = DataLoader[bytes, ActiveSession](self._load, max_batch=SESSIONS_PER_READ)
        self._known: dict[bytes, tuple[float, ActiveSession]] = {}
        """Sessions and until when they count, in the order in which they were read."""
        self._revocations = 0
        self._used = Batcher[str, ActiveSession](self._touch, limit=MAX_TOUCHES, batch=SESSIONS_PER_READ)

    async def find(self, secret_hash: bytes) -> ActiveSession | None:
        valid_until, session = self._known.get(secret_hash, (0.0, None))
        if session is not None and time.monotonic() < valid_until:
            return session
        return await self._loader.load(secret_hash)

    def forget(self, secret_hashes: Iterable[bytes]) -> None:
        """Let no later request use these sessions. Call it after the commit that revoked them."""
        self._revocations += 1
        for secret_hash in secret_hashes:
            self._known.pop(secret_hash, None)

    async def touch_used(self) -> None:
        """Extend sessions that were used, once there are some. Each is extended at most once a minute."""
        await self._used.run()

    async def _load(self, secret_hashes: list[bytes]) -> dict[bytes, ActiveSession]:
        valid_until, now, revocations = time.monotonic() + VALID_S, now_ms(), self._revocations
        async with asyncio.timeout(self.read_timeout_s):
            found = await self._database.snapshot(lambda db: stored.find_sessions(db, secret_hashes, now))
        for session in found.values():
            if now - session.last_seen_at >= TOUCH_AFTER_MS:
                self._used.add(session.session_id, session)
        if revocations == self._revocations:  # otherwise one of them may have been read before it was revoked
            self._remember(found, valid_until)
        return found

    async def _touch(self, used: dict[str, ActiveSession]) -> None:
        now = now_ms()
        expiries = [(session, self._lifetime.extended(session, now)) for session in used.values()]
        await self._database.transact(lambda db: stored.touch_sessions(db, expiries, now))

    def _remember(self, sessions: dict[bytes, ActiveSession], valid_until: float) -> None:
        now = time.monotonic()
        while self._known and next(iter(self._known.values()))[0] <= now:
            del self._known[next(iter(self._known))]
        for key, session in sessions.items():
            self._known.pop(key, None)
            self._known[key] = valid_until, session
