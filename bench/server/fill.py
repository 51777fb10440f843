"""A room with very many messages, written directly into the database, because sending a million would take an hour.

In batches of 10,000, so that the server can write in between; into SQLite without flushing to disk.
"""

import hashlib
import itertools
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql

from bench.server.stack import Server
from bench.tally import body_of

BATCH = 10_000


def fill_webchat(server: Server, room_id: str, senders: list[str], count: int) -> None:
    """Insert messages 1 … `count` into an empty room and set its head. The log of events stays unchanged."""
    room, authors = uuid.UUID(room_id).bytes, [uuid.UUID(sender).bytes for sender in senders]
    now = time.time_ns() // 1_000_000
    with closing(_open_rooms(server)) as db:
        cursor = db.cursor()
        cursor.execute(f"SELECT head_version FROM room WHERE id = {_hex(room)}")  # noqa: S608 - our own ID
        version = cursor.fetchone()[0]

        def row(seq: int) -> dict[str, Any]:
            body = body_of(seq)
            return {
                "room_id": room, "seq": seq, "version": version, "sender_id": authors[seq % len(authors)],
                "client_id": uuid.UUID(int=seq).bytes, "digest": hashlib.sha256(body.encode()).digest(),
                "kind": "text", "body": body, "at": now - (count - seq) * 100, "deleted": False,
                "reaction_count": 0, "search_text": body.casefold(),
            }  # fmt: skip

        _insert(db, "message", (row(seq) for seq in range(1, count + 1)))
        cursor.execute(f"UPDATE room SET head_seq = {count} WHERE id = {_hex(room)}")  # noqa: S608 - our own ID
        db.commit()


def fill_baseline(database: Path, room_id: str, count: int) -> None:
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    rows = ({"room_id": room_id, "sender": "user1", "body": body_of(n), "created_at": at} for n in range(count))
    with closing(_open_file(database)) as db:
        _insert(db, "message", rows)


def _hex(value: bytes) -> str:
    """Return a literal that SQLite and MariaDB read."""
    return f"x'{value.hex()}'"


def _open_rooms(server: Server) -> Any:
    if server.mariadb_port is None:
        return _open_file(next(server.data.rglob("rooms.sqlite3")))
    return pymysql.connect(host="127.0.0.1", port=server.mariadb_port, user="root", database="webchat_rooms")


def _open_file(database: Path) -> sqlite3.Connection:
    db = sqlite3.connect(database, timeout=10)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA cache_size=-65536")
    return db


def _insert(db: Any, table: str, rows: Iterator[dict[str, Any]]) -> None:
    """Insert the rows in batches over a connection of either driver; their placeholders differ."""
    place = ":{}" if isinstance(db, sqlite3.Connection) else "%({})s"
    while batch := list(itertools.islice(rows, BATCH)):
        names, values = ", ".join(batch[0]), ", ".join(place.format(name) for name in batch[0])
        db.cursor().executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", batch)  # noqa: S608 - our own names
        db.commit()
