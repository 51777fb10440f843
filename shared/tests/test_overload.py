"""What a busy process leaves undone, in which order, and what never."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import httpx
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unavailable
from shared.settings import Settings
from shared.testing.fixtures import eventually
from shared.web.app import create_app
from shared.web.overload import RETRY_S, TICKS, TYPING_SHED, Overload
from shared.web.shedding import SHED_UNDER_LOAD
from shared.web.state import state_of

LATE = st.floats(0, 10)


def sheds_history(overload: Overload) -> bool:
    try:
        overload.check_history()
    except Unavailable:
        return True
    return False


@given(st.lists(st.tuples(LATE, st.floats(0, 1)), max_size=30), st.floats(0.01, 2), st.floats(0.01, 2))
def test_history_waits_only_where_hints_are_dropped_as_well(ticks: list[tuple[float, float]], one: float, two: float):
    overload = Overload(hints_at=one, history_at=two)
    for late, filled in ticks:
        overload.watch(lambda filled=filled: filled)  # type: ignore[misc]
        overload.note(late)
        assert overload.sheds_hints(TYPING_SHED) or not sheds_history(overload)


@given(LATE, st.integers(0, TICKS // 2))
def test_one_that_stood_still_for_a_moment_is_not_busy(late: float, stalls: int):
    overload = Overload(hints_at=0.1, history_at=0.5)
    for number in range(4 * TICKS):
        overload.note(late if number % (2 * TICKS) < stalls else 0.01)
        assert not overload.sheds_hints(TYPING_SHED)


@given(st.floats(0.5, 10), st.integers(TICKS, 20), st.floats(0, 0.09))
def test_one_that_is_late_again_and_again_is_and_then_no_more(late: float, busy: int, calm: float):
    overload = Overload(hints_at=0.1, history_at=0.5)
    for _ in range(busy):
        overload.note(late)
    assert overload.sheds_hints(TYPING_SHED)
    assert sheds_history(overload)
    for _ in range(TICKS):
        overload.note(calm)
    assert not overload.sheds_hints(TYPING_SHED)
    assert not sheds_history(overload)


def test_what_waits_counts_at_once():
    overload = Overload(hints_at=0.25, history_at=0.75)
    filled = [0.0]
    overload.watch(lambda: filled[0])
    for filled[0], hints, history in ((0.2, False, False), (0.25, True, False), (0.8, True, True), (0.0, False, False)):
        overload.note(0)
        assert (overload.sheds_hints(TYPING_SHED), sheds_history(overload)) == (hints, history)


async def test_the_loops_lateness_is_measured():
    overload = Overload(hints_at=0.1, history_at=0.5, tick_s=0.01)

    async with overload.watching():
        for _ in range(TICKS):
            await asyncio.sleep(0.001)  # the tick that is due runs, and the next one is due in 10 ms
            time.sleep(0.05)  # noqa: ASYNC251 - the loop is to be late
        await eventually(lambda: overload.load > 0.03)
        await eventually(lambda: overload.load < 0.03)


class OwnSettings(Settings):
    service: ClassVar[str] = "rooms"


async def test_a_page_is_refused_with_a_time_to_come_back_and_a_command_is_not():
    router = APIRouter()

    @router.get("/pages", dependencies=[SHED_UNDER_LOAD])
    async def read() -> str:
        return "a page"

    @router.post("/commands")
    async def execute() -> str:
        return "done"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = create_app(OwnSettings(service_secret="s" * 32), title="things", routers=[router], lifespan=lifespan)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/pages")).status_code == 200
        state_of(app).overload.watch(lambda: 1.0)
        state_of(app).overload.note(0)
        refused, done = await asyncio.gather(client.get("/pages"), client.post("/commands"))
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:webchat:problem:unavailable")
    assert RETRY_S[0] <= int(refused.headers["Retry-After"]) <= RETRY_S[1]
    assert done.status_code == 200
