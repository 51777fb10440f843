"""Loads the events of rooms after given versions, with the current state of their messages.

It takes one statement for events and one for reactions, however many rooms there are. The result is bounded by count
and by size.
"""

from collections.abc import Mapping

import msgspec

from rooms.domain.serializers import NO_REACTIONS
from rooms.domain.state import StoredMessage, estimated_bytes
from rooms.domain.stored_events import StoredEvent, event_of
from rooms.storage import reactions, room_events, rooms
from shared.contracts.limits import MAX_PAGE_BYTES
from shared.database.engine import Db
from shared.events.rooms import RoomEvent

MAX_EVENTS_PER_ROOM = 500
MAX_EVENTS = 1_000
MAX_BYTES = 4 * MAX_PAGE_BYTES
_BYTES_WITHOUT_MESSAGE = 200

_Rows = list[tuple[StoredEvent, StoredMessage | None]]


class EventPage(msgspec.Struct):
    """Consecutive events of a room from the cursor + 1 on, within the bounds. `gone`: they are no longer kept."""

    head: int
    events: list[RoomEvent]
    gone: bool = False


async def load_event_pages(db: Db, cursors: Mapping[str, int]) -> dict[str, EventPage]:
    """Return the next page of each room. Call it in a snapshot. Rooms that do not exist are omitted."""
    heads = await rooms.list_heads(db, cursors)
    wanted = _choose_versions(heads, cursors)
    found: dict[str, _Rows] = {room_id: [] for room_id in heads}
    keys = [(room_id, version) for room_id, versions in wanted.items() for version in versions]
    for row, message in await room_events.list_events(db, keys):
        found[row.room_id].append((row, message))
    kept = _bounded({room_id: _consecutive(rows, cursors[room_id] + 1) for room_id, rows in found.items()})
    shown = [message.key for rows in kept.values() for _, message in rows if message and message.reaction_count]
    reacted = await reactions.list_reactions(db, shown)
    return {
        room_id: EventPage(
            head=head,
            events=[event_of(row, message, _reactions_of(message, reacted)) for row, message in kept[room_id]],
            gone=cursors[room_id] > head or _lacks_first(wanted[room_id], found[room_id]),
        )
        for room_id, head in heads.items()
    }


def _choose_versions(heads: Mapping[str, int], cursors: Mapping[str, int]) -> dict[str, range]:
    """Compute the versions to load: versions have no gaps."""
    left = MAX_EVENTS
    wanted: dict[str, range] = {}
    for room_id, head in heads.items():
        first = cursors[room_id] + 1
        wanted[room_id] = range(first, min(head + 1, first + MAX_EVENTS_PER_ROOM, first + left))
        left -= len(wanted[room_id])
    return wanted


def _lacks_first(wanted: range, rows: _Rows) -> bool:
    return bool(wanted) and (not rows or rows[0][0].version != wanted[0])


def _consecutive(rows: _Rows, first: int) -> _Rows:
    return [pair for index, pair in enumerate(rows) if pair[0].version == first + index]


def _bounded(found: Mapping[str, _Rows]) -> dict[str, _Rows]:
    left = MAX_BYTES
    kept: dict[str, _Rows] = {}
    for room_id, rows in found.items():
        budget, kept[room_id] = min(left, MAX_PAGE_BYTES), []
        for row, message in rows:
            size = estimated_bytes(message) if message else _BYTES_WITHOUT_MESSAGE
            if size > budget and (kept[room_id] or left < MAX_BYTES):
                break
            kept[room_id].append((row, message))
            budget, left = budget - size, left - size
    return kept


def _reactions_of(
    message: StoredMessage | None, reacted: Mapping[tuple[str, int], dict[str, list[str]]]
) -> Mapping[str, list[str]]:
    return NO_REACTIONS if message is None else reacted.get(message.key, NO_REACTIONS)
