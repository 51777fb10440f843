"""The rules of the search: how texts are compared, and how far back one call scans.

Results are ordered by `SearchCursor.order`: newest first, then by room, then by falling seq. The messages of a room
are numbered without gaps and their timestamps never decrease. A few timestamps per room are therefore enough to choose
slices that contain every message before some cursor, and at most as many messages as one call may scan.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from rooms.domain.errors import invalid
from rooms.domain.state import StoredMessage, estimated_bytes
from rooms.domain.validation import is_storable
from shared.contracts.limits import MAX_INTEGER
from shared.text import normalised

MIN_QUERY_CHARACTERS, MAX_QUERY_CHARACTERS = 2, 100
MAX_SEARCH_TEXT_CHARACTERS = 8_000
"""The length to which a normalised text is cut: twice that of a message, because a few characters become several."""
Order: TypeAlias = tuple[int, str, int]


class SearchCursor(NamedTuple):
    """The position of a message in the order of the results. A page begins after a cursor."""

    at: int
    room_id: str
    seq: int

    @property
    def order(self) -> Order:
        return (-self.at, self.room_id, -self.seq)


NEWEST = SearchCursor(MAX_INTEGER, "00000000-0000-0000-0000-000000000000", MAX_INTEGER)


class ScanRange(msgspec.Struct):
    """The messages of a room that remain to be scanned: `floor` + 1 … `top`."""

    room_id: str
    floor: int
    top: int
    samples: list[tuple[int, int]]
    """(distance from `top`, timestamp of that message) by rising distance, from 0 on."""


class Slice(NamedTuple):
    room_id: str
    first: int
    last: int


def search_text(body: str) -> str | None:
    """Return the text by which a message is found, None for a message without text."""
    return normalised(body)[:MAX_SEARCH_TEXT_CHARACTERS] or None


def query_of(typed: str) -> str:
    """Return the normalised query. Raises DomainError if it is too short or too long."""
    query = normalised(typed).strip()
    if not MIN_QUERY_CHARACTERS <= len(query) <= MAX_QUERY_CHARACTERS or not is_storable(query):
        raise invalid(f"q: {MIN_QUERY_CHARACTERS} to {MAX_QUERY_CHARACTERS} characters.")
    return query


def sample_distances(budget: int) -> list[int]:
    """Return the distances from the newest message at which timestamps are sampled. Each is twice the one before."""
    return [0, *(1 << power for power in range((budget - 1).bit_length())), budget]


def choose_slices(ranges: Iterable[ScanRange], budget: int) -> tuple[list[Slice], SearchCursor | None]:
    """Choose slices of at most `budget` messages, and the cursor up to which they are complete (None: to the end).

    The slice that ends at the newest message grows to its next sample, until that exceeds the budget. At least one
    message is chosen, and at least half of the chosen messages lie before the cursor.
    """
    ends = [(_order_at(one, 0), 0, one) for one in ranges if one.samples]
    heapq.heapify(ends)
    chosen: dict[str, Slice] = {}
    while ends:
        _, index, room = ends[0]
        covered, is_last = room.samples[index][0], index + 1 == len(room.samples)
        distance = room.top - room.floor if is_last else room.samples[index + 1][0]
        budget -= distance - covered
        if budget < 0:
            at, room_id, seq = ends[0][0]
            return list(chosen.values()), SearchCursor(-at, room_id, 1 - seq)
        chosen[room.room_id] = Slice(room.room_id, room.top - distance + 1, room.top)
        if is_last:
            heapq.heappop(ends)
        else:
            heapq.heapreplace(ends, (_order_at(room, index + 1), index + 1, room))
    return list(chosen.values()), None


def _order_at(room: ScanRange, index: int) -> Order:
    distance, at = room.samples[index]
    return (-at, room.room_id, distance - room.top)


def cut_page(
    hits: Sequence[StoredMessage], end: SearchCursor | None, limit: int, budget: int
) -> tuple[list[StoredMessage], SearchCursor | None]:
    """Return the first `hits` up to `end`, at most `limit` and within `budget` bytes, and the cursor of the next page.

    `hits` are ordered, and contain more than `limit` if there are more.
    """
    complete = [hit for hit in hits if end is None or cursor_at(hit).order <= end.order]
    page: list[StoredMessage] = []
    for hit in complete[:limit]:
        budget -= estimated_bytes(hit)
        if budget < 0 and page:
            break
        page.append(hit)
    return page, cursor_at(page[-1]) if len(page) < len(complete) else end


def cursor_at(message: StoredMessage) -> SearchCursor:
    return SearchCursor(message.at, message.room_id, message.seq)
