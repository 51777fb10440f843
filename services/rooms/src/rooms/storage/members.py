"""Memberships. They change only while the room is locked, except read cursors, which only move forward."""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, func, select, tuple_

from rooms.domain.state import MemberKey, MemberState
from rooms.storage.rows import rows_of
from rooms.storage.tables import log_epoch, member
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_upsert

COLUMNS = [member.c[name] for name in MemberState.__struct_fields__]
_MUTABLE_COLUMNS = tuple(
    name for name in MemberState.__struct_fields__ if name not in {"room_id", "user_id", "read_seq"}
)

_key = tuple_(member.c.room_id, member.c.user_id)
_epoch = select(log_epoch.c.epoch).scalar_subquery()
_by_key = CompiledStatement(select(*COLUMNS, _epoch).where(_key.in_(bindparam("keys", expanding=True))))
_in_rooms = CompiledStatement(
    select(*COLUMNS).where(member.c.room_id.in_(bindparam("ids", expanding=True)), member.c.left_version.is_(None))
)
_of_room = CompiledStatement(
    select(*COLUMNS)
    .where(member.c.room_id == bindparam("id"), member.c.left_version.is_(None))
    .order_by(member.c.joined_version)
)
_counts = CompiledStatement(
    select(member.c.user_id, func.count())
    .where(member.c.user_id.in_(bindparam("ids", expanding=True)), member.c.left_version.is_(None))
    .group_by(member.c.user_id)
)
_memberships = CompiledStatement(
    select(*COLUMNS).where(
        member.c.user_id.in_(bindparam("ids", expanding=True)),
        member.c.left_version.is_(None),
        member.c.hidden.is_(False),
    )
)
_rooms_of = CompiledStatement(
    select(member.c.room_id)
    .where(member.c.user_id == bindparam("id"), member.c.left_version.is_(None))
    .order_by(member.c.room_id)
)
_mine, _theirs = member.alias("mine"), member.alias("theirs")
_shared = CompiledStatement(
    select(_theirs.c.user_id)
    .distinct()
    .join(_mine, _mine.c.room_id == _theirs.c.room_id)
    .where(_mine.c.user_id == bindparam("id"), _mine.c.left_version.is_(None))
    .where(_theirs.c.user_id.in_(bindparam("ids", expanding=True)), _theirs.c.left_version.is_(None))
)


async def find_members(db: Db, keys: Collection[MemberKey]) -> tuple[dict[MemberKey, MemberState], str | None]:
    """Return the given members, former ones too, and the epoch (None if there is no such member)."""
    rows = await db.fetch(_by_key, {"keys": list(keys)})
    return {(row[0], row[1]): MemberState(*row[:-1]) for row in rows}, rows[0][-1] if rows else None


async def find_members_of_rooms(db: Db, ids: Collection[str]) -> dict[MemberKey, MemberState]:
    """Return all current members of the rooms."""
    rows = await db.fetch(_in_rooms, {"ids": list(ids)})
    return {(row[0], row[1]): MemberState(*row) for row in rows}


async def list_members(db: Db, room_id: str) -> list[MemberState]:
    """Return the current members of a room, in the order in which they joined."""
    return [MemberState(*row) for row in await db.fetch(_of_room, {"id": room_id})]


async def count_rooms(db: Db, user_ids: Collection[str]) -> dict[str, int]:
    """Return the number of rooms of each user, including hidden ones."""
    return {row[0]: row[1] for row in await db.fetch(_counts, {"ids": list(user_ids)})}


async def list_memberships(db: Db, user_ids: Collection[str]) -> list[MemberState]:
    """Return the current memberships of the users, without hidden rooms."""
    return [MemberState(*row) for row in await db.fetch(_memberships, {"ids": list(user_ids)})]


async def list_room_ids(db: Db, user_id: str) -> list[str]:
    """Return the ids of all rooms of a user, including hidden ones."""
    return [row[0] for row in await db.fetch(_rooms_of, {"id": user_id})]


async def list_users_sharing_room(db: Db, user_id: str, other_ids: Collection[str]) -> list[str]:
    """Return which of the other users share a room with the user."""
    return [row[0] for row in await db.fetch(_shared, {"id": user_id, "ids": list(other_ids)})]


async def save_members(db: Db, members: Iterable[MemberState]) -> None:
    """Write members of rooms that the transaction has locked."""
    await run_upsert(db, member, rows_of(_in_order(members)), replace=_MUTABLE_COLUMNS, greatest=("read_seq",))


async def save_cursors(db: Db, members: Iterable[MemberState]) -> None:
    """Move the read cursors of existing members forward. This needs no lock and changes no other column."""
    rows = [{"room_id": one.room_id, "user_id": one.user_id, "read_seq": one.read_seq} for one in _in_order(members)]
    await run_upsert(db, member, rows, greatest=("read_seq",))


def _in_order(members: Iterable[MemberState]) -> list[MemberState]:
    """Sort by key, so that no two transactions wait for each other's rows."""
    return sorted(members, key=lambda one: one.key)
