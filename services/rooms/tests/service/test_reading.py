"""Pages, snapshots, room lists and event pages: content and bounds."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from rooms.service.queries import events, memberships, reading, room_lists
from rooms.service.queries.recent_messages import RecentMessagesCache
from rooms.service.trimming import trim
from rooms.storage import epochs
from shared.contracts.limits import MAX_PAGE_BYTES
from shared.contracts.rooms import MessagesPage
from shared.errors import DomainError
from shared.ids import new_id, parse_rfc3339
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

A, B, C = (new_id() for _ in range(3))


async def page(driver: RoomsDriver, room: str, user: str = A, **choice: Any) -> tuple[list[int], bool]:
    found = await driver.page(room, user, **choice)
    return [message.seq for message in found.messages], found.has_more


@pytest.fixture
async def ten_messages(driver: RoomsDriver) -> str:
    """A room with ten_messages messages. B joined after the fourth."""
    room: str = await driver.group(A)
    await driver.execute(*(driver.send(room, A, f"m{n}") for n in range(1, 5)), driver.invite(room, A, B))
    await driver.execute(*(driver.send(room, A, f"m{n}") for n in range(5, 11)))
    return room


PAGES: list[tuple[dict[str, int], Any, bool]] = [
    ({}, range(1, 11), False),
    ({"limit": 3}, range(8, 11), True),
    ({"limit": 10}, range(1, 11), False),
    ({"before": 8, "limit": 3}, range(5, 8), True),
    ({"before": 4, "limit": 3}, range(1, 4), False),
    ({"before": 1}, (), False),
    ({"before": 99, "limit": 2}, range(9, 11), True),
    ({"after": 3, "limit": 3}, range(4, 7), True),
    ({"after": 7, "limit": 3}, range(8, 11), False),
    ({"after": 10}, (), False),
    ({"around": 5, "limit": 4}, range(3, 7), True),
    ({"around": 5, "limit": 5}, range(3, 8), True),
    ({"around": 1, "limit": 4}, range(1, 3), True),
    ({"around": 99, "limit": 4}, range(8, 11), True),
    ({"around": 5, "limit": 50}, range(1, 11), False),
    ({"offset": 0, "limit": 2}, range(9, 11), True),
    ({"offset": 8, "limit": 5}, range(1, 3), False),
    ({"offset": 10}, (), False),
    ({"at": 1, "limit": 2}, range(1, 3), True),
    ({"at": 2**53 - 1, "limit": 2}, (), False),
]
"""(choice, seqs of the page, whether there are more)"""


@on_each_database
async def test_pages(driver: RoomsDriver, ten_messages: str) -> None:
    pages = [await page(driver, ten_messages, **choice) for choice, _, _ in PAGES]
    assert pages == [(list(seqs), has_more) for _, seqs, has_more in PAGES]


async def test_pages_start_after_the_join(driver: RoomsDriver, ten_messages: str) -> None:
    assert await page(driver, ten_messages, B) == ([5, 6, 7, 8, 9, 10], False)
    for choice in ({"after": 1}, {"around": 2, "limit": 20}, {"at": 1}):
        assert (await page(driver, ten_messages, B, **choice))[0][0] == 5
    assert await page(driver, ten_messages, B, before=7, limit=2) == ([5, 6], False)
    assert await page(driver, ten_messages, B, before=5) == ([], False)
    assert await page(driver, ten_messages, B, offset=6) == ([], False)


@on_each_database
async def test_pages_by_time(driver: RoomsDriver, ten_messages: str) -> None:
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE message SET at = 1000 * seq"))
    assert await page(driver, ten_messages, at=5000, limit=2) == ([5, 6], True)
    assert await page(driver, ten_messages, at=5001, limit=9) == ([6, 7, 8, 9, 10], False)
    assert await page(driver, ten_messages, B, at=1000, limit=2) == ([5, 6], True)


async def test_invalid_choices_are_rejected(driver: RoomsDriver, ten_messages: str) -> None:
    with pytest.raises(DomainError) as raised:
        await page(driver, ten_messages, before=1, after=1)
    assert raised.value.code == "invalid"


async def test_non_members_read_nothing(driver: RoomsDriver, ten_messages: str) -> None:
    await driver.execute(driver.leave(ten_messages, B))
    for user, room in ((B, ten_messages), (C, ten_messages), (A, new_id())):
        for attempt in (page(driver, room, user), reading.get_snapshot(driver.deps, room, user)):
            with pytest.raises(DomainError, match="no such room"):
                await attempt


@on_each_database
async def test_a_page_is_at_most_512_kib(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    for _ in range(3):
        await driver.execute(*(driver.send(room, A, "\x01" * 4000) for _ in range(60)))
    for choice, first in (({}, 160), ({"after": 10}, 11), ({"around": 90}, 80)):
        found = await driver.page(room, A, **choice, limit=200)
        assert found.has_more
        assert 19 <= len(found.messages) <= 22
        assert found.messages[0].seq == pytest.approx(first, abs=2)
        assert len(msgspec.json.encode(found.messages)) <= MAX_PAGE_BYTES + 2


@on_each_database
async def test_a_page_takes_a_constant_number_of_statements(driver: RoomsDriver, ten_messages: str) -> None:
    counts = []
    for reacted in (0, 1, 6):
        await driver.execute(*(driver.react(ten_messages, A, seq) for seq in range(1, reacted + 1)))
        async with driver.record_statements() as statements:
            await page(driver, ten_messages, before=11)
        counts.append(len([one for one in statements if one.lstrip().startswith("SELECT")]))
    assert counts == [2, 3, 3]


@on_each_database
async def test_the_newest_page_is_loaded_once_per_version(driver: RoomsDriver, ten_messages: str) -> None:
    """Afterwards a statement checks the membership and the version."""
    counts = []
    for _ in range(2):
        for _ in range(2):
            async with driver.record_statements() as statements:
                assert await page(driver, ten_messages) == (list(range(1, 11)), False)
            counts.append(len([one for one in statements if one.lstrip().startswith("SELECT")]))
        await driver.execute(driver.react(ten_messages, A, 10))
    assert counts == [2, 1, 4, 1]


async def test_a_newest_page_in_memory_is_cut_for_each_member(driver: RoomsDriver, ten_messages: str) -> None:
    for user, first in ((B, 5), (A, 1), (B, 5)):
        assert await page(driver, ten_messages, user) == (list(range(first, 11)), False)
    assert await page(driver, ten_messages, B, limit=3) == ([8, 9, 10], True)
    with pytest.raises(DomainError):
        await page(driver, ten_messages, C)
    await driver.execute(driver.remove(ten_messages, A, B))
    with pytest.raises(DomainError):
        await page(driver, ten_messages, B)
    await driver.execute(driver.invite(ten_messages, A, B))
    assert await page(driver, ten_messages, B) == ([], False)
    assert await page(driver, ten_messages, A) == (list(range(1, 11)), False)


async def test_a_page_that_is_too_large_is_the_same_the_second_time(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    for _ in range(8):
        await driver.execute(*(driver.send(room, A, "가" * 4_000) for _ in range(10)))
    first = await driver.page(room, A, limit=80)
    assert 0 < len(first.messages) < 80
    assert await driver.page(room, A, limit=80) == first


@on_each_database
async def test_a_page_in_memory_ends_with_the_epoch(driver: RoomsDriver, ten_messages: str) -> None:
    before = await driver.page(ten_messages, A)
    async with driver.deps.database.write() as db:
        epoch = await epochs.renew_epoch(db)
        await db.execute(text("UPDATE message SET body = 'restored'"))
    after = await driver.page(ten_messages, A)
    assert (before.version, before.epoch != epoch) == (after.version, True)
    assert (after.epoch, {message.body for message in after.messages}) == (epoch, {"restored"})


@pytest.mark.parametrize("seed", range(6))
async def test_pages_in_memory_equal_those_of_the_database(driver: RoomsDriver, seed: int) -> None:
    """After every change, every user gets the same page from this process and from one that has just started."""
    choose = random.Random(seed)
    rooms = [await driver.group(A, B) for _ in range(2)]
    for _ in range(60):
        room, seq = choose.choice(rooms), choose.randint(1, 12)
        change = choose.choice(
            [
                driver.send(room, A, "가" * choose.choice([5, 4_000])), driver.send(room, B),
                driver.edit(room, A, seq, "edited"), driver.react(room, B, seq), driver.delete(room, A, seq),
                driver.remove(room, A, B), driver.invite(room, A, B), driver.read(room, A, seq),
            ]
        )  # fmt: skip
        await driver.batch(change)
        user, limit = choose.choice([A, B]), choose.choice([1, 5, 50, 200])
        fresh = RoomsDriver(replace(driver.deps, recent_messages=RecentMessagesCache()), driver.auth)
        assert await answer(driver, room, user, limit) == await answer(fresh, room, user, limit)


async def answer(driver: RoomsDriver, room: str, user: str, limit: int) -> MessagesPage | str:
    try:
        return await driver.page(room, user, limit=limit)
    except DomainError as error:
        return error.detail


async def test_a_page_shows_what_was_acknowledged_before(driver: RoomsDriver) -> None:
    """Many readers share lookups. None gets a lookup that began before its request."""
    room = await driver.group(A)
    waiting = [asyncio.create_task(page(driver, room)) for _ in range(5)]
    for seq in range(1, 20):
        await driver.execute(driver.send(room, A))
        tasks = [asyncio.create_task(page(driver, room)) for _ in range(3)]
        waiting += tasks
        assert (await page(driver, room))[0][-1] == seq
        assert [(await task)[0][-1] >= seq for task in tasks] == [True] * 3
    await asyncio.gather(*waiting)


@on_each_database
async def test_snapshots(driver: RoomsDriver, ten_messages: str) -> None:
    await driver.execute(driver.react(ten_messages, B, 10, "👍"), driver.read(ten_messages, B, 7))
    entered = await reading.get_snapshot(driver.deps, ten_messages, B)
    assert [message.seq for message in entered.messages] == [5, 6, 7, 8, 9, 10]
    assert (entered.version, entered.room.version, entered.room.unread, entered.room.member_count) == (13, 13, 3, 2)
    assert entered.room.last_message == entered.messages[-1]
    assert entered.messages[-1].reactions == {"👍": [B]}
    assert [(member.user_id, member.read_seq) for member in entered.room.members] == [(A, 10), (B, 7)]


@on_each_database
async def test_room_lists_take_a_constant_number_of_statements(driver: RoomsDriver) -> None:
    counts = []
    for rooms in (2, 6):
        for _ in range(rooms):
            room = await driver.group(A, B)
            await driver.execute(driver.send(room, A), driver.react(room, B, 1))
        async with driver.record_statements() as statements:
            found = await room_lists.list_room_lists(driver.deps, {A: None, B: None, C: None})
        counts.append(len([one for one in statements if one.lstrip().startswith("SELECT")]))
    assert counts == [4, 4]
    assert {user: len(room_list.rooms) for user, room_list in found.users.items()} == {A: 8, B: 8, C: 0}
    assert {one.room.unread for one in found.users[B].rooms} == {1}
    assert found.users[B].rooms[0].room.last_message.reactions == {"👍": [B]}


@on_each_database
async def test_room_lists_of_named_rooms(driver: RoomsDriver) -> None:
    mine, ours = await driver.group(A), await driver.group(A, B)
    found = await room_lists.list_room_lists(driver.deps, {A: [mine, new_id()], B: [mine, ours], C: []})
    assert {user: [one.room.room_id for one in room_list.rooms] for user, room_list in found.users.items()} == {
        A: [mine], B: [ours], C: [],
    }  # fmt: skip


@on_each_database
async def test_room_list_pages_are_ordered_by_activity(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A) for _ in range(5)]
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = 7"))  # equal times are ordered by id
    await driver.execute(driver.send(rooms[2], A))
    seen: list[str] = []
    cursor = None
    while True:
        found = await room_lists.get_room_list_page(driver.deps, A, cursor, 2)
        seen += [room.room_id for room in found.rooms]
        if (cursor := found.next) is None:
            break
    assert seen == [rooms[2], *sorted({*rooms} - {rooms[2]}, reverse=True)]


@on_each_database
async def test_sharing_a_room(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.direct(A, C)
    assert set((await memberships.list_shared(driver.deps, A, [B, C, new_id()])).user_ids) == {B, C}
    await driver.execute(driver.leave(room, B))
    assert (await memberships.list_shared(driver.deps, A, [B])).user_ids == []
    assert (await memberships.list_shared(driver.deps, B, [A])).user_ids == []


@on_each_database
async def test_old_events_show_the_current_state(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(
        driver.send(room, A, "first", mentions=[B]), driver.send(room, A, "second"), driver.react(room, B, 2)
    )
    await driver.execute(
        driver.edit(room, A, 2, "edited"), driver.edit(room, A, 2, "again"), driver.edit(room, A, 1, "gone")
    )
    await driver.execute(driver.delete(room, A, 1))
    first, second, _, edit, again, gone, deleted = await driver.events(room, 2)
    assert (first.body, first.deleted, first.mentions) == ("", True, [])
    assert (second.body, second.reactions) == ("again", {"👍": [B]})
    assert (edit.body, again.body, gone.body) == ("again", "again", "")
    assert (deleted.seq, deleted.by) == (1, A)
    raw = await driver.rows("SELECT data FROM room_event")
    assert not any(b"first" in (data or b"") or b"edited" in (data or b"") for (data,) in raw)


@on_each_database
async def test_event_pages_are_bounded_and_continue(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A) for _ in range(3)]
    for room in rooms:
        for _ in range(3):
            await driver.execute(*(driver.send(room, A) for _ in range(200)))
    pages = (await events.list_events(driver.deps, dict.fromkeys(rooms, 1))).rooms
    assert sorted((len(one.events), one.head, one.gone) for one in pages.values()) == [
        (0, 601, False), (500, 601, False), (500, 601, False),
    ]  # fmt: skip
    for room in rooms:
        assert [event.version for event in await driver.events(room, 1)] == list(range(2, 602))


async def test_event_pages_are_bounded_in_bytes(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    await driver.execute(*(driver.send(room, A, "🦊" * 4000) for _ in range(60)))
    event_page = (await events.list_events(driver.deps, {room: 0})).rooms[room]
    assert len(event_page.events) == pytest.approx(33, abs=2)
    assert sum(len(bytes(event)) for event in event_page.events) <= MAX_PAGE_BYTES
    assert len(await driver.events(room)) == 61


@on_each_database
async def test_trimmed_events_are_gone(driver: RoomsDriver) -> None:
    room, unknown = await driver.group(A), new_id()
    await driver.execute(*(driver.send(room, A) for _ in range(9)))
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 1 WHERE version <= 4"))
    await trim(driver.deps)

    async def gone(cursor: int) -> tuple[bool, int]:
        pages = (await events.list_events(driver.deps, {room: cursor, unknown: 0})).rooms
        assert set(pages) == {room}
        return pages[room].gone, len(pages[room].events)

    assert [await gone(cursor) for cursor in (0, 3, 4, 9, 10, 11)] == [
        (True, 0), (True, 0), (False, 6), (False, 1), (False, 0), (True, 0),
    ]  # fmt: skip


async def test_timestamps_never_decrease(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = updated_at + 3600000"))
    first, second = await driver.execute(driver.send(room, A), driver.send(room, A))
    joined = (await driver.events(room))[0]
    assert parse_rfc3339(first.at) - parse_rfc3339(joined.at) == 3600000
    assert first.at == second.at
