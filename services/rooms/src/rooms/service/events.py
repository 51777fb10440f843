"""Events of rooms after given versions, for those whom Redis cannot tell."""

from collections.abc import Mapping

import msgspec

from rooms.service.parts import Parts
from rooms.service.tails import Tail, read_tails
from rooms.storage import epochs
from shared.contracts.rooms import Events, RoomEvents


async def list_events(parts: Parts, cursors: Mapping[str, int]) -> Events:
    async with parts.database.snapshot() as db:
        epoch = await epochs.get_epoch(db)
        tails = await read_tails(db, cursors)
    return Events(epoch, {room_id: _room_events(tail) for room_id, tail in tails.items()})


def _room_events(tail: Tail) -> RoomEvents:
    return RoomEvents(tail.head, [msgspec.Raw(msgspec.json.encode(event)) for event in tail.events], tail.gone)
