"""The sweep publishes committed events that are missing from the streams, whichever process failed to publish them.

It checks the rooms that changed since the start of the last complete sweep, and at least in the last ten minutes. An
idle stream lives longer than that.
"""

from rooms.service.dependencies import Dependencies
from rooms.storage import epochs, rooms
from shared.ids import now_ms
from shared.roomlog.stream import read_after

MIN_LOOKBACK_MS = 10 * 60 * 1000
RECORD_INTERVAL_MS = 60 * 1000
"""Saves writes: a complete sweep is recorded only this often, which is well within the lookback of the next."""
ROOMS_PER_PAGE = 500
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


async def sweep(deps: Dependencies) -> None:
    """Run one complete sweep. If it fails, the next one starts from the same time."""
    started_at = now_ms()
    await deps.publisher.refresh_epoch()
    async with deps.database.read() as db:
        last = await epochs.get_last_sweep(db)
    cursor = (min(last, started_at - MIN_LOOKBACK_MS) - 1, _LAST_ID)
    while page := await _changed_after(deps, cursor):
        await deps.publisher.catch_up(await _find_lagging(deps, {room_id: head for _, room_id, head in page}))
        cursor = page[-1][:2]
    if started_at - last > RECORD_INTERVAL_MS:
        async with deps.database.write() as db:
            await epochs.set_last_sweep(db, started_at)


async def _changed_after(deps: Dependencies, cursor: tuple[int, str]) -> list[tuple[int, str, int]]:
    async with deps.database.read() as db:
        return await rooms.list_changed(db, cursor, ROOMS_PER_PAGE)


async def _find_lagging(deps: Dependencies, heads: dict[str, int]) -> set[str]:
    """Return the rooms whose stream ends before their head. A missing stream counts as lagging."""
    streams = await read_after(deps.redis, deps.publisher.epoch, heads, limit=1)
    return {room_id for room_id, head in heads.items() if streams[room_id].head < head}
