"""Searches the messages that a user may see, including those in hidden direct rooms.

A call takes at most three statements, however many rooms there are, and scans a bounded number of messages. A page may
therefore be empty and still have a next one.
"""

from rooms.domain.errors import no_room
from rooms.domain.search import NEWEST, SearchCursor, choose_slices, cut_page, query_of
from rooms.service.dependencies import Dependencies
from rooms.service.queries.reading import add_reactions
from rooms.storage.room_lists import find_row
from rooms.storage.search import find_in_slices, list_scan_ranges
from shared.contracts.limits import DEFAULT_PAGE, MAX_PAGE_BYTES
from shared.contracts.rooms import Message
from shared.database.engine import Db
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor
from shared.web.openapi import Page

MAX_SCANNED_MESSAGES = 20_000


async def search(
    deps: Dependencies,
    user_id: str,
    text: str,
    room_id: str | None = None,
    cursor: str | None = None,
    *,
    limit: int = DEFAULT_PAGE,
    max_scanned: int = MAX_SCANNED_MESSAGES,
) -> Page[Message]:
    """Return a page of messages that contain a text, newest first, from all rooms of the user or from one.

    Raises Invalid for a bad cursor or a text that is too short or too long, NotFound for non-members of the room,
    Unavailable if too many searches of the user are waiting.
    """
    query = query_of(text)
    after = NEWEST if cursor is None else SearchCursor(*read_cursor(cursor, tuple[TimeKey, IdKey, TimeKey]))

    async def find(db: Db) -> tuple[list[Message], SearchCursor | None]:
        ranges = await list_scan_ranges(db, user_id, room_id, after, max_scanned)
        if room_id is not None and not ranges and await find_row(db, room_id, user_id) is None:
            raise no_room()
        slices, end = choose_slices(ranges, max_scanned)
        page, following = cut_page(await find_in_slices(db, slices, query, limit + 1), end, limit, MAX_PAGE_BYTES)
        return await add_reactions(db, page), following

    async with deps.searches.worker(user_id):
        messages, following = await deps.database.snapshot(find)
    return Page(messages, None if following is None else cursor_of(following))
