"""Searching messages: how texts are compared, and how far back one call looks.

Found messages are in the order of places: newest first, at the same time by room, in a room by falling seq.
A room's messages have no holes and their times never run backwards, so a few times of each room are enough to choose
slices that hold everything newer than some place, and no more messages in all than may be looked at.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from rooms.domain.errors import invalid
from rooms.domain.state import StoredMessage, weight
from rooms.domain.well_formed import is_writable
from shared.contracts.rooms import MAX_INTEGER
from shared.text import normalised

MIN_QUERY, MAX_QUERY = 2, 100
MAX_SEARCHED = 8_000
"""Characters of a normalised text that are kept: twice a body, since a few characters become many."""
Order: TypeAlias = tuple[int, str, int]


class SearchCursor(NamedTuple):
    """A message's place in the order of the search: a page begins behind one."""

    at: int
    room_id: str
    seq: int

    @property
    def order(self) -> Order:
        return (-self.at, self.room_id, -self.seq)


NEWEST = SearchCursor(MAX_INTEGER, "00000000-0000-0000-0000-000000000000", MAX_INTEGER)


class Reach(msgspec.Struct):
    """What is left to look at in a room: `above` + 1 … `top`, and the time of the message at some steps below `top`."""

    room_id: str
    above: int
    top: int
    times: list[tuple[int, int]]
    """(step, at) by rising step, from 0 on, as far as there are messages."""


class Slice(NamedTuple):
    room_id: str
    first: int
    last: int


def search_text(body: str) -> str | None:
    """What a message is found by; None for one without text."""
    return normalised(body)[:MAX_SEARCHED] or None


def query_of(typed: str) -> str:
    """Raises DomainError for what is too short or too long once it is normalised."""
    query = normalised(typed).strip()
    if not MIN_QUERY <= len(query) <= MAX_QUERY or not is_writable(query):
        raise invalid(f"q: {MIN_QUERY} to {MAX_QUERY} characters.")
    return query


def steps_of(budget: int) -> list[int]:
    """At which distances from the newest message the times of a room are looked up: twice as far each time."""
    return [0, *(1 << power for power in range((budget - 1).bit_length())), budget]


def slices_of(reaches: Iterable[Reach], budget: int) -> tuple[list[Slice], SearchCursor | None]:
    """At most `budget` messages, and the place up to which they are complete; None where nothing is left.

    The room that reaches back least goes on, a step at a time, until its step is too long for what is left. At least
    one message is taken, and of all that are taken at least half lie before the place.
    """
    ends = [(_order_at(reach, 0), 0, reach) for reach in reaches if reach.times]
    heapq.heapify(ends)
    taken: dict[str, Slice] = {}
    while ends:
        _, index, reach = ends[0]
        done, is_last = reach.times[index][0], index + 1 == len(reach.times)
        step = reach.top - reach.above if is_last else reach.times[index + 1][0]
        budget -= step - done
        if budget < 0:
            at, room_id, seq = ends[0][0]
            return list(taken.values()), SearchCursor(-at, room_id, 1 - seq)
        taken[reach.room_id] = Slice(reach.room_id, reach.top - step + 1, reach.top)
        if is_last:
            heapq.heappop(ends)
        else:
            heapq.heapreplace(ends, (_order_at(reach, index + 1), index + 1, reach))
    return list(taken.values()), None


def _order_at(reach: Reach, index: int) -> Order:
    step, at = reach.times[index]
    return (-at, reach.room_id, step - reach.top)


def page_of(
    hits: Sequence[StoredMessage], end: SearchCursor | None, most: int, budget: int
) -> tuple[list[StoredMessage], SearchCursor | None]:
    """The first of `hits` up to `end`, as many and as large as may be, and where the next page begins.

    `hits` are in order, and more than `most` if there are more.
    """
    complete = [hit for hit in hits if end is None or cursor_at(hit).order <= end.order]
    page: list[StoredMessage] = []
    for hit in complete[:most]:
        budget -= weight(hit)
        if budget < 0 and page:
            break
        page.append(hit)
    return page, cursor_at(page[-1]) if len(page) < len(complete) else end


def cursor_at(message: StoredMessage) -> SearchCursor:
    return SearchCursor(message.at, message.room_id, message.seq)
