"""The table of blocks. A pair's row stays after unblocking, so that its version continues."""

from collections.abc import Collection

from sqlalchemy import and_, delete, or_, select

from shared.contracts.social import Profile
from shared.database.engine import Db, run_upsert
from social.storage.follows import Key
from social.storage.people import profile_of, profiles_for
from social.storage.tables import block, person


async def get_block(db: Db, blocker: str, blocked: str) -> tuple[bool, int]:
    """Return whether the block is active, and the pair's version: 0 before the first change."""
    found = select(block.c.standing, block.c.version)
    row = (await db.execute(found.where(block.c.blocker_id == blocker, block.c.blocked_id == blocked))).first()
    return (False, 0) if row is None else (row[0], row[1])


async def put_block(db: Db, blocker: str, blocked: str, *, active: bool, version: int, now: int) -> None:
    row = {"blocker_id": blocker, "blocked_id": blocked, "standing": active, "version": version, "since": now}
    await run_upsert(db, block, [row], replace=("standing", "version", "since"))


async def blockers_between(db: Db, one: str, other: str) -> set[str]:
    """Return those of the two who blocked the other."""
    either = or_(
        and_(block.c.blocker_id == one, block.c.blocked_id == other),
        and_(block.c.blocker_id == other, block.c.blocked_id == one),
    )
    return set((await db.execute(select(block.c.blocker_id).where(either, block.c.standing.is_(True)))).scalars())


async def blocked_by(db: Db, user_id: str, other_ids: Collection[str]) -> set[str]:
    """Return those of the others who blocked the user."""
    found = select(block.c.blocker_id).where(block.c.blocked_id == user_id, block.c.blocker_id.in_(other_ids))
    return set((await db.execute(found.where(block.c.standing.is_(True)))).scalars())


async def list_blocked(db: Db, user_id: str, limit: int, before: Key | None) -> list[tuple[Key, Profile]]:
    """Return the people whom the user blocked, the newest first."""
    found = profiles_for(user_id).add_columns(block.c.since).join(block, block.c.blocked_id == person.c.user_id)
    found = found.where(block.c.blocker_id == user_id, block.c.standing.is_(True))
    if before is not None:
        since, last = before
        found = found.where(or_(block.c.since < since, and_(block.c.since == since, block.c.blocked_id < last)))
    rows = await db.execute(found.order_by(block.c.since.desc(), block.c.blocked_id.desc()).limit(limit))
    return [((row[-1], row[0]), profile_of(row)) for row in rows]


async def remove_blocks_of(db: Db, user_id: str) -> None:
    """Remove the user's blocks in both directions."""
    await db.execute(delete(block).where(or_(block.c.blocker_id == user_id, block.c.blocked_id == user_id)))
