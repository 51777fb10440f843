"""Events of rooms after given versions, for those whom Redis cannot tell."""

from collections.abc import Mapping

import msgspec

from rooms.service.dependencies import Dependencies
from rooms.service.tails import Tail, read_tails
from rooms.storage import epochs
from shared.contracts.rooms import Events, RoomEvents
from shared.database.engine import Db


async def list_events(deps: Dependencies, cursors: Mapping[str, int]) -> Events:
    async def read(db: Db) -> tuple[str, dict[str, Tail]]:
        return await epochs.get_epoch(db), await read_tails(db, cursors)

    epoch, tails = await deps.database.snapshot(read)
    return Events(epoch, {room_id: _room_events(tail) for room_id, tail in tails.items()})


def _room_events(tail: Tail) -> RoomEvents:
    return RoomEvents(tail.head, [msgspec.Raw(msgspec.json.encode(event)) for event in tail.events], tail.gone)
