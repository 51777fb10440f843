"""The sweep finds rooms whose streams lack what is committed, whoever should have published it, and publishes it.

It reaches back to the beginning of the last complete sweep, and at least ten minutes: less than an idle stream lives.
"""

from rooms.service.dependencies import Dependencies
from rooms.storage import epochs, room_events, rooms
from shared.ids import now_ms
from shared.roomlog.stream import read_since

REACH_MS = 10 * 60 * 1000
RECORD_MS = 60 * 1000
"""Complete sweeps are recorded so much apart: that is well within the reach of the next."""
PAGE = 500
TRIM = 1_000
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


async def sweep(deps: Dependencies) -> None:
    """One complete sweep; where it fails, the next one reaches back as far."""
    began = now_ms()
    await deps.publisher.learn_epoch()
    async with deps.database.read() as db:
        last = await epochs.get_last_sweep(db)
    place = (min(last, began - REACH_MS) - 1, _LAST_ID)
    while page := await _changed_after(deps, place):
        await deps.publisher.catch_up(await _behind(deps, {room_id: head for _, room_id, head in page}))
        place = page[-1][:2]
    if began - last > RECORD_MS:
        async with deps.database.write() as db:
            await epochs.set_last_sweep(db, began)


async def _changed_after(deps: Dependencies, place: tuple[int, str]) -> list[tuple[int, str, int]]:
    async with deps.database.read() as db:
        return await rooms.list_changed(db, place, PAGE)


async def _behind(deps: Dependencies, heads: dict[str, int]) -> set[str]:
    """A missing stream counts as behind."""
    found = await read_since(deps.redis, deps.publisher.epoch, heads, limit=1)
    return {room_id for room_id, head in heads.items() if found[room_id].tip < head}


async def trim(deps: Dependencies) -> None:
    """Remove events older than what is kept, a slice at a time."""
    before = now_ms() - int(deps.settings.event_days * 24 * 3600 * 1000)
    removed = TRIM
    while removed == TRIM:
        async with deps.database.write() as db:
            removed = await room_events.remove_older(db, before, TRIM)
