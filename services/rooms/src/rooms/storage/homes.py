"""Rooms as their members see them: head, membership and last message joined, one statement for any number of rooms."""

from collections.abc import Collection
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, select, tuple_

from rooms.domain.state import MemberKey, MemberState, RoomState, StoredMessage
from rooms.storage import members, messages, rooms
from rooms.storage.tables import log_epoch, member, message, room
from shared.database.engine import Db

Seat: TypeAlias = tuple[RoomState, MemberState, StoredMessage | None]
"""A room, one's membership in it, and its last message, if one sees it."""

_ROOM, _MEMBER = len(rooms.COLUMNS), len(rooms.COLUMNS) + len(members.COLUMNS)

_last = (message.c.room_id == room.c.id) & (message.c.seq == room.c.head_seq) & (message.c.seq > member.c.joined_seq)
_epoch = select(log_epoch.c.epoch).scalar_subquery()
_seats = (
    select(*rooms.COLUMNS, *members.COLUMNS, *messages.COLUMNS, _epoch)
    .select_from(member)
    .join(room, room.c.id == member.c.room_id)
    .outerjoin(message, _last)
    .where(member.c.left_version.is_(None))
)
_by_key = _seats.where(tuple_(member.c.room_id, member.c.user_id).in_(bindparam("keys", expanding=True)))
_named = _by_key.where(member.c.hidden.is_(False))
_all = _seats.where(member.c.user_id.in_(bindparam("ids", expanding=True)), member.c.hidden.is_(False))
_page = (
    _seats.where(member.c.user_id == bindparam("user_id"), member.c.hidden.is_(False))
    .where(
        (room.c.updated_at < bindparam("at")) | (room.c.updated_at == bindparam("at")) & (room.c.id < bindparam("id"))
    )
    .order_by(room.c.updated_at.desc(), room.c.id.desc())
    .limit(bindparam("limit"))
)


def _seat(row: Row[*tuple[Any, ...]]) -> Seat:
    last = row[_MEMBER:-1]
    return RoomState(*row[:_ROOM]), MemberState(*row[_ROOM:_MEMBER]), StoredMessage(*last) if last[0] else None


async def find_seat(db: Db, room_id: str, user_id: str) -> tuple[Seat, str] | None:
    """A member's seat, hidden ones included, and the epoch."""
    row = (await db.execute(_by_key, {"keys": [(room_id, user_id)]})).first()
    return None if row is None else (_seat(row), row[-1])


async def seats_of(db: Db, user_ids: Collection[str]) -> list[Seat]:
    """All rooms of these users but hidden ones."""
    return [_seat(row) for row in await db.execute(_all, {"ids": list(user_ids)})] if user_ids else []


async def named_seats(db: Db, keys: Collection[MemberKey]) -> list[Seat]:
    """Those of `keys` who are in, hidden rooms left out."""
    return [_seat(row) for row in await db.execute(_named, {"keys": list(keys)})] if keys else []


async def list_seats(db: Db, user_id: str, before: tuple[int, str], limit: int) -> list[Seat]:
    """A user's rooms before a place in the order of activity, newest first."""
    values = {"user_id": user_id, "at": before[0], "id": before[1], "limit": limit}
    return [_seat(row) for row in await db.execute(_page, values)]
