"""The table of revisions of users' friend lists. Every user who follows anyone has a row: following creates it."""

from collections.abc import Collection

from sqlalchemy import bindparam, select, update

from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_upsert
from social.storage.tables import follow, friend_revision

_revisions = CompiledStatement(
    select(friend_revision.c.user_id, friend_revision.c.revision).where(
        friend_revision.c.user_id.in_(bindparam("ids", expanding=True))
    )
)


async def raise_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Raise each revision by one; return the new ones."""
    rows = [{"user_id": user_id, "revision": 1} for user_id in sorted(user_ids)]
    await run_upsert(db, friend_revision, rows, add=["revision"])
    return await get_revisions(db, user_ids)


async def raise_followers(db: Db, user_id: str) -> None:
    """Raise the revision of all followers of the user with one statement."""
    followers = select(follow.c.follower_id).where(follow.c.followee_id == user_id)
    raised = update(friend_revision).where(friend_revision.c.user_id.in_(followers))
    await db.execute(raised.values(revision=friend_revision.c.revision + 1))


async def get_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Return the revisions of these users, 0 without a row."""
    rows = await db.fetch(_revisions, {"ids": list(user_ids)})
    return dict.fromkeys(user_ids, 0) | {row[0]: row[1] for row in rows}


async def follower_revisions(db: Db, user_id: str, limit: int, after: str | None) -> dict[str, int]:
    """Return the revisions of up to `limit` followers with ids above `after`, in the order of the ids."""
    found = select(friend_revision.c.user_id, friend_revision.c.revision)
    found = found.join(follow, follow.c.follower_id == friend_revision.c.user_id).where(follow.c.followee_id == user_id)
    if after is not None:
        found = found.where(follow.c.follower_id > after)
    rows = await db.execute(found.order_by(follow.c.follower_id).limit(limit))
    return dict(rows.all())


async def remove_revision(db: Db, user_id: str) -> None:
    await db.execute(friend_revision.delete().where(friend_revision.c.user_id == user_id))
