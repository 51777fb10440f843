"""Background work goes on after a failure, and ends when the block does."""

import asyncio

from shared.tasks import background
from shared.testing.fixtures import eventually


async def test_it_goes_on_after_a_failure():
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


async def test_it_ends_though_its_library_swallowed_the_first_cancellation():
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
