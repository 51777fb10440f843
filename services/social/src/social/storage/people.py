"""People: made from what auth says, changed by themselves, emptied when their account closes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Row, Select, exists, select, update

from shared.contracts.auth import Account
from shared.contracts.social import Profile
from shared.database.engine import Db, run_upsert
from social.domain.avatars import avatar_url
from social.storage.tables import follow, person


def profiles_for(asker: str) -> Select[*tuple[Any, ...]]:
    """Profiles of open accounts, `followed` by the asker: to be narrowed, and read with `profile_of`."""
    mine = follow.alias("mine")
    followed = exists().where(mine.c.follower_id == asker, mine.c.followee_id == person.c.user_id)
    columns = (person.c.user_id, person.c.webchat_id, person.c.display_name, person.c.status_message)
    return select(*columns, person.c.avatar_id, followed.label("followed")).where(person.c.webchat_id.is_not(None))


def profile_of(row: Row[*tuple[Any, ...]]) -> Profile:
    user_id, webchat_id, display_name, status_message, avatar_id, followed = row[:6]
    return Profile(
        user_id=user_id,
        webchat_id=webchat_id,
        display_name=display_name,
        status_message=status_message,
        avatar_url=avatar_url(avatar_id),
        followed=bool(followed),
    )


async def find_profiles(db: Db, asker: str, user_ids: Collection[str]) -> dict[str, Profile]:
    rows = await db.execute(profiles_for(asker).where(person.c.user_id.in_(user_ids)))
    return {row[0]: profile_of(row) for row in rows}


async def list_by_webchat_id(db: Db, asker: str, span: tuple[str, str], limit: int, after: str | None) -> list[Profile]:
    """Those whose WebChat ID is in the half-open `span`, in the order of their ids, from behind `after`."""
    first, end = span
    found = profiles_for(asker).where(person.c.webchat_id >= first, person.c.webchat_id < end)
    if after is not None:
        found = found.where(person.c.webchat_id > after)
    return [profile_of(row) for row in await db.execute(found.order_by(person.c.webchat_id).limit(limit))]


async def known_people(db: Db, user_ids: Collection[str]) -> set[str]:
    """Which of these have a row, closed accounts included."""
    return set((await db.execute(select(person.c.user_id).where(person.c.user_id.in_(user_ids)))).scalars())


async def lock_people(db: Db, user_ids: Iterable[str]) -> set[str]:
    """The open accounts among these, held until the transaction ends; always locked in the order of their ids."""
    statement = select(person.c.user_id, person.c.closed_at).where(person.c.user_id.in_(sorted(user_ids)))
    rows = await db.execute(statement.order_by(person.c.user_id).with_for_update())
    return {user_id for user_id, closed_at in rows if closed_at is None}


async def add_people(db: Db, accounts: Sequence[Account]) -> None:
    """Profiles of accounts that are not known yet; those that are, or were closed, stay as they are."""
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
    """Set columns of an open account's profile; which of them had another value."""
    mine = (person.c.user_id == user_id) & person.c.closed_at.is_(None)
    different = [person.c[name].is_distinct_from(value).label(name) for name, value in changes.items()]
    row = (await db.execute(select(*different).where(mine))).mappings().first() if different else None
    changed = {name for name, is_different in row.items() if is_different} if row else set()
    if changed:
        await db.execute(update(person).where(mine).values({name: changes[name] for name in changed}))
    return changed


async def count_name(db: Db, user_id: str) -> int:
    """The version of the display name that was just set."""
    mine = person.c.user_id == user_id
    await db.execute(update(person).where(mine).values(name_version=person.c.name_version + 1))
    version: int = (await db.execute(select(person.c.name_version).where(mine))).scalar_one()
    return version


async def close_person(db: Db, user_id: str, version: int, now: int) -> None:
    """Empty the profile, or put the empty one in its place before it was ever made."""
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
