"""Fair shares of workers: who brings much work waits for it, and nobody else does."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.fair_workers import Workers


def _workers(count: int, *, waiting_of_one: int, wait_s: float = 60) -> Workers:
    return Workers(count, of_one=1, waiting_of_one=waiting_of_one, wait_s=wait_s, too_many="Too many.")


class Work:
    """Requests for workers. Each records when it gets one, and holds it until `finish`."""

    def __init__(self, workers: Workers) -> None:
        self.workers, self.got, self.refused = workers, list[str](), list[str]()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, person: str, number: int) -> None:
        name = f"{person}{number}"
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._hold(person, name))
        await self._settle()

    async def _hold(self, person: str, name: str) -> None:
        try:
            async with self.workers.worker(person):
                self.got.append(name)
                await self._ends[name].wait()
        except Unavailable:
            self.refused.append(name)

    async def finish(self, name: str) -> None:
        self._ends[name].set()
        await self._tasks[name]
        await self._settle()

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait([self._tasks[name]])
        await self._settle()

    @staticmethod
    async def _settle() -> None:
        for _ in range(4):
            await asyncio.sleep(0)


async def test_one_person_never_holds_the_last_worker():
    work = Work(_workers(2, waiting_of_one=2))
    for number in range(4):
        await work.begin("a", number)
    assert (work.got, work.refused) == (["a0"], ["a3"])
    await work.begin("b", 0)
    assert work.got == ["a0", "b0"]


async def test_a_free_worker_goes_to_the_person_who_was_served_longest_ago():
    work = Work(_workers(1, waiting_of_one=9))
    for name in ("a0", "a1", "a2", "b0", "c0", "b1"):
        await work.begin(name[0], int(name[1]))
    for name in ("a0", "a1", "b0", "c0", "a2"):
        await work.finish(name)
    assert work.got == ["a0", "a1", "b0", "c0", "a2", "b1"]


async def test_a_caller_who_gives_up_leaves_the_queue_or_the_worker():
    work = Work(_workers(1, waiting_of_one=9))
    for name in ("a0", "b0", "c0"):
        await work.begin(name[0], int(name[1]))
    await work.give_up("b0")
    await work.give_up("a0")
    assert work.got == ["a0", "c0"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "finish", "give up"])), max_size=40))
def test_workers_are_never_lost_or_lent_twice(steps: list[tuple[str, str]]):
    async def run() -> None:
        work = Work(_workers(2, waiting_of_one=3))
        begun: dict[str, list[str]] = {"a": [], "b": [], "c": []}
        for number, (person, step) in enumerate(steps):
            if step == "begin":
                await work.begin(person, number)
                if f"{person}{number}" not in work.refused:
                    begun[person].append(f"{person}{number}")
            elif begun[person] and (step == "give up" or begun[person][0] in work.got):
                name = begun[person].pop(0)
                await (work.finish(name) if step == "finish" else work.give_up(name))
            first = [names[0] for names in begun.values() if names]
            assert sum(name in work.got for name in first) == min(2, len(first)), "as many work as can"
            assert not any(name in work.got for names in begun.values() for name in names[1:])
        for _ in range(sum(map(len, begun.values()))):
            names = next(names for names in begun.values() if names and names[0] in work.got)
            await work.finish(names.pop(0))
        async with work.workers.worker("a"), work.workers.worker("b"):
            pass

    asyncio.run(run())


async def test_a_request_that_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    workers = _workers(1, waiting_of_one=1, wait_s=0.01)
    async with workers.worker("a"):
        for _ in range(2):
            with pytest.raises(Unavailable, match="Too many"):
                await workers.worker("a").__aenter__()
    async with workers.worker("a"):
        pass
