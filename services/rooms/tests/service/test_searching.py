"""Searching: matches, visibility, order, cost."""

import itertools
from typing import Any

import pytest

from rooms.service.queries import searching
from rooms.storage.tables import member, message, room
from shared.database.engine import Db
from shared.errors import DomainError, Invalid
from shared.ids import new_id
from shared.testing.fixtures import on_each_database, on_servers
from shared.web.cursors import cursor_of

from .conftest import RoomsDriver

A, B, C = (new_id() for _ in range(3))


async def find(driver: RoomsDriver, text: str, user: str = A, room_id: str | None = None) -> list[str]:
    page = await searching.search(driver.deps, user, text, room_id)
    assert page.next is None
    return [one.body for one in page.items]


async def list_pages(driver: RoomsDriver, text: str, user: str = A, **options: Any) -> list[list[Any]]:
    """Return (room id, seq) of all pages."""
    pages, cursor = [], None
    while True:
        page = await searching.search(driver.deps, user, text, cursor=cursor, **options)
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
"""query → indexes of the matching texts"""


@on_each_database
async def test_matches(driver: RoomsDriver) -> None:
    room_id = await driver.group(A, B)
    await driver.execute(*(driver.send(room_id, (A, B)[n % 2], text) for n, text in enumerate(TEXTS)))
    found = {text: await find(driver, text) for text in FOUND}
    assert found == {text: [TEXTS[n] for n in reversed(numbers)] for text, numbers in FOUND.items()}
    with pytest.raises(DomainError, match="q: 2 to"):
        await find(driver, " 🚌")


@on_each_database
async def test_only_the_current_text_is_found(driver: RoomsDriver) -> None:
    room_id = await driver.group(A)
    await driver.execute(driver.send(room_id, A, "first word"), driver.send(room_id, A, "word to go"))
    await driver.execute(
        driver.edit(room_id, A, 1, "second WORD"), driver.delete(room_id, A, 2), driver.react(room_id, A, 1)
    )
    page = await searching.search(driver.deps, A, "word")
    assert [(one.body, one.reactions) for one in page.items] == [("second WORD", {"👍": [A]})]
    assert await find(driver, "first") == await find(driver, "to go") == []
    assert await driver.rows("SELECT search_text FROM message ORDER BY seq") == [("second word",), (None,)]


@on_each_database
async def test_members_find_messages_since_they_joined(driver: RoomsDriver) -> None:
    room_id = await driver.group(A, B)
    await driver.execute(driver.send(room_id, A, "hello one"), driver.leave(room_id, B))
    await driver.execute(driver.send(room_id, A, "hello two"), driver.invite(room_id, A, C))
    await driver.execute(driver.send(room_id, A, "hello three"))
    assert await find(driver, "hello") == ["hello three", "hello two", "hello one"]
    assert await find(driver, "hello", B) == await find(driver, "hello", new_id()) == []
    assert await find(driver, "hello", C) == await find(driver, "hello", C, room_id) == ["hello three"]
    await driver.execute(driver.invite(room_id, A, B))
    assert await find(driver, "hello", B) == await find(driver, "hello", B, room_id) == []


async def test_searching_a_room_as_a_non_member(driver: RoomsDriver) -> None:
    room_id = await driver.group(A, B)
    await driver.execute(driver.leave(room_id, B))
    for user, named in ((B, room_id), (C, room_id), (A, new_id())):
        with pytest.raises(DomainError, match="no such room"):
            await find(driver, "hello", user, named)
    assert await find(driver, "hello", A, room_id) == []


async def test_hidden_direct_rooms_are_searched(driver: RoomsDriver) -> None:
    room_id, other = await driver.direct(A, B), await driver.group(A)
    await driver.execute(
        driver.send(room_id, B, "hello"), driver.send(other, A, "hello there"), driver.leave(room_id, A)
    )
    assert sorted(await find(driver, "hello")) == ["hello", "hello there"]
    assert await find(driver, "hello", A, room_id) == ["hello"]


async def fill(driver: RoomsDriver, rooms: int, each: int, *, joined: int = 0) -> list[str]:
    """Insert rooms of A with messages at interleaved and equal times. Every third contains "odd"."""
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
        messages = [message_row(n, one, seq) for n, one in enumerate(ids) for seq in range(1, each + 1)]
        await db.execute(message.insert(), messages)

    await driver.deps.database.transact(write)
    return ids


