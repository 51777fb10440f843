"""The table of people: created from auth's accounts, changed by their owners, emptied when an account closes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Select, exists, select, update

from shared.contracts.auth import Account
from shared.contracts.social import Profile
from shared.database.engine import Db, run_upsert
from social.domain.avatars import avatar_url
from social.storage.tables import follow, person


def profiles_for(viewer: str) -> Select[*tuple[Any, ...]]:
    """Return a query for profiles of open accounts as `viewer` sees them. Narrow it; `profile_of` converts its rows."""
    mine = follow.alias("mine")
    followed = exists().where(mine.c.follower_id == viewer, mine.c.followee_id == person.c.user_id)
    columns = (person.c.user_id, person.c.webchat_id, person.c.display_name, person.c.status_message)
    return select(*columns, person.c.avatar_id, followed.label("followed")).where(person.c.webchat_id.is_not(None))


def profile_of(row: Sequence[Any]) -> Profile:
    user_id, webchat_id, display_name, status_message, avatar_id, followed = row[:6]
    return Profile(
        user_id=user_id,
        webchat_id=webchat_id,
        display_name=display_name,
        status_message=status_message,
        avatar_url=avatar_url(avatar_id),
        followed=bool(followed),
    )


async def find_profiles(db: Db, viewer: str, user_ids: Collection[str]) -> dict[str, Profile]:
    rows = await db.execute(profiles_for(viewer).where(person.c.user_id.in_(user_ids)))
    return {row[0]: profile_of(row) for row in rows}


async def list_by_webchat_id(db: Db, viewer: str, ids: tuple[str, str], limit: int, after: str | None) -> list[Profile]:
    """Return profiles whose WebChat ID is in the half-open range `ids` and above `after`, sorted by WebChat ID."""
    first, end = ids
    found = profiles_for(viewer).where(person.c.webchat_id >= first, person.c.webchat_id < end)
    if after is not None:
        found = found.where(person.c.webchat_id > after)
    return [profile_of(row) for row in await db.execute(found.order_by(person.c.webchat_id).limit(limit))]


async def known_people(db: Db, user_ids: Collection[str]) -> set[str]:
    """Return those of these users who have a row, including closed accounts."""
    return set((await db.execute(select(person.c.user_id).where(person.c.user_id.in_(user_ids)))).scalars())


async def lock_people(db: Db, user_ids: Iterable[str]) -> set[str]:
    """Lock the rows until the transaction ends, in the order of the ids; return the open accounts among them."""
    statement = select(person.c.user_id, person.c.closed_at).where(person.c.user_id.in_(sorted(user_ids)))
    rows = await db.execute(statement.order_by(person.c.user_id).with_for_update())
    return {user_id for user_id, closed_at in rows if closed_at is None}


async def add_people(db: Db, accounts: Sequence[Account]) -> None:
    """Add profiles of accounts that have no row yet. Existing and closed ones stay."""
    rows = [
        {
            "user_id": account.user_id,
            "webchat_id": account.webchat_id,
            "display_name": account.display_name,
            "name_version": 0,
            "status_message": "",
            "avatar_id": None,
            "account_version": account.version,
            "closed_at": None,
        }
        for account in sorted(accounts, key=lambda account: account.user_id)
    ]
    await run_upsert(db, person, rows)


async def change_person(db: Db, user_id: str, changes: dict[str, str | None]) -> set[str]:
    """Set columns of an open account's profile; return those whose value changed."""
    mine = (person.c.user_id == user_id) & person.c.closed_at.is_(None)
    different = [person.c[name].is_distinct_from(value).label(name) for name, value in changes.items()]
    row = (await db.execute(select(*different).where(mine))).mappings().first() if different else None
    changed = {name for name, is_different in row.items() if is_different} if row else set()
    if changed:
        await db.execute(update(person).where(mine).values({name: changes[name] for name in changed}))
    return changed


async def count_name(db: Db, user_id: str) -> int:
    """Raise the version of the display name and return it."""
    mine = person.c.user_id == user_id
    await db.execute(update(person).where(mine).values(name_version=person.c.name_version + 1))
    version: int = (await db.execute(select(person.c.name_version).where(mine))).scalar_one()
    return version


async def close_person(db: Db, user_id: str, version: int, now: int) -> None:
    """Empty the profile, or insert an empty one if there is none yet."""
    row = {
        "user_id": user_id,
        "webchat_id": None,
        "display_name": "",
        "name_version": 0,
        "status_message": "",
        "avatar_id": None,
        "account_version": version,
        "closed_at": now,
    }
    await run_upsert(db, person, [row], replace=[name for name in row if name != "user_id"])
