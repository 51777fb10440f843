"""The table of follows."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, literal, or_, select

from shared.contracts.social import Profile
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db
from social.storage.people import profile_of, profiles_for
from social.storage.tables import follow, person

Key = tuple[int, str]
"""The sort key of an entry: since when (milliseconds), and who."""
_friends = CompiledStatement(
    select(
        person.c.user_id, person.c.webchat_id, person.c.display_name, person.c.status_message,
        person.c.avatar_id, literal(1), follow.c.follower_id,
    )
    .join(follow, follow.c.followee_id == person.c.user_id)
    .where(follow.c.follower_id.in_(bindparam("ids", expanding=True)), person.c.webchat_id.is_not(None))
)  # fmt: skip


async def is_following(db: Db, follower: str, followee: str) -> bool:
    return (await db.execute(select(follow.c.since).where(_is(follower, followee)))).first() is not None


async def count_following(db: Db, follower: str) -> int:
    counted = select(func.count()).select_from(follow).where(follow.c.follower_id == follower)
    count: int = (await db.execute(counted)).scalar_one()
    return count


async def add_follow(db: Db, follower: str, followee: str, now: int) -> None:
    await db.execute(insert(follow).values(follower_id=follower, followee_id=followee, since=now))


async def remove_follow(db: Db, follower: str, followee: str) -> bool:
    """Remove a follow; return whether there was one."""
    return (await db.execute(delete(follow).where(_is(follower, followee)))).rowcount > 0


async def remove_follows_between(db: Db, one: str, other: str) -> None:
    await db.execute(delete(follow).where(or_(_is(one, other), _is(other, one))))


async def remove_follows_of(db: Db, user_id: str) -> None:
    """Remove the user's follows in both directions."""
    await db.execute(delete(follow).where(or_(follow.c.follower_id == user_id, follow.c.followee_id == user_id)))


async def list_following(db: Db, user_id: str, limit: int, before: Key | None) -> list[tuple[Key, Profile]]:
    """Return the people whom the user follows, the newest first."""
    return await _list(db, user_id, follow.c.follower_id, follow.c.followee_id, limit, before)


async def list_followers(db: Db, user_id: str, limit: int, before: Key | None) -> list[tuple[Key, Profile]]:
    return await _list(db, user_id, follow.c.followee_id, follow.c.follower_id, limit, before)


async def _list(
    db: Db, user_id: str, mine: ColumnElement[str], theirs: ColumnElement[str], limit: int, before: Key | None
) -> list[tuple[Key, Profile]]:
    found = profiles_for(user_id).add_columns(follow.c.since).join(follow, theirs == person.c.user_id)
    found = found.where(mine == user_id)
    if before is not None:
        since, last = before
        found = found.where(or_(follow.c.since < since, and_(follow.c.since == since, theirs < last)))
    rows = await db.execute(found.order_by(follow.c.since.desc(), theirs.desc()).limit(limit))
    return [((row[-1], row[0]), profile_of(row)) for row in rows]


async def friends_of(db: Db, user_ids: Collection[str]) -> dict[str, list[Profile]]:
    """Return the profiles that each of these users follows, with one statement."""
    friends: dict[str, list[Profile]] = {user_id: [] for user_id in user_ids}
    for row in await db.fetch(_friends, {"ids": list(user_ids)}):
        friends[row[-1]].append(profile_of(row))
    return friends


async def related_to(db: Db, user_id: str, other_ids: Collection[str]) -> set[str]:
    """Return those of the others who follow the user or whom the user follows."""
    following = select(follow.c.followee_id).where(follow.c.follower_id == user_id, follow.c.followee_id.in_(other_ids))
    followers = select(follow.c.follower_id).where(follow.c.followee_id == user_id, follow.c.follower_id.in_(other_ids))
    return set((await db.execute(following.union(followers))).scalars())


def _is(follower: str, followee: str) -> ColumnElement[bool]:
    return and_(follow.c.follower_id == follower, follow.c.followee_id == followee)
