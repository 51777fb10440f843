"""Searching: what is found, by whom, in which order, and what it costs."""

import itertools
from typing import Any

import pytest

from rooms.service import searching
from rooms.storage.tables import member, message, room
from shared.database.engine import Db
from shared.errors import DomainError, Invalid
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers
from shared.web.cursors import cursor_of

A, B, C = (new_id() for _ in range(3))


async def find(house: Any, typed: str, user: str = A, room_id: str | None = None) -> list[str]:
    page = await searching.search(house.deps, user, typed, room_id)
    assert page.next is None
    return [one.body for one in page.items]


async def walk(house: Any, typed: str, user: str = A, **options: Any) -> list[list[Any]]:
    """All pages."""
    pages, cursor = [], None
    while True:
        page = await searching.search(house.deps, user, typed, cursor=cursor, **options)
        pages.append([(one.room_id, one.seq) for one in page.items])
        cursor = page.next
        if cursor is None:
            return pages


TEXTS = [
    "학교에서 만나", "우리 School 학교앞 bus 🚌", "ＡＢＣ full width", "abc plain", "100% sure", "100 percent",
    "a_b", "axb", "밥 먹자 🍚👍🏽", r"back\slash", "it's 'quoted'",
]  # fmt: skip


FOUND = {
    "학교": [0, 1], "교에": [0], "교앞 b": [1], "SCHOOL 학": [1], "학고": [],
    "abc": [2, 3], "ａＢc": [2, 3],
    "s 🚌": [1], "🍚👍": [8],
    "0%": [4], "100": [4, 5], "%%": [], "a_": [6], "__": [], r"k\s": [9], "\\%": [], "s '": [10],
}  # fmt: skip
"""Which of the texts."""


@on_each_database
async def test_what_is_found(house: Any) -> None:
    room_id = await house.group(A, B)
    await house.do(*(house.say(room_id, (A, B)[n % 2], text) for n, text in enumerate(TEXTS)))
    found = {typed: await find(house, typed) for typed in FOUND}
    assert found == {typed: [TEXTS[n] for n in reversed(numbers)] for typed, numbers in FOUND.items()}
    with pytest.raises(DomainError, match="q: 2 to"):
        await find(house, " 🚌")


@on_each_database
async def test_the_current_text_alone_is_found(house: Any) -> None:
    room_id = await house.group(A)
    await house.do(house.say(room_id, A, "first word"), house.say(room_id, A, "word to go"))
    await house.do(house.edit(room_id, A, 1, "second WORD"), house.delete(room_id, A, 2), house.react(room_id, A, 1))
    page = await searching.search(house.deps, A, "word")
    assert [(one.body, one.reactions) for one in page.items] == [("second WORD", {"👍": [A]})]
    assert await find(house, "first") == await find(house, "to go") == []
    assert await house.rows("SELECT search_text FROM message ORDER BY seq") == [("second word",), (None,)]


@on_each_database
async def test_strangers_leavers_and_those_who_came_later(house: Any) -> None:
    room_id = await house.group(A, B)
    await house.do(house.say(room_id, A, "hello one"), house.leave(room_id, B))
    await house.do(house.say(room_id, A, "hello two"), house.invite(room_id, A, C))
    await house.do(house.say(room_id, A, "hello three"))
    assert await find(house, "hello") == ["hello three", "hello two", "hello one"]
    assert await find(house, "hello", B) == await find(house, "hello", new_id()) == []
    assert await find(house, "hello", C) == await find(house, "hello", C, room_id) == ["hello three"]
    await house.do(house.invite(room_id, A, B))
    assert await find(house, "hello", B) == await find(house, "hello", B, room_id) == []


async def test_a_room_one_is_not_in_is_none(house: Any) -> None:
    room_id = await house.group(A, B)
    await house.do(house.leave(room_id, B))
    for user, named in ((B, room_id), (C, room_id), (A, new_id())):
        with pytest.raises(DomainError, match="no such room"):
            await find(house, "hello", user, named)
    assert await find(house, "hello", A, room_id) == []


async def test_hidden_direct_rooms_are_searched(house: Any) -> None:
    room_id, other = await house.direct(A, B), await house.group(A)
    await house.do(house.say(room_id, B, "hello"), house.say(other, A, "hello there"), house.leave(room_id, A))
    assert sorted(await find(house, "hello")) == ["hello", "hello there"]
    assert await find(house, "hello", A, room_id) == ["hello"]


