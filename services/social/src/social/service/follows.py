"""Follows: directed, at most 2,000 of one person, ended by a block."""

from collections.abc import Awaitable, Callable

from shared.contracts.social import Profile
from shared.database.engine import Db
from shared.ids import now_ms
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor
from shared.web.openapi import Page
from social.domain.relationships import check_can_follow, check_open, check_other
from social.service.accounts import ensure_registered
from social.service.dependencies import Dependencies
from social.service.notifications import notify
from social.storage import follows
from social.storage.blocks import blockers_between, list_blocked
from social.storage.follows import Key
from social.storage.people import lock_people
from social.storage.revisions import raise_revisions

Lister = Callable[[Db, str, int, Key | None], Awaitable[list[tuple[Key, Profile]]]]


async def follow(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    check_other(me, other)
    await ensure_registered(deps, [me, other])

    async def write(db: Db) -> dict[str, int]:
        check_open(await lock_people(db, [me, other]), me, other)
        if await follows.is_following(db, me, other):
            return {}
        blockers = await blockers_between(db, me, other)
        check_can_follow(me, blockers, await follows.count_following(db, me))
        await follows.add_follow(db, me, other, now_ms())
        return await raise_revisions(db, [me])

    await notify(deps, await deps.database.transact(write))


async def unfollow(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    check_other(me, other)
    await ensure_registered(deps, [me, other])

    async def write(db: Db) -> dict[str, int]:
        check_open(await lock_people(db, [me, other]), me, other)
        return await raise_revisions(db, [me]) if await follows.remove_follow(db, me, other) else {}

    await notify(deps, await deps.database.transact(write))


async def list_following(deps: Dependencies, me: str, cursor: str | None, limit: int) -> Page[Profile]:
    return await _page(deps, follows.list_following, me, cursor, limit)


async def list_followers(deps: Dependencies, me: str, cursor: str | None, limit: int) -> Page[Profile]:
    return await _page(deps, follows.list_followers, me, cursor, limit)


async def list_blocks(deps: Dependencies, me: str, cursor: str | None, limit: int) -> Page[Profile]:
    return await _page(deps, list_blocked, me, cursor, limit)


async def _page(deps: Dependencies, lister: Lister, me: str, cursor: str | None, limit: int) -> Page[Profile]:
    before = None if cursor is None else read_cursor(cursor, tuple[TimeKey, IdKey])
    async with deps.database.read() as db:
        found = await lister(db, me, limit + 1, before)
    return Page(
        [profile for _, profile in found[:limit]], cursor_of(found[limit - 1][0]) if len(found) > limit else None
    )
