"""Use cases of sessions: beginning, finding by the cookie's secret, listing, revoking."""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from auth.domain.accounts import ActiveSession
from auth.service.dependencies import Dependencies
from auth.storage import sessions as stored
from auth.storage.revocations import purge_revocations
from auth.storage.sessions import Revoked
from shared.database.engine import Db
from shared.errors import NotFound
from shared.ids import new_id, now_ms, rfc3339
from shared.logging.audit import audit
from shared.streams.notifications import SessionsRevoked, publish_notifications
from shared.web.cursors import IdKey, cursor_of, read_cursor
from shared.web.openapi import Page

OVERLAP_MS = 15_000
"""At most this much time passes between the time of a revocation, as written, and its commit, with differing clocks."""
KEPT_MS = 600_000
"""Revocations are kept this long. A gateway that heard nothing from auth for longer checks all of its sessions."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Device:
    """Origin of a sign-in."""

    address: str
    user_agent: str
    cookie: str = field(default="", repr=False)
    """The cookie by which `DeviceCookies` recognises the device."""
    session_secret: str = field(default="", repr=False)
    """The secret of the session that the browser has before it signs in."""


@dataclass(frozen=True)
class NewSession:
    secret: str
    session: ActiveSession


class SessionView(msgspec.Struct, kw_only=True):
    """A signed-in device, as its user sees it."""

    session_id: str
    created_at: str
    last_seen_at: str
    user_agent: str
    address: str
    current: bool


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def begin_session(deps: Dependencies, db: Db, user_id: str, device: Device) -> NewSession:
    """Add a session in the caller's transaction. The secret is in the result only."""
    secret, now = secrets.token_urlsafe(32), now_ms()
    session = ActiveSession(
        session_id=new_id(),
        user_id=user_id,
        created_at=now,
        last_seen_at=now,
        expires_at=deps.session_lifetime.expiry(now, now),
        user_agent=device.user_agent,
        address=device.address,
    )
    await stored.insert_session(db, session, _hash(secret))
    return NewSession(secret, session)


async def find_session(deps: Dependencies, secret: str) -> ActiveSession | None:
    """Return the active session of a cookie."""
    if _SECRET.fullmatch(secret) is None:
        return None
    return await deps.sessions.find(_hash(secret))


async def list_sessions(
    deps: Dependencies, current: ActiveSession, cursor: str | None, limit: int
) -> Page[SessionView]:
    before = None if cursor is None else read_cursor(cursor, IdKey)
    async with deps.database.read() as db:
        found = await stored.list_sessions(db, current.user_id, now_ms(), limit + 1, before)
    items = [_view(session, current) for session in found[:limit]]
    return Page(items, cursor_of(items[-1].session_id) if len(found) > limit else None)


def _view(session: ActiveSession, current: ActiveSession) -> SessionView:
    return SessionView(
        session_id=session.session_id,
        created_at=rfc3339(session.created_at),
        last_seen_at=rfc3339(session.last_seen_at),
        user_agent=session.user_agent,
        address=session.address,
        current=session.session_id == current.session_id,
    )


async def revoke_session(deps: Dependencies, current: ActiveSession, session_id: str) -> None:
    revoke = partial(stored.revoke_session, user_id=current.user_id, session_id=session_id)
    if not await end_sessions(deps, current.user_id, revoke):
        raise NotFound("There is no such session.")
    audit("session-revoke", user_id=current.user_id)


async def revoke_others(deps: Dependencies, current: ActiveSession) -> None:
    revoke = partial(stored.revoke_sessions, user_id=current.user_id, but=current.session_id)
    if count := await end_sessions(deps, current.user_id, revoke):
        audit("session-revoke", user_id=current.user_id, count=count)


async def end_replaced(deps: Dependencies, device: Device, new: ActiveSession) -> None:
    """End the session that the browser had before it signed in, because its cookie is replaced.

    If it was of the same user, its sockets move to the new session: they are closed as those of an expired session, so
    that the client keeps what it has not sent yet.
    """
    old = await find_session(deps, device.session_secret)
    if old is None:
        return
    is_same_user = old.user_id == new.user_id
    revoke = partial(stored.revoke_session, user_id=old.user_id, session_id=old.session_id, replaced=is_same_user)
    if await end_sessions(deps, old.user_id, revoke, notify=not is_same_user):
        audit("session-revoke", user_id=old.user_id, reason="replaced by another sign-in")


async def end_sessions(
    deps: Dependencies, user_id: str, work: Callable[[Db], Awaitable[list[Revoked]]], *, notify: bool = True
) -> int:
    """Commit `work`, then forget the sessions that it revoked. Gateways learn of them soon, with `notify` at once."""
    revoked = await deps.database.transact(work)
    if revoked:
        deps.sessions.forget(one.secret_hash for one in revoked)
    if revoked and notify:
        await _announce(deps, user_id, revoked)
    return len(revoked)


async def _announce(deps: Dependencies, user_id: str, revoked: list[Revoked]) -> None:
    notifications = [(user_id, SessionsRevoked([one.session_id for one in revoked]))]
    # it is committed already, and gateways learn of it without Redis
    await deps.redis.call(lambda redis: publish_notifications(redis, notifications))


async def purge(deps: Dependencies) -> None:
    """Delete the rows of expired sessions, and those of old revocations."""
    removed = 1
    while removed:
        async with deps.database.write() as db:
            removed = await stored.purge_sessions(db, now_ms())
    removed = 1
    while removed:
        async with deps.database.write() as db:
            removed = await purge_revocations(db, now_ms() - 2 * KEPT_MS)
