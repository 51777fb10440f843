"""The table of sessions, their source of truth. It holds only the SHA-256 of a session's secret."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Row, bindparam, delete, insert, select, update

from auth.domain.accounts import ActiveSession
from auth.storage.revocations import record_revocations
from auth.storage.tables import session, user
from shared.contracts.auth import RevokedSession
from shared.contracts.auth import User as UserStruct
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db
from shared.ids import now_ms


class Revoked(msgspec.Struct, frozen=True):
    session_id: str
    user_id: str
    secret_hash: bytes


_COLUMNS = (
    session.c.id, session.c.user_id, session.c.created_at, session.c.last_seen_at, session.c.expires_at,
    session.c.user_agent, session.c.address,
)  # fmt: skip
_by_secret = CompiledStatement(
    select(session.c.secret_hash, *_COLUMNS).where(
        session.c.secret_hash.in_(bindparam("hashes", expanding=True)), session.c.expires_at > bindparam("now")
    )
)
_touch = CompiledStatement(
    update(session)
    .where(session.c.id == bindparam("session_id"), session.c.last_seen_at == bindparam("seen_before"))
    .values(last_seen_at=bindparam("seen"), expires_at=bindparam("until"))
)
_users = CompiledStatement(
    select(session.c.id, user.c.id, user.c.email, user.c.webchat_id, user.c.display_name)
    .join(user, user.c.id == session.c.user_id)
    .where(session.c.id.in_(bindparam("ids", expanding=True)), session.c.expires_at > bindparam("now"))
)


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


async def find_sessions(db: Db, secret_hashes: Sequence[bytes], now: int) -> dict[bytes, ActiveSession]:
    """Return the active sessions with these secrets."""
    rows = await db.fetch(_by_secret, {"hashes": list(secret_hashes), "now": now})
    return {bytes(row[0]): ActiveSession(*row[1:]) for row in rows}


async def touch_sessions(db: Db, used: Iterable[tuple[ActiveSession, int]], now: int) -> None:
    """Record that sessions were used, with their new expiries. Of several concurrent calls for a session one writes."""
    rows = [
        {"session_id": one.session_id, "seen_before": one.last_seen_at, "seen": now, "until": expires_at}
        for one, expires_at in sorted(used, key=lambda pair: pair[0].session_id)  # one order: replicas do not deadlock
    ]
    await db.run(_touch, rows)


async def list_sessions(db: Db, user_id: str, now: int, limit: int, before: str | None) -> list[ActiveSession]:
    """Return active sessions, the newest first, with ids below `before`."""
    statement = select(*_COLUMNS).where(session.c.user_id == user_id, session.c.expires_at > now)
    if before is not None:
        statement = statement.where(session.c.id < before)
    return [_stored(row) for row in await db.execute(statement.order_by(session.c.id.desc()).limit(limit))]


async def revoke_session(db: Db, user_id: str, session_id: str, *, replaced: bool = False) -> list[Revoked]:
    return await _revoke(db, (session.c.user_id == user_id) & (session.c.id == session_id), replaced=replaced)


async def revoke_sessions(db: Db, user_id: str, *, but: str | None = None) -> list[Revoked]:
    """Revoke all sessions of the user except `but`."""
    mine = session.c.user_id == user_id
    return await _revoke(db, mine if but is None else mine & (session.c.id != but))


async def _revoke(db: Db, which: ColumnElement[bool], *, replaced: bool = False) -> list[Revoked]:
    columns = session.c.id, session.c.user_id, session.c.secret_hash
    rows = await db.execute(select(*columns).where(which).with_for_update())
    revoked = [Revoked(*row) for row in rows]
    if revoked:
        await db.execute(delete(session).where(session.c.id.in_([one.session_id for one in revoked])))
        sessions = [RevokedSession(one.session_id, one.user_id, replaced) for one in revoked]
        await record_revocations(db, sessions, now_ms())  # after the wait for the lock, so shortly before the commit
    return revoked


async def users_of_sessions(db: Db, session_ids: Sequence[str], now: int) -> dict[str, UserStruct]:
    """Return the user of each of these sessions that is active."""
    rows = await db.fetch(_users, {"ids": list(session_ids), "now": now})
    return {row[0]: UserStruct(user_id=row[1], email=row[2], webchat_id=row[3], display_name=row[4]) for row in rows}


async def purge_sessions(db: Db, now: int) -> int:
    """Delete at most a thousand expired sessions; return how many."""
    expired = list((await db.execute(select(session.c.id).where(session.c.expires_at <= now).limit(1000))).scalars())
    if expired:
        await db.execute(delete(session).where(session.c.id.in_(expired)))
    return len(expired)
