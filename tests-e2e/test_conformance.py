"""RFC 6455 through nginx: the same answers and close codes as from a gateway."""

import asyncio
from collections.abc import Awaitable, Callable

from people import Person
from stack import Stack

from shared.testing.websocket_cases import CASES, Case, outcome
from shared.testing.websocket_client import raw_client

AT_ONCE = 8


async def test_the_cases_of_autobahn_hold_through_nginx(stack: Stack, someone: Callable[[str], Awaitable[Person]]):
    person = await someone("Dohyun")
    headers = {"Cookie": person.cookie}
    places = asyncio.Semaphore(AT_ONCE)
    failed: dict[str, object] = {}

    async def play(case: Case) -> None:
        async with places, raw_client(f"{stack.url}/api/chat/ws", headers) as client:
            answers, code = await outcome(case, client)
        if (answers, code) != (case.answers, case.code):
            failed[case.name] = (answers[:10], code)

    await asyncio.gather(*map(play, CASES))
    assert failed == {}
