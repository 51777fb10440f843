"""A room with very many messages, written directly into the database, because sending a million would take an hour.

In batches of 10,000, so that the server can write in between, and without flushing to disk.
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

from bench.tally import body_of

BATCH = 10_000


def fill_webchat(database: Path, room_id: str, senders: list[str], count: int) -> None:
    """Insert messages 1 … `count` into an empty room and set its head. The log of events stays unchanged."""
    room, authors = uuid.UUID(room_id).bytes, [uuid.UUID(sender).bytes for sender in senders]
    now = time.time_ns() // 1_000_000
    with closing(_open(database)) as db:
        version = db.execute("SELECT head_version FROM room WHERE id = ?", (room,)).fetchone()[0]
        has = {row[1] for row in db.execute("PRAGMA table_info(message)")}

        def row(seq: int) -> dict[str, Any]:
            body = body_of(seq)
            columns = {
                "room_id": room, "seq": seq, "version": version, "sender_id": authors[seq % len(authors)],
                "client_id": uuid.UUID(int=seq).bytes, "digest": hashlib.sha256(body.encode()).digest(),
                "kind": "text", "body": body, "at": now - (count - seq) * 100, "deleted": False,
                "reaction_count": 0, "search_text": body.casefold(),
            }  # fmt: skip
            return {name: value for name, value in columns.items() if name in has}

        _insert(db, "message", (row(seq) for seq in range(1, count + 1)))
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE room SET head_seq = ? WHERE id = ?", (count, room))
        db.execute("COMMIT")


def fill_baseline(database: Path, room_id: str, count: int) -> None:
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")
    rows = ({"room_id": room_id, "sender": "user1", "body": body_of(n), "created_at": at} for n in range(count))
    with closing(_open(database)) as db:
        _insert(db, "message", rows)


def _open(database: Path) -> sqlite3.Connection:
    db = sqlite3.connect(database, isolation_level=None, timeout=10)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA cache_size=-65536")
    return db


def _insert(db: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(itertools.islice(rows, BATCH)):
        names = ", ".join(batch[0])
        values = ", ".join(f":{name}" for name in batch[0])
        db.execute("BEGIN IMMEDIATE")
        db.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", batch)  # noqa: S608 - our own names
        db.execute("COMMIT")
