"""The table of revoked sessions, which the transaction that revokes a session writes too."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import bindparam, delete, select

from auth.storage.tables import revocation
from shared.contracts.auth import RevokedSession
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert

_since = CompiledStatement(
    select(revocation.c.session_id, revocation.c.user_id, revocation.c.replaced)
    .where(revocation.c.revoked_at >= bindparam("since"))
    .order_by(revocation.c.revoked_at.desc())
    .limit(bindparam("limit"))
)


async def record_revocations(db: Db, revoked: Iterable[RevokedSession], now: int) -> None:
    await run_insert(db, revocation, [msgspec.structs.asdict(one) | {"revoked_at": now} for one in revoked])


async def list_revocations(db: Db, since: int, limit: int) -> list[RevokedSession]:
    """Return the sessions that were revoked at `since` or later, the last ones first."""
    return [RevokedSession(*row) for row in await db.fetch(_since, {"since": since, "limit": limit})]


async def purge_revocations(db: Db, before: int) -> int:
    """Delete at most a thousand revocations from before this time; return how many."""
    old = list(
        (
            await db.execute(select(revocation.c.session_id).where(revocation.c.revoked_at < before).limit(1000))
        ).scalars()
    )
    if old:
        await db.execute(delete(revocation).where(revocation.c.session_id.in_(old)))
    return len(old)
