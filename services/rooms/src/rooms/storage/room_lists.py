"""Loads rooms as their members see them: room, membership and last message, in one statement for any number."""

from collections.abc import Collection
from typing import TypeAlias

import msgspec
from sqlalchemy import bindparam, select, tuple_

from rooms.domain.state import MemberKey, MemberState, RoomState, StoredMessage
from rooms.storage import members, messages, rooms
from rooms.storage.tables import log_epoch, member, message, room
from shared.database.compiled import CompiledStatement, Row
from shared.database.engine import Db

RoomListRow: TypeAlias = tuple[RoomState, MemberState, StoredMessage | None]
"""A room, a user's membership in it, and its last message if the user may see it."""

_ROOM, _MEMBER = len(rooms.COLUMNS), len(rooms.COLUMNS) + len(members.COLUMNS)

_last = (message.c.room_id == room.c.id) & (message.c.seq == room.c.head_seq) & (message.c.seq > member.c.joined_seq)
_epoch = select(log_epoch.c.epoch).scalar_subquery()
_rows = (
    select(*rooms.COLUMNS, *members.COLUMNS, *messages.COLUMNS, _epoch)
    .select_from(member)
    .join(room, room.c.id == member.c.room_id)
    .outerjoin(message, _last)
    .where(member.c.left_version.is_(None))
)
_rows_by_key = _rows.where(tuple_(member.c.room_id, member.c.user_id).in_(bindparam("keys", expanding=True)))
_by_key = CompiledStatement(_rows_by_key)
_named = CompiledStatement(_rows_by_key.where(member.c.hidden.is_(False)))
_all = CompiledStatement(
    _rows.where(member.c.user_id.in_(bindparam("ids", expanding=True)), member.c.hidden.is_(False))
)
_page = CompiledStatement(
    _rows.where(member.c.user_id == bindparam("user_id"), member.c.hidden.is_(False))
    .where(
        (room.c.updated_at < bindparam("at")) | (room.c.updated_at == bindparam("at")) & (room.c.id < bindparam("id"))
    )
    .order_by(room.c.updated_at.desc(), room.c.id.desc())
    .limit(bindparam("limit"))
)


_member_key = (member.c.room_id, member.c.user_id)
_views = CompiledStatement(
    select(*_member_key, room.c.head_version, room.c.head_seq, member.c.joined_seq, _epoch)
    .select_from(member)
    .join(room, room.c.id == member.c.room_id)
    .where(member.c.left_version.is_(None), tuple_(*_member_key).in_(bindparam("keys", expanding=True)))
)


class RoomView(msgspec.Struct):
    """The messages that a member may see: those after `joined_seq`, up to `head_seq`."""

    head_version: int
    head_seq: int
    joined_seq: int
    epoch: str


def _to_row(row: Row) -> RoomListRow:
    last = row[_MEMBER:-1]
    return RoomState(*row[:_ROOM]), MemberState(*row[_ROOM:_MEMBER]), StoredMessage(*last) if last[0] else None


async def find_row(db: Db, room_id: str, user_id: str) -> tuple[RoomListRow, str] | None:
    """Return the row of a member, even if the room is hidden, and the epoch. None for non-members."""
    rows = await db.fetch(_by_key, {"keys": [(room_id, user_id)]})
    return (_to_row(rows[0]), rows[0][-1]) if rows else None


async def find_views(db: Db, keys: Collection[MemberKey]) -> dict[MemberKey, RoomView]:
    """Return the messages that members may see, even of hidden rooms. Non-members are omitted."""
    rows = await db.fetch(_views, {"keys": list(keys)})
    return {(row[0], row[1]): RoomView(*row[2:]) for row in rows}


async def list_rows(db: Db, user_ids: Collection[str]) -> list[RoomListRow]:
    """Return all rooms of the users except hidden ones."""
    return [_to_row(row) for row in await db.fetch(_all, {"ids": list(user_ids)})] if user_ids else []


async def list_named_rows(db: Db, keys: Collection[MemberKey]) -> list[RoomListRow]:
    """Return the rows of the given memberships, without former members and hidden rooms."""
    return [_to_row(row) for row in await db.fetch(_named, {"keys": list(keys)})] if keys else []


async def list_page(db: Db, user_id: str, before: tuple[int, str], limit: int) -> list[RoomListRow]:
    """Return a page of a user's rooms by latest activity, newest first. `before`: (updated at, room id)."""
    values = {"user_id": user_id, "at": before[0], "id": before[1], "limit": limit}
    return [_to_row(row) for row in await db.fetch(_page, values)]
