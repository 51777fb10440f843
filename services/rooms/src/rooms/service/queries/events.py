"""Returns the events of rooms after given versions, to gateways that cannot read them from Redis."""

from collections.abc import Mapping

import msgspec

from rooms.service.dependencies import Dependencies
from rooms.service.publication.event_pages import EventPage, load_event_pages
from rooms.storage import epochs
from shared.contracts.rooms import Events, RoomEvents
from shared.database.engine import Db


async def list_events(deps: Dependencies, cursors: Mapping[str, int]) -> Events:
    async def load(db: Db) -> tuple[str, dict[str, EventPage]]:
        return await epochs.get_epoch(db), await load_event_pages(db, cursors)

    epoch, pages = await deps.database.snapshot(load)
    return Events(epoch, {room_id: _room_events(page) for room_id, page in pages.items()})


def _room_events(page: EventPage) -> RoomEvents:
    return RoomEvents(page.head, [msgspec.Raw(msgspec.json.encode(event)) for event in page.events], page.gone)
