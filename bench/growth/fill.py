"""Rooms and messages made inside MySQL, by INSERT … SELECT: to send millions would take hours.

Room `k` has three people, two messages and their events; each person is in twenty rooms. Ids are those of UUIDv7 in
their order, so that what is new lies at the end of a table, as it does in life.
"""

import pymysql
from pymysql.cursors import Cursor

from bench.tally import BODY
from shared.ids import id_text

CHUNK = 50_000
ROOMS_EACH, PEOPLE, SAID = 20, 3, 2
DEEP = 0
"""The number of the room with the long history; its people are those of the first rooms."""
BEGAN = 1_700_000_000_000
_ROOM = "UNHEX(CONCAT(LPAD(HEX({ms} + {k}), 12, '0'), '70008000', LPAD(HEX({k}), 12, '0')))"
_NUMBERS = "SELECT a.n * 1000 + b.n + 1 AS n FROM thousand a JOIN thousand b WHERE a.n < %s"
_MEMBER = "INSERT INTO member (room_id, user_id, read_seq) SELECT {room}, {user}, 0 FROM numbers WHERE {which}"
_MESSAGE = (
    "INSERT INTO message (room_id, seq, version, sender_id, client_id, digest, kind, body, at, deleted, reaction_count,"
    " search_text) SELECT {room}, {seq}, {seq}, {user}, UNHEX(LEFT(SHA2(CONCAT({k}, '-', {seq}), 256), 32)),"
    " UNHEX(REPEAT('00', 32)), 'text', {body}, {ms} + {seq}, FALSE, 0, {body} FROM numbers WHERE {which}"
)
_EVENT = (
    "INSERT INTO room_event (room_id, version, at, op, seq, actor_id) SELECT {room}, {seq}, {ms} + {seq},"
    " 'message.created', {seq}, {user} FROM numbers WHERE {which}"
)
_HEAD = (
    "INSERT INTO room (id, kind, title, created_at, head_version, head_seq, member_count, updated_at)"
    " SELECT {room}, 'group', 'Room', {ms}, {said}, {said}, {people}, {ms} + {said} FROM numbers WHERE {which}"
)


def room_id(k: int) -> str:
    return id_text((BEGAN + k).to_bytes(6, "big") + bytes.fromhex("70008000") + k.to_bytes(6, "big"))


def user_id(k: int, place: int) -> str:
    """One of the three people of room `k`."""
    return id_text(bytes.fromhex("00000000000070009000") + (k // ROOMS_EACH * PEOPLE + place).to_bytes(6, "big"))


def prepare(connection: "pymysql.Connection[Cursor]") -> None:
    """A table of the numbers 1 … `CHUNK`, and no flush for each commit."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE thousand (n INT PRIMARY KEY)")
        cursor.executemany("INSERT INTO thousand VALUES (%s)", [(n,) for n in range(1000)])
        cursor.execute("CREATE TABLE numbers (n INT PRIMARY KEY)")
        cursor.execute(f"INSERT INTO numbers {_NUMBERS}", (CHUNK // 1000,))
    connection.commit()


def add_rooms(connection: "pymysql.Connection[Cursor]", first: int, last: int) -> None:
    """The rooms `first` … `last`."""
    for start in range(first - 1, last, CHUNK):
        k, which = f"({start} + n)", f"n <= {min(CHUNK, last - start)}"
        room = _ROOM.format(ms=BEGAN, k=k)
        names = {"room": room, "k": k, "ms": BEGAN, "which": which, "body": repr(BODY), "people": PEOPLE, "said": SAID}
        statements = [_HEAD.format(**names)]
        statements += [_MEMBER.format(user=_user(k, place), **names) for place in range(PEOPLE)]
        for seq in range(1, SAID + 1):
            said = names | {"user": _user(k, seq % PEOPLE), "seq": seq}
            statements += [_MESSAGE.format(**said), _EVENT.format(**said)]
        _run(connection, statements)


def add_history(connection: "pymysql.Connection[Cursor]", count: int) -> None:
    """The room `DEEP` with so many messages."""
    room = _ROOM.format(ms=BEGAN, k=DEEP)
    names = {"room": room, "k": DEEP, "ms": BEGAN, "body": repr(BODY), "people": PEOPLE, "said": count}
    _run(connection, [_HEAD.format(which="n = 1", **names)])
    _run(connection, [_MEMBER.format(user=_user("1", n), which="n = 1", **names) for n in range(PEOPLE)])
    for start in range(0, count, CHUNK):
        said = names | {"seq": f"({start} + n)", "user": _user("1", 0), "which": f"n <= {min(CHUNK, count - start)}"}
        _run(connection, [_MESSAGE.format(**said), _EVENT.format(**said)])


def _user(k: str, place: int) -> str:
    """As `user_id`."""
    number = f"({k} DIV {ROOMS_EACH}) * {PEOPLE} + {place}"
    return f"UNHEX(CONCAT('00000000000070009000', LPAD(HEX({number}), 12, '0')))"


def _run(connection: "pymysql.Connection[Cursor]", statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()
