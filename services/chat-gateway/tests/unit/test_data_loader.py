"""Questions asked together: few calls, each answer to who asked for it, none older than its question."""

import asyncio

import pytest

from chat_gateway.driver.data_loader import DataLoader


class Service:
    """Answers each key with the number of the call; a call takes as long as `gate` is closed."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def ask(self, keys: list[str]) -> dict[str, int]:
        self.calls.append(keys)
        number = len(self.calls)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: number for key in keys if key != "nobody"}


async def test_what_comes_meanwhile_goes_in_the_next_call():
    service = Service()
    together = DataLoader(service.ask, most=3)
    first = asyncio.create_task(together.find("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(together.find(key)) for key in ("a", "b", "b", "c", "d", "nobody")]
    await asyncio.sleep(0)
    service.gate.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [2, 2, 2, 2, 3, None]
    assert service.calls == [["a"], ["a", "b", "c"], ["d", "nobody"]]
    assert await together.find("a") == 4


async def test_an_error_reaches_all_who_asked_and_nobody_after_them():
    service = Service()
    together = DataLoader(service.ask, most=10)
    service.gate.set()
    service.error = ValueError("away")
    results = await asyncio.gather(*(together.find(key) for key in "abc"), return_exceptions=True)
    assert results == [service.error] * 3
    service.error = None
    assert await together.find("a") == 2


async def test_who_no_longer_waits_takes_nothing_from_others():
    service = Service()
    together = DataLoader(service.ask, most=10)
    leaves, stays = (asyncio.create_task(together.find("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    service.gate.set()
    assert await stays == 1