async def fill(house: Any, rooms: int, each: int, *, joined: int = 0) -> list[str]:
    """Rooms of A with messages at interleaved times, several at each; every third has "odd" in it."""
    ids = sorted(new_id() for _ in range(rooms))

    def message_row(n: int, room_id: str, seq: int) -> dict[str, Any]:
        return {
            "room_id": room_id, "seq": seq, "version": seq, "sender_id": A, "client_id": new_id(), "digest": bytes(32),
            "kind": "text", "body": f"m{seq}", "at": 1000 + seq * (1 + n % 3) // 4, "deleted": False,
            "reaction_count": 0, "search_text": "odd one" if (n + seq) % 3 == 0 else "other",
        }  # fmt: skip

    async def write(db: Db) -> None:
        heads = [
            {"id": one, "kind": "group", "title": "", "created_at": 1, "head_version": each, "head_seq": each,
             "member_count": 1, "updated_at": 1000 + each * (1 + n % 3) // 4}
            for n, one in enumerate(ids)
        ]  # fmt: skip
        await db.execute(room.insert(), heads)
        rows = [{"room_id": one, "user_id": A, "read_seq": 0, "joined_seq": joined} for one in ids]
        await db.execute(member.insert(), rows)
        said = [message_row(n, one, seq) for n, one in enumerate(ids) for seq in range(1, each + 1)]
        await db.execute(message.insert(), said)

    await house.deps.database.transact(write)
    return ids


async def expected(house: Any, joined: int = 0) -> list[Any]:
    rows = await house.rows(
        f"SELECT room_id, seq FROM message WHERE search_text = 'odd one' AND seq > {joined} "
        "ORDER BY at DESC, room_id, seq DESC"
    )
    return [(bytes(row[0]).hex(), row[1]) for row in rows]


@on_each_database
async def test_every_hit_comes_once_and_in_order(house: Any) -> None:
    await fill(house, 7, 12, joined=2)
    in_order = await expected(house, 2)
    for limit, scanned in ((50, 20_000), (7, 20_000), (50, 64), (3, 10), (1, 1)):
        pages = await walk(house, "odd", limit=limit, scanned=scanned)
        assert [(room_id.replace("-", ""), seq) for page in pages for room_id, seq in page] == in_order
        assert all(len(page) <= limit for page in pages)


@on_each_database
async def test_what_comes_meanwhile_changes_nothing_behind_the_cursor(house: Any) -> None:
    room_id = await house.group(A)
    await house.do(*(house.say(room_id, A, f"word {n}") for n in range(6)))
    first = await searching.search(house.deps, A, "word", limit=3)
    await house.do(house.say(room_id, A, "word 6"))
    second = await searching.search(house.deps, A, "word", cursor=first.next, limit=3)
    assert [one.body for one in first.items + second.items] == [f"word {n}" for n in range(5, -1, -1)]
    assert second.next is None


@on_each_database
async def test_a_call_looks_at_so_many_and_the_next_goes_on(house: Any) -> None:
    """Two thousand messages, 300 a call: a room by itself gives all of them, several at least half."""
    ids = await fill(house, 4, 500)
    for room_id, calls in ((ids[0], 2), (None, 14)):
        pages = await walk(house, "nothing", room_id=room_id, scanned=300)
        assert set(map(len, pages)) == {0}
        assert len(pages) <= calls


async def test_large_messages_make_smaller_pages(house: Any) -> None:
    room_id = await house.group(A)
    await house.do(*(house.say(room_id, A, "말" * 4000) for _ in range(60)))
    pages = await walk(house, "말말")
    assert [seq for page in pages for _, seq in page] == list(range(60, 0, -1))
    assert 40 < len(pages[0]) < 50


@on_each_database
@pytest.mark.parametrize("rooms", [1, 1000])
async def test_three_statements_however_many_rooms(house: Any, rooms: int) -> None:
    ids = await fill(house, rooms, 3)
    async with house.deps.database.write() as db:
        await db.execute(message.update().values(reaction_count=1))
    for cursor in (None, cursor_of([1001, ids[-1], 3])):
        async with house.counting() as statements:
            page = await searching.search(house.deps, A, "od", cursor=cursor)
        assert page.items
        assert len([one for one in statements if not one.startswith(("BEGIN", "SET"))]) == 3


async def test_cursors_that_are_none(house: Any) -> None:
    for cursor in ("x", "", cursor_of([1, 2, 3]), cursor_of([1, A]), cursor_of([-1, A, 1]), "%00"):
        with pytest.raises(Invalid):
            await searching.search(house.deps, A, "word", cursor=cursor)


@on_servers
async def test_the_server_reads_no_more_than_is_looked_at(quiet: Any) -> None:
    """Near the newest messages and far behind them: 100 of 3,000 a call, and as many rows, at most, to find these."""
    ids = await fill(quiet, 3, 1000)
    await quiet.on_one_connection()
    server = "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_key', 'Handler_read_next', 'Handler_read_prev')"
    for cursor, room_id in itertools.product((None, cursor_of([1100, ids[1], 1])), (None, ids[0])):
        before = sum(int(value) for _, value in await quiet.rows(server))
        await searching.search(quiet.deps, A, "nothing", room_id, cursor, scanned=100)
        assert sum(int(value) for _, value in await quiet.rows(server)) - before < 100 + 100
