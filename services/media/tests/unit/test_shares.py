"""Fair shares: one person gets a part of the places, of the workers and of the computing time."""

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.service.shares import ComputingTime, Places, Workers
from shared.errors import RateLimited, Unavailable


def test_one_person_holds_a_part_of_the_places():
    places = Places(3, of_one=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(places.place("anna"))
        with pytest.raises(Unavailable, match="of your uploads"):
            stack.enter_context(places.place("anna"))
        stack.enter_context(places.place("berta"))
        with pytest.raises(Unavailable, match="Too many uploads"):
            stack.enter_context(places.place("cho"))
    with places.place("anna"), places.place("anna"), places.place("cho"):
        pass


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
    work = Work(Workers(2, of_one=1, waiting_of_one=2))
    for number in range(4):
        await work.begin("a", number)
    assert (work.got, work.refused) == (["a0"], ["a3"])
    await work.begin("b", 0)
    assert work.got == ["a0", "b0"]


async def test_a_free_worker_goes_to_the_person_who_was_served_longest_ago():
    work = Work(Workers(1, of_one=1, waiting_of_one=9))
    for name in ("a0", "a1", "a2", "b0", "c0", "b1"):
        await work.begin(name[0], int(name[1]))
    for name in ("a0", "a1", "b0", "c0", "a2"):
        await work.finish(name)
    assert work.got == ["a0", "a1", "b0", "c0", "a2", "b1"]


async def test_a_caller_who_gives_up_leaves_the_queue_or_the_worker():
    work = Work(Workers(1, of_one=1, waiting_of_one=9))
    for name in ("a0", "b0", "c0"):
        await work.begin(name[0], int(name[1]))
    await work.give_up("b0")
    await work.give_up("a0")
    assert work.got == ["a0", "c0"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "finish", "give up"])), max_size=40))
def test_workers_are_never_lost_or_lent_twice(steps: list[tuple[str, str]]):
    async def run() -> None:
        work = Work(Workers(2, of_one=1, waiting_of_one=3))
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


def test_computing_time_is_forgiven_second_by_second():
    time_of_one = ComputingTime(30)
    time_of_one.charge("anna", 29, now=0)
    time_of_one.check("anna", 0)
    time_of_one.charge("anna", 11, now=0)
    with pytest.raises(RateLimited) as refused:
        time_of_one.check("anna", 0)
    assert refused.value.retry_after == 20
    time_of_one.check("berta", 0)
    with pytest.raises(RateLimited):
        time_of_one.check("anna", 19)
    time_of_one.check("anna", 20.5)


def test_people_whose_time_is_forgiven_are_forgotten():
    time_of_one = ComputingTime(30)
    for number in range(1000):
        time_of_one.charge(f"person {number}", 1, now=number)
    assert len(time_of_one._used) <= 3
