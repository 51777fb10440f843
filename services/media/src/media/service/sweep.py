"""Clears up after uploads and deletions that stopped half-way, and looks for objects that no row knows."""

import logging

from media.domain.attachments import object_key_of
from media.service.deleting import finish_deleting, remove_objects
from media.service.parts import Parts
from media.storage import attachments
from shared.ids import now_ms

log = logging.getLogger(__name__)

NEVER = 2**62
"""As a time: whatever the deadline was."""


class Sweep:
    """Goes on through the bucket where the last round ended."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._behind = parts, ""

    async def run(self) -> None:
        await self._parts.bucket.check()
        await end_pending(self._parts)
        await remove_failed(self._parts)
        await carry_on_deleting(self._parts)
        await self._remove_orphans()

    async def _remove_orphans(self) -> None:
        """One page of the bucket; objects too young to judge are left."""
        limit, old = self._parts.settings.media_sweep_batch, now_ms() - round(self._parts.settings.orphan_s * 1000)
        page = await self._parts.bucket.list_after(self._behind, limit)
        self._behind = page[-1].key if len(page) == limit else ""
        keys = [one.key for one in page if one.modified_ms < old]
        async with self._parts.database.read() as db:
            live = await attachments.live_keys(db, {object_key_of(key) for key in keys})
        for key in keys:
            if object_key_of(key) not in live:
                log.info("an object of nobody is removed")
                await self._parts.bucket.delete(key)
        await self._parts.bucket.abort_stale(old, limit)


async def end_pending(parts: Parts) -> None:
    """Uploads whose deadline is over: their process is gone, or gave up."""
    async with parts.database.read() as db:
        late = await attachments.list_in_state(db, "pending", now_ms(), parts.settings.media_sweep_batch)
    ids = [one.id for one in late]
    if ids:
        await parts.database.transact(lambda db: attachments.set_state(db, ids, "pending", "failed"))


async def remove_failed(parts: Parts) -> None:
    async with parts.database.read() as db:
        old = now_ms() - round(parts.settings.straggler_s * 1000)
        failed = await attachments.list_in_state(db, "failed", old, parts.settings.media_sweep_batch)
    if failed:
        await remove_objects(parts, failed)
        await parts.database.transact(lambda db: attachments.remove_failed(db, [one.id for one in failed]))


async def carry_on_deleting(parts: Parts) -> None:
    async with parts.database.read() as db:
        gone = await attachments.list_in_state(db, "deleting", NEVER, parts.settings.media_sweep_batch)
    await finish_deleting(parts, gone)
