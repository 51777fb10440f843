"""Rooms. A row has the last version and seq of its room, and its lock orders all changes in the room."""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select

from rooms.domain.state import RoomState
from rooms.storage.rows import rows_of
from rooms.storage.tables import room
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert, run_upsert

COLUMNS = [room.c[name] for name in RoomState.__struct_fields__]
_MUTABLE_COLUMNS = ("title", "head_version", "head_seq", "member_count", "pinned_seq", "updated_at")

_rooms_by_id = select(*COLUMNS).where(room.c.id.in_(bindparam("ids", expanding=True))).order_by(room.c.id)
_named = CompiledStatement(_rooms_by_id)
_locked = CompiledStatement(_rooms_by_id.with_for_update())
_direct = CompiledStatement(select(*COLUMNS).where(room.c.direct_key == bindparam("key")))
_heads = CompiledStatement(
    select(room.c.id, room.c.head_version).where(room.c.id.in_(bindparam("ids", expanding=True)))
)
_at = bindparam("at", type_=room.c.updated_at.type)
_later = (room.c.updated_at >= _at) & ((room.c.updated_at > _at) | (room.c.id > bindparam("id")))
_changed = CompiledStatement(
    select(room.c.updated_at, room.c.id, room.c.head_version)
    .where(_later)
    .order_by(room.c.updated_at, room.c.id)
    .limit(bindparam("limit"))
)


async def lock_rooms(db: Db, ids: Collection[str]) -> dict[str, RoomState]:
    """Load rooms and lock them, in the order of their ids, until the transaction ends.

    The statement reads no other table: with a consistent read in it, MariaDB rejects a row that changed while the
    statement waited for the lock (error 1020).
    """
    return await _load(db, ids, _locked)


async def load_rooms(db: Db, ids: Collection[str]) -> dict[str, RoomState]:
    return await _load(db, ids, _named)


async def _load(db: Db, ids: Collection[str], statement: CompiledStatement) -> dict[str, RoomState]:
    return {row[0]: RoomState(*row) for row in await db.fetch(statement, {"ids": list(ids)})}


async def find_direct(db: Db, key: bytes) -> RoomState | None:
    rows = await db.fetch(_direct, {"key": key})
    return RoomState(*rows[0]) if rows else None


async def list_heads(db: Db, ids: Collection[str]) -> dict[str, int]:
    """Return the newest version of each room."""
    return {row[0]: row[1] for row in await db.fetch(_heads, {"ids": list(ids)})}


async def list_changed(db: Db, after: tuple[int, str], limit: int) -> list[tuple[int, str, int]]:
    """Return (updated at, id, newest version) of rooms in that order, after the cursor (updated at, id)."""
    return [tuple(row) for row in await db.fetch(_changed, {"at": after[0], "id": after[1], "limit": limit})]


async def insert_rooms(db: Db, rooms: Iterable[RoomState]) -> None:
    """Raises IntegrityError if a pair already has a direct room."""
    await run_insert(db, room, rows_of(rooms))


async def save_rooms(db: Db, rooms: Iterable[RoomState]) -> None:
    """Write rooms that the transaction has locked."""
    await run_upsert(db, room, rows_of(rooms), replace=_MUTABLE_COLUMNS)
