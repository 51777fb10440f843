"""System messages: members who joined or left, new roles, titles and pins. They expire with the events."""

from typing import cast

from rooms.domain.errors import no_room
from rooms.domain.serializers import NO_REACTIONS
from rooms.domain.stored_events import event_of
from rooms.service.dependencies import Dependencies
from rooms.storage import room_events, room_lists
from shared.contracts.limits import MAX_INTEGER
from shared.database.engine import Db
from shared.events.rooms import SystemEvent
from shared.web.cursors import TimeKey, cursor_of, read_cursor
from shared.web.openapi import Page

MAX_SCANNED_VERSIONS = 5_000
MAX_PAGE_ITEMS = 500


async def list_page(
    deps: Dependencies,
    room_id: str,
    user_id: str,
    *,
    after: int = 0,
    before: int = MAX_INTEGER,
    cursor: str | None = None,
    max_scanned: int = MAX_SCANNED_VERSIONS,
    limit: int = MAX_PAGE_ITEMS,
) -> Page[SystemEvent]:
    """Return the system messages between two versions, ascending, since the user joined.

    The joins with which the room was created are omitted. A page may be empty and still have a next one. Raises
    DomainError for non-members, Invalid for a bad cursor.
    """
    scanned = 0 if cursor is None else read_cursor(cursor, TimeKey)

    async def load(db: Db) -> Page[SystemEvent]:
        found = await room_lists.find_row(db, room_id, user_id)
        if found is None:
            raise no_room()
        (room, member, _), _ = found
        first = max(after + 1, scanned + 1, member.joined_version)
        end = min(before - 1, room.head_version)
        last = min(first + max_scanned - 1, end)
        rows = await room_events.list_system_messages(db, room_id, first, last, limit) if first <= last else []
        if len(rows) == limit:
            last = rows[-1].version
        shown = [row for row in rows if row.op != "member.joined" or row.at > room.created_at]
        events = [event_of(row, None, NO_REACTIONS) for row in shown]
        # The statement selects only these.
        return Page(cast("list[SystemEvent]", events), cursor_of(last) if last < end else None)

    return await deps.database.snapshot(load)
