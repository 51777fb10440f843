"""Users: the revisions of their room lists, their blocks, closed accounts."""

from collections.abc import Collection

from sqlalchemy import bindparam, select, tuple_

from rooms.storage.tables import blocked_pair, closed_user, room_revision
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_upsert

_pair = (blocked_pair.c.user_id, blocked_pair.c.blocked_id)
_blocked = CompiledStatement(
    select(*_pair).where(tuple_(*_pair).in_(bindparam("pairs", expanding=True)), blocked_pair.c.blocked.is_(True))
)
_version = CompiledStatement(
    select(blocked_pair.c.version).where(
        blocked_pair.c.user_id == bindparam("user_id"), blocked_pair.c.blocked_id == bindparam("blocked_id")
    )
)
_closed = CompiledStatement(
    select(closed_user.c.user_id).where(closed_user.c.user_id.in_(bindparam("ids", expanding=True)))
)
_revisions = CompiledStatement(
    select(room_revision.c.user_id, room_revision.c.revision).where(
        room_revision.c.user_id.in_(bindparam("ids", expanding=True))
    )
)


async def find_blocked(db: Db, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs (blocker, blocked user) for which a block exists."""
    return {(row[0], row[1]) for row in await db.fetch(_blocked, {"pairs": list(pairs)})}


async def set_blocked(db: Db, user_id: str, blocked_id: str, version: int, *, blocked: bool) -> bool:
    """Save a block or its removal, and return True, unless this or a newer version is stored."""
    pair = {"user_id": user_id, "blocked_id": blocked_id}
    await run_upsert(db, blocked_pair, [{**pair, "version": 0, "blocked": False}])  # locks the row
    [[stored]] = await db.fetch(_version, pair)
    if stored >= version:
        return False
    await run_upsert(
        db, blocked_pair, [{**pair, "version": version, "blocked": blocked}], replace=("version", "blocked")
    )
    return True


async def find_closed(db: Db, user_ids: Collection[str]) -> set[str]:
    return {row[0] for row in await db.fetch(_closed, {"ids": list(user_ids)})}


async def set_closed(db: Db, user_id: str, at: int) -> None:
    """Mark an account as closed. A concurrent transaction that adds the user to a room commits first, or sees it."""
    await lock_users(db, [user_id])
    await run_upsert(db, closed_user, [{"user_id": user_id, "at": at}])


async def lock_users(db: Db, user_ids: Collection[str]) -> None:
    """Lock the revision rows of users, so that no other transaction adds them to a room or closes their account."""
    await run_upsert(db, room_revision, [{"user_id": user_id, "revision": 0} for user_id in sorted(user_ids)])


async def raise_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Raise the room list revision of each user by one. Return the new revisions."""
    if not user_ids:
        return {}
    rows = [{"user_id": user_id, "revision": 1} for user_id in sorted(user_ids)]
    await run_upsert(db, room_revision, rows, add=("revision",))
    return await find_revisions(db, user_ids)


async def find_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Return the room list revisions. Users without one are omitted."""
    return {row[0]: row[1] for row in await db.fetch(_revisions, {"ids": list(user_ids)})}
