"""Events of rooms: inserted with what they tell of, read by version, trimmed by age."""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, delete, func, insert, select, tuple_

from rooms.domain.event_rows import LINES, SHOWS_MESSAGE, EventRow
from rooms.domain.state import ClientKey, StoredMessage
from rooms.storage import messages
from rooms.storage.rows import rows_of
from rooms.storage.tables import message, room_event
from shared.database.engine import Db

COLUMNS = [room_event.c[name] for name in EventRow.__struct_fields__]
_command_key = (room_event.c.room_id, room_event.c.actor_id, room_event.c.command_id)
_answered = select(*_command_key, room_event.c.version).where(
    tuple_(*_command_key).in_(bindparam("keys", expanding=True))
)
_key = (room_event.c.room_id, room_event.c.version)
_with_messages = (
    select(*COLUMNS, *messages.COLUMNS)
    .outerjoin(
        message,
        (message.c.room_id == room_event.c.room_id)
        & (message.c.seq == room_event.c.seq)
        & room_event.c.op.in_(SHOWS_MESSAGE),
    )
    .where(tuple_(*_key).in_(bindparam("keys", expanding=True)))
    .order_by(*_key)
)
_lines = (
    select(*COLUMNS)
    .where(room_event.c.room_id == bindparam("id"), room_event.c.op.in_(LINES))
    .where(room_event.c.version.between(bindparam("first"), bindparam("last")))
    .order_by(room_event.c.version)
    .limit(bindparam("limit"))
)
_first = (
    select(room_event.c.room_id, func.min(room_event.c.version))
    .where(room_event.c.room_id.in_(bindparam("ids", expanding=True)))
    .group_by(room_event.c.room_id)
)
_old = (
    select(*_key)
    .where(room_event.c.at < bindparam("before"))
    .order_by(room_event.c.at, *_key)
    .limit(bindparam("limit"))
)
_remove = delete(room_event).where(tuple_(*_key).in_(bindparam("keys", expanding=True)))


async def find_answered(db: Db, keys: Collection[ClientKey]) -> dict[ClientKey, int]:
    """The version that answered each command whose id is known."""
    rows = await db.execute(_answered, {"keys": list(keys)})
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def list_events(db: Db, keys: Collection[tuple[str, int]]) -> list[tuple[EventRow, StoredMessage | None]]:
    """The events of these (room id, version), in that order, with the messages that they show."""
    if not keys:
        return []
    size = len(COLUMNS)
    rows = await db.execute(_with_messages, {"keys": list(keys)})
    return [(EventRow(*row[:size]), StoredMessage(*row[size:]) if row[size] else None) for row in rows]


async def list_lines(db: Db, room_id: str, first: int, last: int, limit: int) -> list[EventRow]:
    """The first lines among the versions `first` … `last`; all of these are looked at."""
    asked = {"id": room_id, "first": first, "last": last, "limit": limit}
    return [EventRow(*row) for row in await db.execute(_lines, asked)]


async def insert_events(db: Db, events: Iterable[EventRow]) -> None:
    if rows := rows_of(events):
        await db.execute(insert(room_event), rows)


async def remove_older(db: Db, before: int, limit: int) -> int:
    """Remove the oldest events before a time, at most `limit`; a room's lowest versions go first."""
    keys = [tuple(row) for row in await db.execute(_old, {"before": before, "limit": limit})]
    if keys:
        await db.execute(_remove, {"keys": keys})
    return len(keys)


async def first_kept(db: Db, room_ids: Collection[str]) -> dict[str, int]:
    """The oldest version that is kept of each room."""
    return {row[0]: row[1] for row in await db.execute(_first, {"ids": list(room_ids)})}
