"""Background jobs continue after a failure, and end with their block."""

import asyncio

from shared.tasks import background
from shared.testing.fixtures import eventually


async def test_a_job_continues_after_a_failure():
    calls = []

    async def work() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise RuntimeError("once")

    async with background("work", work, pause=0.001):
        await eventually(lambda: len(calls) >= 3)
    seen = len(calls)
    await asyncio.sleep(0.01)
    assert len(calls) == seen


async def test_a_job_ends_even_if_it_swallows_the_first_cancellation():
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async with asyncio.timeout(5):
        async with background("work", work):
            await started.wait()
