"""The table of sessions, their source of truth. It holds only the SHA-256 of a session's secret."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from auth.domain.accounts import ActiveSession
from auth.storage.tables import session, user
from shared.contracts.auth import User as UserStruct
from shared.database.engine import Db


class Revoked(msgspec.Struct, frozen=True):
    session_id: str
    secret_hash: bytes


_COLUMNS = (
    session.c.id, session.c.user_id, session.c.created_at, session.c.last_seen_at, session.c.expires_at,
    session.c.user_agent, session.c.address,
)  # fmt: skip


def _stored(row: Row[*tuple[Any, ...]]) -> ActiveSession:
    return ActiveSession(*row)


async def insert_session(db: Db, new: ActiveSession, secret_hash: bytes) -> None:
    await db.execute(
        insert(session).values(
            id=new.session_id,
            user_id=new.user_id,
            secret_hash=secret_hash,
            created_at=new.created_at,
            last_seen_at=new.last_seen_at,
            expires_at=new.expires_at,
            user_agent=new.user_agent,
            address=new.address,
        )
    )


async def find_session(db: Db, secret_hash: bytes, now: int) -> ActiveSession | None:
    statement = select(*_COLUMNS).where(session.c.secret_hash == secret_hash, session.c.expires_at > now)
    row = (await db.execute(statement)).first()
    return None if row is None else _stored(row)


async def touch_session(db: Db, seen: ActiveSession, now: int, expires_at: int) -> None:
    """Record that the session was used. Of several concurrent calls one writes."""
    unseen = update(session).where(session.c.id == seen.session_id, session.c.last_seen_at == seen.last_seen_at)
    await db.execute(unseen.values(last_seen_at=now, expires_at=expires_at))


async def list_sessions(db: Db, user_id: str, now: int, limit: int, before: str | None) -> list[ActiveSession]:
    """Return active sessions, the newest first, with ids below `before`."""
    statement = select(*_COLUMNS).where(session.c.user_id == user_id, session.c.expires_at > now)
    if before is not None:
        statement = statement.where(session.c.id < before)
    return [_stored(row) for row in await db.execute(statement.order_by(session.c.id.desc()).limit(limit))]


async def revoke_session(db: Db, user_id: str, session_id: str) -> list[Revoked]:
    return await _revoke(db, (session.c.user_id == user_id) & (session.c.id == session_id))


async def revoke_sessions(db: Db, user_id: str, *, but: str | None = None) -> list[Revoked]:
    """Revoke all sessions of the user except `but`."""
    mine = session.c.user_id == user_id
    return await _revoke(db, mine if but is None else mine & (session.c.id != but))


async def _revoke(db: Db, which: ColumnElement[bool]) -> list[Revoked]:
    rows = await db.execute(select(session.c.id, session.c.secret_hash).where(which).with_for_update())
    revoked = [Revoked(*row) for row in rows]
    if revoked:
        await db.execute(delete(session).where(session.c.id.in_([one.session_id for one in revoked])))
    return revoked


async def users_of_sessions(db: Db, session_ids: Sequence[str], now: int) -> dict[str, UserStruct]:
    """Return the user of each of these sessions that is active."""
    columns = (session.c.id, user.c.id, user.c.email, user.c.webchat_id, user.c.display_name)
    statement = select(*columns).join(user, user.c.id == session.c.user_id)
    rows = await db.execute(statement.where(session.c.id.in_(session_ids), session.c.expires_at > now))
    return {row[0]: UserStruct(user_id=row[1], email=row[2], webchat_id=row[3], display_name=row[4]) for row in rows}


async def purge_sessions(db: Db, now: int) -> int:
    """Delete at most a thousand expired sessions; return how many."""
    expired = list((await db.execute(select(session.c.id).where(session.c.expires_at <= now).limit(1000))).scalars())
    if expired:
        await db.execute(delete(session).where(session.c.id.in_(expired)))
    return len(expired)
