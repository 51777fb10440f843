"""Blocks. A block ends the follows between the two, in both directions, and is published for rooms.

Unblocking restores nothing.
"""

from shared.database.engine import Db
from shared.events.social import UserBlocked, UserUnblocked
from shared.ids import now_ms
from shared.outbox.table import record_events
from social.domain.relationships import check_open, check_other
from social.service.accounts import ensure_registered
from social.service.dependencies import Dependencies
from social.service.notifications import notify
from social.storage import blocks
from social.storage.follows import remove_follows_between
from social.storage.people import lock_people
from social.storage.revisions import raise_revisions


async def block(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    await _set(deps, me, other, active=True)


async def unblock(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    await _set(deps, me, other, active=False)


async def _set(deps: Dependencies, me: str, other: str, *, active: bool) -> None:
    check_other(me, other)
    await ensure_registered(deps, [me, other])

    async def write(db: Db) -> dict[str, int]:
        check_open(await lock_people(db, [me, other]), me, other)
        was_active, version = await blocks.get_block(db, me, other)
        if was_active == active:
            return {}
        return await _change(db, me, other, active=active, version=version + 1)

    revisions = await deps.database.transact(write)
    if revisions:
        deps.relay.wake()
        await notify(deps, revisions)


async def _change(db: Db, me: str, other: str, *, active: bool, version: int) -> dict[str, int]:
    await blocks.put_block(db, me, other, active=active, version=version, now=now_ms())
    if active:
        await remove_follows_between(db, me, other)
    event = UserBlocked if active else UserUnblocked
    await record_events(db, event(user_id=me, blocked_id=other, version=version))
    return await raise_revisions(db, [me, other])
