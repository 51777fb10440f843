"""System messages: order, visibility, bounds, expiry."""

from typing import Any

import pytest
from sqlalchemy import text

from rooms.service.queries import system_messages
from rooms.service.trimming import trim
from shared.errors import DomainError, Invalid
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

from .conftest import RoomsDriver

A, B, C, D = (new_id() for _ in range(4))


async def list_all(driver: RoomsDriver, room: str, user: str = A, **choice: Any) -> list[tuple[int, str]]:
    """Return (version, op) from all pages."""
    found: list[tuple[int, str]] = []
    page = await system_messages.list_page(driver.deps, room, user, **choice)
    while True:
        found += [(event.version, event.__struct_config__.tag) for event in page.items]
        if page.next is None:
            return found
        page = await system_messages.list_page(driver.deps, room, user, **choice, cursor=page.next)


@pytest.fixture
async def room(driver: RoomsDriver) -> str:
    """A room created with A and B. C joined at version 4, and left."""
    room_id: str = await driver.group(A, B)
    await driver.execute(
        driver.send(room_id, A), driver.invite(room_id, A, C), driver.send(room_id, C),
        driver.update(room_id, A, title="New"), driver.react(room_id, B, 2), driver.role(room_id, A, B, "admin"),
        driver.send(room_id, A), driver.leave(room_id, C),
    )  # fmt: skip
    return room_id


ALL = [(4, "member.joined"), (6, "room.updated"), (8, "member.role_changed"), (10, "member.left")]


@on_each_database
async def test_the_system_messages_of_a_room(driver: RoomsDriver, room: str) -> None:
    for user in (A, B):
        assert await list_all(driver, room, user) == ALL
    for after in range(11):
        for before in range(1, 13):
            wanted = [item for item in ALL if after < item[0] < before]
            assert await list_all(driver, room, after=after, before=before) == wanted
    renamed = (await system_messages.list_page(driver.deps, room, A, after=4, before=7)).items[0]
    assert (renamed.title, renamed.by) == ("New", A)


async def test_members_see_them_since_they_joined(driver: RoomsDriver, room: str) -> None:
    await driver.execute(driver.invite(room, A, D))
    assert await list_all(driver, room, D) == [(11, "member.joined")]
    await driver.execute(driver.invite(room, A, C), driver.update(room, A, pinned_seq=1))
    assert await list_all(driver, room, C) == [(12, "member.joined"), (13, "room.updated")]


async def test_non_members_see_none(driver: RoomsDriver, room: str) -> None:
    for user, room_id in ((C, room), (D, room), (A, new_id())):
        with pytest.raises(DomainError, match="no such room"):
            await system_messages.list_page(driver.deps, room_id, user)


async def test_the_first_joins_of_a_direct_room_are_omitted(driver: RoomsDriver) -> None:
    room_id = await driver.direct(A, B)
    await driver.execute(driver.send(room_id, A))
    assert await list_all(driver, room_id) == []


async def test_a_call_scans_a_limited_number_of_versions(driver: RoomsDriver, room: str) -> None:
    for scanned in (1, 2, 3, 7, 11):
        assert await list_all(driver, room, max_scanned=scanned) == ALL
    page = await system_messages.list_page(driver.deps, room, A, max_scanned=3)
    assert page.items == []
    assert page.next is not None


async def test_a_page_has_a_limited_size(driver: RoomsDriver) -> None:
    room_id = await driver.group(A)
    await driver.execute(*(driver.update(room_id, A, title=f"T{n}") for n in range(10)))
    page = await system_messages.list_page(driver.deps, room_id, A, limit=3)
    assert [event.version for event in page.items] == [2, 3]  # the first of the three scanned is the initial join
    assert [version for version, _ in await list_all(driver, room_id, limit=3)] == list(range(2, 12))


@on_each_database
async def test_they_expire_with_the_events(driver: RoomsDriver, room: str) -> None:
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 1 WHERE version <= 7"))
    await trim(driver.deps)
    assert await list_all(driver, room) == ALL[2:]


async def test_invalid_cursors_are_rejected(driver: RoomsDriver, room: str) -> None:
    for cursor in ("x", "LTE", "Ing"):
        with pytest.raises(Invalid):
            await system_messages.list_page(driver.deps, room, A, cursor=cursor)
    beyond = await system_messages.list_page(driver.deps, room, A, cursor="OTIyMzM3MjAzNjg1NDc3NTgwNw")  # 2**63 - 1
    assert (beyond.items, beyond.next) == ([], None)


@on_each_database
async def test_a_page_takes_two_statements(driver: RoomsDriver, room: str) -> None:
    async with driver.record_statements() as statements:
        await list_all(driver, room)
    assert len([one for one in statements if one.lstrip().startswith("SELECT")]) == 2
