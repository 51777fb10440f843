"""What stands between a room's messages: who came and went, new titles and pins, as long as events are kept."""

from rooms.domain.errors import no_room
from rooms.domain.event_rows import event_of
from rooms.domain.shapes import NO_REACTIONS
from rooms.service.dependencies import Dependencies
from rooms.storage import homes, room_events
from shared.contracts.rooms import MAX_INTEGER
from shared.database.engine import Db
from shared.web.cursors import TimeKey, cursor_of, read_cursor
from shared.web.openapi import Page

MAX_SCANNED = 5_000
MAX_LINES = 500


async def list_lines(
    deps: Dependencies,
    room_id: str,
    user_id: str,
    *,
    after: int = 0,
    before: int = MAX_INTEGER,
    cursor: str | None = None,
    scanned: int = MAX_SCANNED,
    most: int = MAX_LINES,
) -> Page:
    """Those between two versions, ascending, from one's own joining on; a page may be empty and still have a next one.

    The joinings with which the room began are left out. Raises DomainError for outsiders, Invalid for a bad cursor.
    """
    looked = 0 if cursor is None else read_cursor(cursor, TimeKey)

    async def read(db: Db) -> Page:
        seat = await homes.find_seat(db, room_id, user_id)
        if seat is None:
            raise no_room()
        (room, member, _), _ = seat
        first = max(after + 1, looked + 1, member.joined_version)
        end = min(before - 1, room.head_version)
        last = min(first + scanned - 1, end)
        rows = await room_events.list_lines(db, room_id, first, last, most) if first <= last else []
        if len(rows) == most:
            last = rows[-1].version
        shown = [row for row in rows if row.op != "member.joined" or row.at > room.created_at]
        lines = [event_of(row, None, NO_REACTIONS) for row in shown]
        return Page(lines, cursor_of(last) if last < end else None)

    return await deps.database.snapshot(read)
