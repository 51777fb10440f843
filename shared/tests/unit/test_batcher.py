"""Batches: nothing is lost or handled twice at a time, the newest value wins, and the bound holds."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batcher import Batcher


class Handler:
    """Records its batches; a test decides when one ends and whether it fails."""

    def __init__(self) -> None:
        self.batches: list[dict[Any, Any]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.error: Exception | None = None

    async def __call__(self, items: dict[Any, Any]) -> None:
        self.batches.append(dict(items))
        await self.may_end.wait()
        if self.error is not None:
            raise self.error


async def test_what_comes_during_a_batch_goes_in_the_next():
    handler = Handler()
    batcher = Batcher(handler, limit=10)
    handler.may_end.clear()
    assert batcher.add("a", 1)
    running = asyncio.create_task(batcher.run())
    await asyncio.sleep(0)
    for number in range(3):
        assert batcher.add("b", number)
    assert batcher.add("c", 9)
    handler.may_end.set()
    await running
    await batcher.run()
    assert handler.batches == [{"a": 1}, {"b": 2, "c": 9}]
    assert len(batcher) == 0


async def test_a_batch_has_a_limit_and_the_oldest_go_first():
    handler = Handler()
    batcher = Batcher(handler, limit=10, batch=2)
    for key in "abc":
        batcher.add(key, None)
    await batcher.drain()
    assert [list(batch) for batch in handler.batches] == [["a", "b"], ["c"]]


async def test_a_full_batcher_takes_only_what_waits_already():
    batcher = Batcher(Handler(), limit=2)
    assert [batcher.add(key, None) for key in "abab"] == [True] * 4
    assert not batcher.add("c", None)
    await batcher.run()
    assert batcher.add("c", None)


async def test_a_failed_batch_waits_again_but_not_over_newer_items():
    handler = Handler()
    batcher = Batcher(handler, limit=10, batch=2)
    batcher.add("a", "old")
    batcher.add("b", "old")
    batcher.add("c", "old")
    handler.error = OSError("away")
    handler.may_end.clear()
    running = asyncio.create_task(batcher.run())
    await asyncio.sleep(0)
    batcher.add("b", "new")
    handler.may_end.set()
    with pytest.raises(OSError, match="away"):
        await running
    handler.error = None
    await batcher.drain()
    assert handler.batches[1:] == [{"a": "old", "b": "new"}, {"c": "old"}]


async def test_a_cancelled_batch_waits_again():
    handler = Handler()
    batcher = Batcher(handler, limit=10)
    handler.may_end.clear()
    batcher.add("a", 1)
    running = asyncio.create_task(batcher.run())
    await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert len(batcher) == 1


async def test_without_requeue_a_failed_batch_is_gone():
    handler = Handler()
    handler.error = OSError("away")
    batcher = Batcher(handler, limit=10, requeue=False)
    batcher.add("a", 1)
    with pytest.raises(OSError, match="away"):
        await batcher.run()
    assert len(batcher) == 0


STEPS = st.lists(
    st.one_of(st.tuples(st.just("add"), st.integers(0, 5)), st.tuples(st.sampled_from(["run", "fail"]), st.just(0)))
)


@given(steps=STEPS, batch=st.integers(1, 4), limit=st.integers(1, 6))
def test_every_accepted_item_is_handled_in_its_newest_value(steps: list[tuple[str, int]], batch: int, limit: int):
    async def play() -> None:
        newest: dict[int, int] = {}
        handled: dict[int, int] = {}
        is_failing = False

        async def handle(items: dict[int, int]) -> None:
            assert 0 < len(items) <= batch
            if is_failing:
                raise OSError
            handled.update(items)

        batcher = Batcher(handle, limit=limit, batch=batch)
        for value, (step, key) in enumerate(steps):
            if step == "add":
                if batcher.add(key, value):
                    newest[key] = value
                assert len(batcher) <= limit
            elif len(batcher):
                is_failing = step == "fail"
                with suppress(OSError):
                    await batcher.run()
        is_failing = False
        await batcher.drain()
        assert handled == newest

    asyncio.run(play())
