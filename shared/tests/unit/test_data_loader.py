"""Request coalescing: few calls, the right result for each caller, no result older than its request."""

import asyncio

import pytest

from shared.data_loader import DataLoader


class Service:
    """Returns the number of the call for each key. Calls wait while `running` is not set."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.running = asyncio.Event()
        self.error: Exception | None = None

    async def load(self, keys: list[str]) -> dict[str, int]:
        self.calls.append(keys)
        number = len(self.calls)
        await self.running.wait()
        if self.error is not None:
            raise self.error
        return {key: number for key in keys if key != "nobody"}


async def test_keys_requested_during_a_call_go_into_the_next_call():
    service = Service()
    loader = DataLoader(service.load, max_batch=3)
    first = asyncio.create_task(loader.load("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(loader.load(key)) for key in ("a", "b", "b", "c", "d", "nobody")]
    await asyncio.sleep(0)
    service.running.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2, 2, 2, 2, 3, None]
    assert service.calls == [["a"], ["a", "b", "c"], ["d", "nobody"]]
    assert await loader.load("a") == 4


async def test_an_error_is_raised_to_the_callers_of_that_call_only():
    service = Service()
    loader = DataLoader(service.load, max_batch=10)
    service.running.set()
    service.error = ValueError("away")
    results = await asyncio.gather(*(loader.load(key) for key in "abc"), return_exceptions=True)
    assert results == [service.error] * 3
    service.error = None
    assert await loader.load("a") == 2


async def test_a_cancelled_caller_does_not_affect_others():
    service = Service()
    loader = DataLoader(service.load, max_batch=10)
    cancelled, waiting = (asyncio.create_task(loader.load("a")) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    service.running.set()
    assert await waiting == 1
