"""Cleanup of incomplete uploads and deletions, and of objects without a row."""

import logging

from media.domain.attachments import object_key_of
from media.service.deletions import finish_deleting, remove_objects
from media.service.dependencies import Dependencies
from media.storage import attachments
from shared.ids import now_ms

log = logging.getLogger(__name__)

ANY_DEADLINE = 2**62
"""A time after every deadline."""


class Sweep:
    """Each round continues in the bucket where the last one ended."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps, self._after = deps, ""

    async def run(self) -> None:
        await self._deps.bucket.check()
        await fail_expired(self._deps)
        await remove_failed(self._deps)
        await continue_deleting(self._deps)
        await self._remove_orphans()

    async def _remove_orphans(self) -> None:
        """Check one page of the bucket. Objects that are younger than `orphan_ms` stay."""
        limit, old = self._deps.cleanup.batch, now_ms() - self._deps.cleanup.orphan_ms
        page = await self._deps.bucket.list_after(self._after, limit)
        self._after = page[-1].key if len(page) == limit else ""
        keys = [one.key for one in page if one.modified_ms < old]
        async with self._deps.database.read() as db:
            live = await attachments.active_keys(db, {object_key_of(key) for key in keys})
        for key in keys:
            if object_key_of(key) not in live:
                log.info("an object without a row is deleted")
                await self._deps.bucket.delete(key)
        await self._deps.bucket.abort_stale(old, limit)


async def fail_expired(deps: Dependencies) -> None:
    """Fail uploads after their deadline: their process has died or given up."""
    async with deps.database.read() as db:
        late = await attachments.list_in_state(db, "pending", now_ms(), deps.cleanup.batch)
    ids = [one.id for one in late]
    if ids:
        await deps.database.transact(lambda db: attachments.set_state(db, ids, "pending", "failed"))


async def remove_failed(deps: Dependencies) -> None:
    async with deps.database.read() as db:
        old = now_ms() - deps.cleanup.late_write_ms
        failed = await attachments.list_in_state(db, "failed", old, deps.cleanup.batch)
    if failed:
        await remove_objects(deps, failed)
        await deps.database.transact(lambda db: attachments.remove_failed(db, [one.id for one in failed]))


async def continue_deleting(deps: Dependencies) -> None:
    async with deps.database.read() as db:
        gone = await attachments.list_in_state(db, "deleting", ANY_DEADLINE, deps.cleanup.batch)
    await finish_deleting(deps, gone)
