"""The reads of one person take only a few of the gateway's connections to another service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chat_gateway.clients.fair_reads import READS_OF_ONE
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from shared.contracts.rooms import PageChoice

from ..harness import RoomsService, Service, SocialService  # noqa: TID252 - the tests of one service

Read = Callable[[Any, str], Awaitable[object]]
READS: dict[str, Read] = {
    "messages": lambda service, user: Rooms.messages(service, user, "room", PageChoice()),
    "enter": lambda service, user: Rooms.enter(service, user, "room"),
    "room_list_page": lambda service, user: Rooms.room_list_page(service, user, None, 1),
    "shared_with": lambda service, user: Rooms.shared_with(service, user, ["other"]),
    "pairs": lambda service, user: Social.pairs(service, user, ["other"]),
}


async def begin(*calls: Awaitable[object]) -> list["asyncio.Future[object]"]:
    """Begin calls of a service that answers none, and let them run until it has received them."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    for _ in range(8):
        await asyncio.sleep(0)
    return tasks


async def end(tasks: list["asyncio.Future[object]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize("name", READS)
async def test_reads_of_one_person_wait_for_each_other_and_delay_nobody_else(name: str):
    service: Service = SocialService() if name == "pairs" else RoomsService()
    service.pause()
    client: Any = (Social if name == "pairs" else Rooms)(service)  # type: ignore[arg-type]
    tasks = await begin(*(READS[name](client, user) for user in ["anna"] * (READS_OF_ONE + 3) + ["berta"]))
    assert [body.user_id for _, body in service.requests] == ["anna"] * READS_OF_ONE + ["berta"]
    await end(tasks)


async def test_commands_do_not_wait_for_reads():
    service = RoomsService()
    service.pause()
    rooms = Rooms(service)  # type: ignore[arg-type]
    reads = await begin(*(rooms.enter("anna", "room") for _ in range(READS_OF_ONE)))
    commands = await begin(rooms.commands([], budget_ms=1, timeout=5))
    assert len(service.requests_to("commands")) == 1
    await end(reads + commands)
