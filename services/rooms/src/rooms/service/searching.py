"""Searching the messages of one's rooms: those one may see, hidden direct rooms included.

A call costs three statements at most, however many rooms there are, and looks at a bounded number of messages. A page
may be empty and still have a next one.
"""

from rooms.domain.errors import no_room
from rooms.domain.search import NEWEST, SearchCursor, page_of, query_of, slices_of
from rooms.service.dependencies import Dependencies
from rooms.service.reading import show_messages
from rooms.storage.homes import find_seat
from rooms.storage.search import find_in, list_reaches
from shared.contracts.rooms import DEFAULT_PAGE, PAGE_BYTES, Message
from shared.database.engine import Db
from shared.web.cursors import IdKey, TimeKey, cursor_of, read_cursor
from shared.web.openapi import Page

MAX_SCANNED = 20_000


async def search(
    deps: Dependencies,
    user_id: str,
    typed: str,
    room_id: str | None = None,
    cursor: str | None = None,
    *,
    limit: int = DEFAULT_PAGE,
    scanned: int = MAX_SCANNED,
) -> Page:
    """Newest first, in all rooms or in one.

    Raises Invalid for a bad cursor or a query that is too short or too long, NotFound for non-members of the room.
    """
    query = query_of(typed)
    after = NEWEST if cursor is None else SearchCursor(*read_cursor(cursor, tuple[TimeKey, IdKey, TimeKey]))

    async def find(db: Db) -> tuple[list[Message], SearchCursor | None]:
        reaches = await list_reaches(db, user_id, room_id, after, scanned)
        if room_id is not None and not reaches and await find_seat(db, room_id, user_id) is None:
            raise no_room()
        slices, end = slices_of(reaches, scanned)
        page, following = page_of(await find_in(db, slices, query, limit + 1), end, limit, PAGE_BYTES)
        return await show_messages(db, page), following

    shown, following = await deps.database.snapshot(find)
    return Page(shown, None if following is None else cursor_of(following))
