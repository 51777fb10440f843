"""Blocks. A block ends the follows between the two, in both directions, and rooms hears of it by an event.

Ending a block brings nothing back.
"""

from shared.database.engine import Db
from shared.events.social import UserBlocked, UserUnblocked
from shared.ids import now_ms
from shared.outbox.table import record_events
from social.domain.relationships import check_open, check_other
from social.service.announce import announce
from social.service.dependencies import Dependencies
from social.service.known import ensure_known
from social.storage import blocks
from social.storage.follows import remove_follows_between
from social.storage.people import lock_people
from social.storage.revisions import raise_revisions


async def block(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    await _set(deps, me, other, standing=True)


async def unblock(deps: Dependencies, me: str, other: str) -> None:
    """Idempotent."""
    await _set(deps, me, other, standing=False)


async def _set(deps: Dependencies, me: str, other: str, *, standing: bool) -> None:
    check_other(me, other)
    await ensure_known(deps, [me, other])

    async def write(db: Db) -> dict[str, int]:
        check_open(await lock_people(db, [me, other]), me, other)
        stands, version = await blocks.get_block(db, me, other)
        if stands == standing:
            return {}
        return await _change(db, me, other, standing=standing, version=version + 1)

    revisions = await deps.database.transact(write)
    if revisions:
        deps.relay.wake()
        await announce(deps, revisions)


async def _change(db: Db, me: str, other: str, *, standing: bool, version: int) -> dict[str, int]:
    await blocks.put_block(db, me, other, standing=standing, version=version, now=now_ms())
    if standing:
        await remove_follows_between(db, me, other)
    fact = UserBlocked if standing else UserUnblocked
    await record_events(db, fact(user_id=me, blocked_id=other, version=version))
    return await raise_revisions(db, [me, other])
