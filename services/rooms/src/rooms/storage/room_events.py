"""Events of rooms: inserted with the change that they describe, loaded by version, trimmed by age."""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, delete, func, select, tuple_

from rooms.domain.state import ClientKey, StoredMessage
from rooms.domain.stored_events import MESSAGE_OPS, SYSTEM_MESSAGE_OPS, StoredEvent
from rooms.storage import messages
from rooms.storage.rows import rows_of
from rooms.storage.tables import message, room_event
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert

COLUMNS = [room_event.c[name] for name in StoredEvent.__struct_fields__]
_command_key = (room_event.c.room_id, room_event.c.actor_id, room_event.c.command_id)
_answered = CompiledStatement(
    select(*_command_key, room_event.c.version).where(tuple_(*_command_key).in_(bindparam("keys", expanding=True)))
)
_key = (room_event.c.room_id, room_event.c.version)
_with_messages = CompiledStatement(
    select(*COLUMNS, *messages.COLUMNS)
    .outerjoin(
        message,
        (message.c.room_id == room_event.c.room_id)
        & (message.c.seq == room_event.c.seq)
        & room_event.c.op.in_(MESSAGE_OPS),
    )
    .where(tuple_(*_key).in_(bindparam("keys", expanding=True)))
    .order_by(*_key)
)
_system_messages = CompiledStatement(
    select(*COLUMNS)
    .where(room_event.c.room_id == bindparam("id"), room_event.c.op.in_(SYSTEM_MESSAGE_OPS))
    .where(room_event.c.version.between(bindparam("first"), bindparam("last")))
    .order_by(room_event.c.version)
    .limit(bindparam("limit"))
)
_first = CompiledStatement(
    select(room_event.c.room_id, func.min(room_event.c.version))
    .where(room_event.c.room_id.in_(bindparam("ids", expanding=True)))
    .group_by(room_event.c.room_id)
)
_old = CompiledStatement(
    select(*_key)
    .where(room_event.c.at < bindparam("before"))
    .order_by(room_event.c.at, *_key)
    .limit(bindparam("limit"))
)
_remove = CompiledStatement(delete(room_event).where(tuple_(*_key).in_(bindparam("keys", expanding=True))))


async def find_answered(db: Db, keys: Collection[ClientKey]) -> dict[ClientKey, int]:
    """Return the version with which each of these commands was answered. Unknown ones are omitted."""
    rows = await db.fetch(_answered, {"keys": list(keys)})
    return {(row[0], row[1], row[2]): row[3] for row in rows}


async def list_events(db: Db, keys: Collection[tuple[str, int]]) -> list[tuple[StoredEvent, StoredMessage | None]]:
    """Return the events of these (room id, version), ordered by key, with the messages of `MESSAGE_OPS`."""
    if not keys:
        return []
    size = len(COLUMNS)
    rows = await db.fetch(_with_messages, {"keys": list(keys)})
    return [(StoredEvent(*row[:size]), StoredMessage(*row[size:]) if row[size] else None) for row in rows]


async def list_system_messages(db: Db, room_id: str, first: int, last: int, limit: int) -> list[StoredEvent]:
    """Return the first system messages among the versions `first` … `last`. It scans all these versions."""
    values = {"id": room_id, "first": first, "last": last, "limit": limit}
    return [StoredEvent(*row) for row in await db.fetch(_system_messages, values)]


async def insert_events(db: Db, events: Iterable[StoredEvent]) -> None:
    await run_insert(db, room_event, rows_of(events))


async def delete_older(db: Db, before: int, limit: int) -> int:
    """Delete the oldest events before a time, at most `limit`, in each room from the lowest version on.

    Return the number of deleted events.
    """
    keys = [tuple(row) for row in await db.fetch(_old, {"before": before, "limit": limit})]
    if keys:
        await db.run(_remove, [{"keys": keys}])
    return len(keys)


async def find_first_kept(db: Db, room_ids: Collection[str]) -> dict[str, int]:
    """Return the oldest version that is kept of each room."""
    return {row[0]: row[1] for row in await db.fetch(_first, {"ids": list(room_ids)})}
