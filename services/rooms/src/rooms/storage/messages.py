"""Messages. They change only while the room is locked, and are loaded by ranges of the clustered key."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from rooms.domain.search import search_text
from rooms.domain.state import ClientKey, MessageKey, StoredMessage
from rooms.domain.unit_of_work import SentMessage
from rooms.storage.rows import rows_of
from rooms.storage.tables import message
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert, run_upsert

COLUMNS = [message.c[name] for name in StoredMessage.__struct_fields__]
_MUTABLE_COLUMNS = (
    "body",
    "edited_at",
    "deleted",
    "attachments",
    "mentions",
    "reaction_count",
    "digest",
    "search_text",
)

_client_key = (message.c.room_id, message.c.sender_id, message.c.client_id)
_sent = CompiledStatement(
    select(*_client_key, message.c.seq, message.c.version, message.c.at, message.c.digest).where(
        tuple_(*_client_key).in_(bindparam("keys", expanding=True))
    )
)
_by_key = CompiledStatement(
    select(*COLUMNS).where(tuple_(message.c.room_id, message.c.seq).in_(bindparam("keys", expanding=True)))
)
_range = CompiledStatement(
    select(*COLUMNS)
    .where(message.c.room_id == bindparam("id"), message.c.seq.between(bindparam("first"), bindparam("last")))
    .order_by(message.c.seq)
)
_first_at = CompiledStatement(
    select(message.c.seq)
    .where(message.c.room_id == bindparam("id"), message.c.at >= bindparam("at"))
    .order_by(message.c.at, message.c.seq)
    .limit(1)
)


async def find_sent(db: Db, keys: Collection[ClientKey]) -> dict[ClientKey, SentMessage]:
    """Return the stored messages that have one of these client ids."""
    rows = await db.fetch(_sent, {"keys": list(keys)})
    return {(row[0], row[1], row[2]): SentMessage(*row[3:]) for row in rows}


async def find_messages(db: Db, keys: Collection[MessageKey]) -> dict[MessageKey, StoredMessage]:
    rows = await db.fetch(_by_key, {"keys": list(keys)})
    return {(row[0], row[1]): StoredMessage(*row) for row in rows}


async def list_range(db: Db, room_id: str, first: int, last: int) -> list[StoredMessage]:
    """Return the messages `first` … `last` of a room, ascending."""
    if first > last:
        return []
    return [StoredMessage(*row) for row in await db.fetch(_range, {"id": room_id, "first": first, "last": last})]


async def find_first_at(db: Db, room_id: str, at: int) -> int | None:
    """Return the seq of the first message at or after a time. Timestamps of a room never decrease."""
    rows = await db.fetch(_first_at, {"id": room_id, "at": at})
    return rows[0][0] if rows else None


async def insert_messages(db: Db, messages: Iterable[StoredMessage]) -> None:
    await run_insert(db, message, _rows(messages))


async def save_messages(db: Db, messages: Iterable[StoredMessage]) -> None:
    """Write messages of rooms that the transaction has locked."""
    await run_upsert(db, message, _rows(messages), replace=_MUTABLE_COLUMNS)


def _rows(messages: Iterable[StoredMessage]) -> list[dict[str, Any]]:
    """Return the columns, with the normalised text for searches."""
    rows = rows_of(messages)
    for row in rows:
        row["search_text"] = search_text(row["body"])
    return rows
