"""Fair shares: requests of one person wait for each other, and those of others do not wait for them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from rooms.service import creation
from rooms.service.dependencies import ROOMS_OF_ONE, Dependencies
from rooms.service.queries import memberships, reading, room_lists, searching
from rooms.settings import RoomsSettings
from shared.contracts.rooms import PageChoice
from shared.errors import RateLimited, Unavailable
from shared.ids import new_id

from .conftest import FakeAuth, RoomsDriver, open_dependencies

A, B = (new_id() for _ in range(2))

Request = Callable[[Dependencies, str, str], Awaitable[Any]]
REQUESTS: dict[str, tuple[str, Request]] = {
    "a page": ("reads", lambda deps, room, user: reading.get_page(deps, room, user, PageChoice(limit=1))),
    "a snapshot": ("reads", reading.get_snapshot),
    "a page of rooms": ("reads", lambda deps, _, user: room_lists.get_room_list_page(deps, user, None, 1)),
    "common rooms": ("reads", lambda deps, _, user: memberships.list_shared(deps, user, [A, B])),
    "a search": ("searches", lambda deps, _, user: searching.search(deps, user, "plain")),
    "a new group": ("openings", lambda deps, _, user: creation.open_group(deps, user, "group", [])),
    "a direct room": ("openings", lambda deps, _, user: creation.open_direct(deps, user, B if user == A else A)),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_requests_of_one_person_wait_for_each_other_and_delay_nobody_else(driver: RoomsDriver, name: str) -> None:
    room_id = await driver.group(A, B)
    share, request = REQUESTS[name]
    workers = getattr(driver.deps, share)
    async with AsyncExitStack() as stack:
        for _ in range(workers.of_one):
            await stack.enter_async_context(workers.worker(A))
        waiting = asyncio.create_task(_wait_for(request(driver.deps, room_id, A)))
        await request(driver.deps, room_id, B)
        assert not waiting.done()
    await waiting


async def test_too_many_requests_of_one_person_are_refused(driver: RoomsDriver) -> None:
    workers = driver.deps.searches
    async with workers.worker(A):
        waiting = [asyncio.create_task(_wait_for(searching.search(driver.deps, A, "plain"))) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="Too many of your requests"):
            await searching.search(driver.deps, A, "plain")
    await asyncio.gather(*waiting)


async def test_one_person_opens_a_limited_number_of_rooms(settings: RoomsSettings, auth: FakeAuth) -> None:
    """Opening a direct room that exists does not count."""
    limited = settings.model_copy(update={"rate_limits": True})
    anna, berta = new_id(), new_id()
    async with open_dependencies(limited, auth) as deps:
        for _ in range(ROOMS_OF_ONE.burst + 1):
            await creation.open_direct(deps, anna, berta)
        for _ in range(ROOMS_OF_ONE.burst - 1):
            await creation.open_group(deps, anna, "group", [berta])
        for opening in (creation.open_group(deps, anna, "group", []), creation.open_direct(deps, anna, new_id())):
            with pytest.raises(RateLimited) as refused:
                await opening
            assert 0 < (refused.value.retry_after or 0) <= ROOMS_OF_ONE.every_ms / 1000
        await creation.open_group(deps, berta, "group", [anna])


async def _wait_for(request: Awaitable[Any]) -> None:
    await request
