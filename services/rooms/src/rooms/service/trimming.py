"""Deletes old events."""

from rooms.service.dependencies import Dependencies
from rooms.storage import room_events
from shared.ids import now_ms

EVENTS_PER_TRIM = 1_000


async def trim(deps: Dependencies) -> None:
    """Delete events older than `event_lifetime_ms`, one slice per transaction."""
    before = now_ms() - deps.event_lifetime_ms
    deleted = EVENTS_PER_TRIM
    while deleted == EVENTS_PER_TRIM:
        async with deps.database.write() as db:
            deleted = await room_events.delete_older(db, before, EVENTS_PER_TRIM)
