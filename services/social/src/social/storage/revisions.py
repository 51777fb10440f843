"""Revisions of what users see of their friends. Whoever follows anyone has one: following raised it."""

from collections.abc import Collection

from sqlalchemy import select, update

from shared.database.engine import Db, run_upsert
from social.storage.tables import follow, friend_revision


async def raise_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Raise each by one; the new ones."""
    rows = [{"user_id": user_id, "revision": 1} for user_id in sorted(user_ids)]
    await run_upsert(db, friend_revision, rows, add=["revision"])
    return await get_revisions(db, user_ids)


async def raise_followers(db: Db, user_id: str) -> None:
    """Raise the revision of everyone who follows the user, with one statement however many they are."""
    followers = select(follow.c.follower_id).where(follow.c.followee_id == user_id)
    raised = update(friend_revision).where(friend_revision.c.user_id.in_(followers))
    await db.execute(raised.values(revision=friend_revision.c.revision + 1))


async def get_revisions(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """0 for whoever has none."""
    found = select(friend_revision.c.user_id, friend_revision.c.revision)
    rows = await db.execute(found.where(friend_revision.c.user_id.in_(user_ids)))
    return dict.fromkeys(user_ids, 0) | dict(rows.all())


async def follower_revisions(db: Db, user_id: str, limit: int, after: str | None) -> dict[str, int]:
    """Some of those who follow the user, in the order of their ids, with their revisions."""
    found = select(friend_revision.c.user_id, friend_revision.c.revision)
    found = found.join(follow, follow.c.follower_id == friend_revision.c.user_id).where(follow.c.followee_id == user_id)
    if after is not None:
        found = found.where(follow.c.follower_id > after)
    rows = await db.execute(found.order_by(follow.c.follower_id).limit(limit))
    return dict(rows.all())


async def remove_revision(db: Db, user_id: str) -> None:
    await db.execute(friend_revision.delete().where(friend_revision.c.user_id == user_id))