async def expected(driver: RoomsDriver, joined: int = 0) -> list[Any]:
    rows = await driver.rows(
        f"SELECT room_id, seq FROM message WHERE search_text = 'odd one' AND seq > {joined} "
        "ORDER BY at DESC, room_id, seq DESC"
    )
    return [(bytes(row[0]).hex(), row[1]) for row in rows]


@on_each_database
async def test_every_match_is_returned_once_and_in_order(driver: RoomsDriver) -> None:
    await fill(driver, 7, 12, joined=2)
    in_order = await expected(driver, 2)
    for limit, scanned in ((50, 20_000), (7, 20_000), (50, 64), (3, 10), (1, 1)):
        pages = await list_pages(driver, "odd", limit=limit, max_scanned=scanned)
        assert [(room_id.replace("-", ""), seq) for page in pages for room_id, seq in page] == in_order
        assert all(len(page) <= limit for page in pages)


@on_each_database
async def test_new_messages_do_not_change_later_pages(driver: RoomsDriver) -> None:
    room_id = await driver.group(A)
    await driver.execute(*(driver.send(room_id, A, f"word {n}") for n in range(6)))
    first = await searching.search(driver.deps, A, "word", limit=3)
    await driver.execute(driver.send(room_id, A, "word 6"))
    second = await searching.search(driver.deps, A, "word", cursor=first.next, limit=3)
    assert [one.body for one in first.items + second.items] == [f"word {n}" for n in range(5, -1, -1)]
    assert second.next is None


@on_each_database
async def test_a_call_scans_a_limited_number_of_messages(driver: RoomsDriver) -> None:
    """2,000 messages, 300 per call. In one room a call scans all 300, in several rooms at least half of them."""
    ids = await fill(driver, 4, 500)
    for room_id, calls in ((ids[0], 2), (None, 14)):
        pages = await list_pages(driver, "nothing", room_id=room_id, max_scanned=300)
        assert set(map(len, pages)) == {0}
        assert len(pages) <= calls


async def test_large_messages_make_smaller_pages(driver: RoomsDriver) -> None:
    room_id = await driver.group(A)
    await driver.execute(*(driver.send(room_id, A, "말" * 4000) for _ in range(60)))
    pages = await list_pages(driver, "말말")
    assert [seq for page in pages for _, seq in page] == list(range(60, 0, -1))
    assert 40 < len(pages[0]) < 50


@on_each_database
@pytest.mark.parametrize("rooms", [1, 1000])
async def test_a_search_takes_three_statements(driver: RoomsDriver, rooms: int) -> None:
    ids = await fill(driver, rooms, 3)
    async with driver.deps.database.write() as db:
        await db.execute(message.update().values(reaction_count=1))
    for cursor in (None, cursor_of([1001, ids[-1], 3])):
        async with driver.record_statements() as statements:
            page = await searching.search(driver.deps, A, "od", cursor=cursor)
        assert page.items
        assert len([one for one in statements if not one.startswith(("BEGIN", "SET"))]) == 3


async def test_invalid_cursors_are_rejected(driver: RoomsDriver) -> None:
    for cursor in ("x", "", cursor_of([1, 2, 3]), cursor_of([1, A]), cursor_of([-1, A, 1]), "%00"):
        with pytest.raises(Invalid):
            await searching.search(driver.deps, A, "word", cursor=cursor)


@on_servers
async def test_the_server_reads_only_the_scanned_rows(manual_driver: RoomsDriver) -> None:
    """A call scans 100 of 3,000 messages, and reads at most as many more rows to choose them, at any cursor."""
    ids = await fill(manual_driver, 3, 1000)
    await manual_driver.use_one_connection()
    server = "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_key', 'Handler_read_next', 'Handler_read_prev')"
    for cursor, room_id in itertools.product((None, cursor_of([1100, ids[1], 1])), (None, ids[0])):
        before = sum(int(value) for _, value in await manual_driver.rows(server))
        await searching.search(manual_driver.deps, A, "nothing", room_id, cursor, max_scanned=100)
        assert sum(int(value) for _, value in await manual_driver.rows(server)) - before < 100 + 100
