"""What stands between messages: in order, from one's joining on, within bounds, as long as events are kept."""

from typing import Any

import pytest
from sqlalchemy import text

from rooms.service import lines
from rooms.service.sweep import trim
from shared.errors import DomainError, Invalid
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

A, B, C, D = (new_id() for _ in range(4))


async def told(house: Any, room: str, user: str = A, **choice: Any) -> list[tuple[int, str]]:
    """All pages, one after the other."""
    found: list[tuple[int, str]] = []
    page = await lines.list_lines(house.deps, room, user, **choice)
    while True:
        found += [(line.version, line.__struct_config__.tag) for line in page.items]
        if page.next is None:
            return found
        page = await lines.list_lines(house.deps, room, user, **choice, cursor=page.next)


@pytest.fixture
async def room(house: Any) -> str:
    """A room that began with A and B; C came at version 4, and left."""
    here: str = await house.group(A, B)
    await house.do(
        house.say(here, A), house.invite(here, A, C), house.say(here, C), house.update(here, A, title="New"),
        house.react(here, B, 2), house.role(here, A, B, "admin"), house.say(here, A), house.leave(here, C),
    )  # fmt: skip
    return here


ALL = [(4, "member.joined"), (6, "room.updated"), (8, "member.role_changed"), (10, "member.left")]


@on_each_database
async def test_the_lines_of_a_room(house: Any, room: str) -> None:
    for user in (A, B):
        assert await told(house, room, user) == ALL
    for after in range(11):
        for before in range(1, 13):
            wanted = [line for line in ALL if after < line[0] < before]
            assert await told(house, room, after=after, before=before) == wanted
    renamed = (await lines.list_lines(house.deps, room, A, after=4, before=7)).items[0]
    assert (renamed.title, renamed.by) == ("New", A)


async def test_they_begin_with_ones_own_joining(house: Any, room: str) -> None:
    await house.do(house.invite(room, A, D))
    assert await told(house, room, D) == [(11, "member.joined")]
    await house.do(house.invite(room, A, C), house.update(room, A, pinned_seq=1))
    assert await told(house, room, C) == [(12, "member.joined"), (13, "room.updated")]


async def test_outsiders_read_none(house: Any, room: str) -> None:
    for user, place in ((C, room), (D, room), (A, new_id())):
        with pytest.raises(DomainError, match="no such room"):
            await lines.list_lines(house.deps, place, user)


async def test_a_direct_room_begins_without_any(house: Any) -> None:
    here = await house.direct(A, B)
    await house.do(house.say(here, A))
    assert await told(house, here) == []


async def test_a_call_looks_at_so_many_versions(house: Any, room: str) -> None:
    for scanned in (1, 2, 3, 7, 11):
        assert await told(house, room, scanned=scanned) == ALL
    page = await lines.list_lines(house.deps, room, A, scanned=3)
    assert page.items == []
    assert page.next is not None


async def test_a_page_has_so_many_lines(house: Any) -> None:
    here = await house.group(A)
    await house.do(*(house.update(here, A, title=f"T{n}") for n in range(10)))
    page = await lines.list_lines(house.deps, here, A, most=3)
    assert [line.version for line in page.items] == [2, 3]  # the third was a joining with which the room began
    assert [version for version, _ in await told(house, here, most=3)] == list(range(2, 12))


@on_each_database
async def test_they_go_with_the_events(house: Any, room: str) -> None:
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 1 WHERE version <= 7"))
    await trim(house.deps)
    assert await told(house, room) == ALL[2:]


async def test_cursors_that_are_not_ours(house: Any, room: str) -> None:
    for cursor in ("x", "LTE", "Ing"):
        with pytest.raises(Invalid):
            await lines.list_lines(house.deps, room, A, cursor=cursor)
    beyond = await lines.list_lines(house.deps, room, A, cursor="OTIyMzM3MjAzNjg1NDc3NTgwNw")  # 2**63 - 1
    assert (beyond.items, beyond.next) == ([], None)


@on_each_database
async def test_two_statements(house: Any, room: str) -> None:
    async with house.counting() as statements:
        await told(house, room)
    assert len([one for one in statements if one.lstrip().startswith("SELECT")]) == 2
