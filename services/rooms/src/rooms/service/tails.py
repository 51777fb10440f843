"""The events of rooms after given versions, as they read today: with the current state of the messages they show.

One statement for events and one for reactions, however many rooms; an answer is bounded by count and size.
"""

from collections.abc import Mapping

import msgspec

from rooms.domain.event_rows import EventRow, event_of
from rooms.domain.shapes import NO_REACTIONS
from rooms.domain.state import StoredMessage, weight
from rooms.storage import reactions, room_events, rooms
from shared.contracts.rooms import PAGE_BYTES
from shared.database.engine import Db
from shared.events.rooms import RoomEvent

ROOM_EVENTS = 500
ALL_EVENTS = 1_000
ALL_BYTES = 4 * PAGE_BYTES

_Rows = list[tuple[EventRow, StoredMessage | None]]


class Tail(msgspec.Struct):
    """Consecutive events from the cursor + 1 on, as far as there was room. `gone`: they are no longer kept."""

    head: int
    events: list[RoomEvent]
    gone: bool = False


async def read_tails(db: Db, cursors: Mapping[str, int]) -> dict[str, Tail]:
    """Run it in a snapshot. Rooms that do not exist are left out."""
    heads = await rooms.list_heads(db, cursors)
    wanted = _wanted(heads, cursors)
    found: dict[str, _Rows] = {room_id: [] for room_id in heads}
    keys = [(room_id, version) for room_id, versions in wanted.items() for version in versions]
    for row, message in await room_events.list_events(db, keys):
        found[row.room_id].append((row, message))
    kept = _bounded({room_id: _consecutive(rows, cursors[room_id] + 1) for room_id, rows in found.items()})
    shown = [message.key for rows in kept.values() for _, message in rows if message and message.reaction_count]
    reacted = await reactions.list_reactions(db, shown)
    return {
        room_id: Tail(
            head=head,
            events=[event_of(row, message, _of(reacted, message)) for row, message in kept[room_id]],
            gone=cursors[room_id] > head or _lacks_first(wanted[room_id], found[room_id]),
        )
        for room_id, head in heads.items()
    }


def _wanted(heads: Mapping[str, int], cursors: Mapping[str, int]) -> dict[str, range]:
    """Versions have no holes, so what to read is arithmetic."""
    left = ALL_EVENTS
    wanted: dict[str, range] = {}
    for room_id, head in heads.items():
        first = cursors[room_id] + 1
        wanted[room_id] = range(first, min(head + 1, first + ROOM_EVENTS, first + left))
        left -= len(wanted[room_id])
    return wanted


def _lacks_first(wanted: range, rows: _Rows) -> bool:
    return bool(wanted) and (not rows or rows[0][0].version != wanted[0])


def _consecutive(rows: _Rows, first: int) -> _Rows:
    return [pair for index, pair in enumerate(rows) if pair[0].version == first + index]


def _bounded(found: Mapping[str, _Rows]) -> dict[str, _Rows]:
    left = ALL_BYTES
    kept: dict[str, _Rows] = {}
    for room_id, rows in found.items():
        budget, kept[room_id] = min(left, PAGE_BYTES), []
        for row, message in rows:
            size = weight(message) if message else 200
            if size > budget and (kept[room_id] or left < ALL_BYTES):
                break
            kept[room_id].append((row, message))
            budget, left = budget - size, left - size
    return kept


def _of(
    reacted: Mapping[tuple[str, int], dict[str, list[str]]], message: StoredMessage | None
) -> Mapping[str, list[str]]:
    return NO_REACTIONS if message is None else reacted.get(message.key, NO_REACTIONS)
