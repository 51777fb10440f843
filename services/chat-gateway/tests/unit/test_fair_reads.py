"""The reads of one person take only a few of the gateway's connections to another service."""

import asyncio
from typing import Any

import pytest

from chat_gateway.clients.fair_reads import READS_OF_ONE
from chat_gateway.clients.rooms import Rooms
from chat_gateway.clients.social import Social
from shared.contracts.rooms import PageChoice


class HungPeer:
    """A service that has received `calls` and answers none."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    async def call(self, _: str, body: Any, *__: Any, **___: Any) -> Any:
        self.calls.append(body)
        await asyncio.Event().wait()


READS = {
    "messages": lambda peer, user: Rooms.messages(peer, user, "room", PageChoice()),
    "enter": lambda peer, user: Rooms.enter(peer, user, "room"),
    "room_list_page": lambda peer, user: Rooms.room_list_page(peer, user, None, 1),
    "shared_with": lambda peer, user: Rooms.shared_with(peer, user, ["other"]),
    "pairs": lambda peer, user: Social.pairs(peer, user, ["other"]),
}


@pytest.mark.parametrize("name", READS)
async def test_reads_of_one_person_wait_for_each_other_and_delay_nobody_else(name: str):
    peer: Any = HungPeer()
    client: Any = (Social if name == "pairs" else Rooms)(peer)
    tasks = [asyncio.create_task(READS[name](client, user)) for user in ["anna"] * (READS_OF_ONE + 3) + ["berta"]]
    for _ in range(4):
        await asyncio.sleep(0)
    assert [call.user_id for call in peer.calls] == ["anna"] * READS_OF_ONE + ["berta"]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_commands_do_not_wait_for_reads():
    peer: Any = HungPeer()
    rooms = Rooms(peer)
    tasks = [asyncio.create_task(rooms.enter("anna", "room")) for _ in range(READS_OF_ONE)]
    tasks.append(asyncio.create_task(rooms.commands([], budget_ms=1, timeout=1)))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert len(peer.calls) == READS_OF_ONE + 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
