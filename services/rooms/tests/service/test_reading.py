"""Pages, homes, places, events: what is read, within its bounds."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from rooms.service import events, homes, reading
from rooms.service.sweep import trim
from shared.contracts.rooms import PAGE_BYTES, PageChoice
from shared.errors import DomainError
from shared.ids import new_id, parse_rfc3339
from shared.testing.fixtures import on_each_database

A, B, C = (new_id() for _ in range(3))


async def page(house: Any, room: str, user: str = A, **choice: Any) -> tuple[list[int], bool]:
    found = await reading.get_page(house.deps, room, user, PageChoice(**choice))
    return [message.seq for message in found.messages], found.has_more


@pytest.fixture
async def ten(house: Any) -> str:
    """A room with ten messages, of which B sees those above 4."""
    room: str = await house.group(A)
    await house.do(*(house.say(room, A, f"m{n}") for n in range(1, 5)), house.invite(room, A, B))
    await house.do(*(house.say(room, A, f"m{n}") for n in range(5, 11)))
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
"""What is asked for, the numbers of the page, and whether there is more."""


@on_each_database
async def test_pages(house: Any, ten: str) -> None:
    pages = [await page(house, ten, **choice) for choice, _, _ in PAGES]
    assert pages == [(list(seqs), has_more) for _, seqs, has_more in PAGES]


async def test_pages_begin_above_what_was_said_before_joining(house: Any, ten: str) -> None:
    assert await page(house, ten, B) == ([5, 6, 7, 8, 9, 10], False)
    for choice in ({"after": 1}, {"around": 2, "limit": 20}, {"at": 1}):
        assert (await page(house, ten, B, **choice))[0][0] == 5
    assert await page(house, ten, B, before=7, limit=2) == ([5, 6], False)
    assert await page(house, ten, B, before=5) == ([], False)
    assert await page(house, ten, B, offset=6) == ([], False)


@on_each_database
async def test_pages_by_time(house: Any, ten: str) -> None:
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE message SET at = 1000 * seq"))
    assert await page(house, ten, at=5000, limit=2) == ([5, 6], True)
    assert await page(house, ten, at=5001, limit=9) == ([6, 7, 8, 9, 10], False)
    assert await page(house, ten, B, at=1000, limit=2) == ([5, 6], True)


async def test_bad_choices(house: Any, ten: str) -> None:
    with pytest.raises(DomainError) as refusal:
        await page(house, ten, before=1, after=1)
    assert refusal.value.code == "invalid"


async def test_outsiders_read_nothing(house: Any, ten: str) -> None:
    await house.do(house.leave(ten, B))
    for user, room in ((B, ten), (C, ten), (A, new_id())):
        for attempt in (page(house, room, user), reading.enter(house.deps, room, user)):
            with pytest.raises(DomainError, match="no such room"):
                await attempt


@on_each_database
async def test_a_page_is_at_most_512_kib(house: Any) -> None:
    room = await house.group(A)
    for _ in range(3):
        await house.do(*(house.say(room, A, "\x01" * 4000) for _ in range(60)))
    for choice, first in (({}, 160), ({"after": 10}, 11), ({"around": 90}, 80)):
        found = await reading.get_page(house.deps, room, A, PageChoice(**choice, limit=200))
        assert found.has_more
        assert 19 <= len(found.messages) <= 22
        assert found.messages[0].seq == pytest.approx(first, abs=2)
        assert len(msgspec.json.encode(found.messages)) <= PAGE_BYTES + 2


@on_each_database
async def test_a_page_takes_a_constant_number_of_statements(house: Any, ten: str) -> None:
    counts = []
    for reacted in (0, 1, 6):
        await house.do(*(house.react(ten, A, seq) for seq in range(1, reacted + 1)))
        async with house.counting() as statements:
            await page(house, ten)
        counts.append(len([one for one in statements if one.lstrip().startswith("SELECT")]))
    assert counts == [2, 3, 3]


@on_each_database
async def test_entering(house: Any, ten: str) -> None:
    await house.do(house.react(ten, B, 10, "👍"), house.read(ten, B, 7))
    entered = await reading.enter(house.deps, ten, B)
    assert [message.seq for message in entered.messages] == [5, 6, 7, 8, 9, 10]
    assert (entered.version, entered.room.version, entered.room.unread, entered.room.member_count) == (13, 13, 3, 2)
    assert entered.room.last_message == entered.messages[-1]
    assert entered.messages[-1].reactions == {"👍": [B]}
    assert [(member.user_id, member.read_seq) for member in entered.room.members] == [(A, 10), (B, 7)]


@on_each_database
async def test_homes_of_many_in_a_constant_number_of_statements(house: Any) -> None:
    counts = []
    for rooms in (2, 6):
        for _ in range(rooms):
            room = await house.group(A, B)
            await house.do(house.say(room, A), house.react(room, B, 1))
        async with house.counting() as statements:
            found = await homes.list_homes(house.deps, {A: None, B: None, C: None})
        counts.append(len([one for one in statements if one.lstrip().startswith("SELECT")]))
    assert counts == [4, 4]
    assert {user: len(home.rooms) for user, home in found.users.items()} == {A: 8, B: 8, C: 0}
    assert {one.room.unread for one in found.users[B].rooms} == {1}
    assert found.users[B].rooms[0].room.last_message.reactions == {"👍": [B]}


@on_each_database
async def test_named_rooms_of_homes(house: Any) -> None:
    mine, ours = await house.group(A), await house.group(A, B)
    found = await homes.list_homes(house.deps, {A: [mine, new_id()], B: [mine, ours], C: []})
    assert {user: [one.room.room_id for one in home.rooms] for user, home in found.users.items()} == {
        A: [mine], B: [ours], C: [],
    }  # fmt: skip


@on_each_database
async def test_home_pages_newest_activity_first(house: Any) -> None:
    rooms = [await house.group(A) for _ in range(5)]
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = 7"))  # the same moment: ids decide
    await house.do(house.say(rooms[2], A))
    seen: list[str] = []
    cursor = None
    while True:
        found = await homes.get_home_page(house.deps, A, cursor, 2)
        seen += [room.room_id for room in found.rooms]
        if (cursor := found.next) is None:
            break
    assert seen == [rooms[2], *sorted({*rooms} - {rooms[2]}, reverse=True)]


@on_each_database
async def test_sharing_a_room(house: Any) -> None:
    room = await house.group(A, B)
    await house.direct(A, C)
    assert set((await homes.list_shared(house.deps, A, [B, C, new_id()])).user_ids) == {B, C}
    await house.do(house.leave(room, B))
    assert (await homes.list_shared(house.deps, A, [B])).user_ids == []
    assert (await homes.list_shared(house.deps, B, [A])).user_ids == []


@on_each_database
async def test_old_events_show_the_current_state(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A, "first", mentions=[B]), house.say(room, A, "second"), house.react(room, B, 2))
    await house.do(house.edit(room, A, 2, "edited"), house.edit(room, A, 2, "again"), house.edit(room, A, 1, "gone"))
    await house.do(house.delete(room, A, 1))
    first, second, _, edit, again, gone, deleted = await house.events(room, 2)
    assert (first.body, first.deleted, first.mentions) == ("", True, [])
    assert (second.body, second.reactions) == ("again", {"👍": [B]})
    assert (edit.body, again.body, gone.body) == ("again", "again", "")
    assert (deleted.seq, deleted.by) == (1, A)
    raw = await house.rows("SELECT data FROM room_event")
    assert not any(b"first" in (data or b"") or b"edited" in (data or b"") for (data,) in raw)


@on_each_database
async def test_events_are_bounded_and_go_on(house: Any) -> None:
    rooms = [await house.group(A) for _ in range(3)]
    for room in rooms:
        for _ in range(3):
            await house.do(*(house.say(room, A) for _ in range(200)))
    answer = (await events.list_events(house.deps, dict.fromkeys(rooms, 1))).rooms
    assert sorted((len(one.events), one.head, one.gone) for one in answer.values()) == [
        (0, 601, False), (500, 601, False), (500, 601, False),
    ]  # fmt: skip
    for room in rooms:
        assert [event.version for event in await house.events(room, 1)] == list(range(2, 602))


async def test_events_are_bounded_in_bytes(house: Any) -> None:
    room = await house.group(A)
    await house.do(*(house.say(room, A, "🦊" * 4000) for _ in range(60)))
    answer = (await events.list_events(house.deps, {room: 0})).rooms[room]
    assert len(answer.events) == pytest.approx(33, abs=2)
    assert sum(len(bytes(event)) for event in answer.events) <= PAGE_BYTES
    assert len(await house.events(room)) == 61


@on_each_database
async def test_events_that_are_gone(house: Any) -> None:
    room, unknown = await house.group(A), new_id()
    await house.do(*(house.say(room, A) for _ in range(9)))
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 1 WHERE version <= 4"))
    await trim(house.deps)

    async def gone(cursor: int) -> tuple[bool, int]:
        answer = (await events.list_events(house.deps, {room: cursor, unknown: 0})).rooms
        assert set(answer) == {room}
        return answer[room].gone, len(answer[room].events)

    assert [await gone(cursor) for cursor in (0, 3, 4, 9, 10, 11)] == [
        (True, 0), (True, 0), (False, 6), (False, 1), (False, 0), (True, 0),
    ]  # fmt: skip


async def test_times_never_run_backwards(house: Any) -> None:
    room = await house.group(A)
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = updated_at + 3600000"))
    first, second = await house.do(house.say(room, A), house.say(room, A))
    joined = (await house.events(room))[0]
    assert parse_rfc3339(first.at) - parse_rfc3339(joined.at) == 3600000
    assert first.at == second.at
