"""Load shedding: its order, its thresholds, and that commands are never shed."""

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
from shared.web.overload import MINUTE_TICKS, RETRY_S, TICKS, TYPING_SHED, Overload
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
def test_history_is_shed_only_if_ephemeral_messages_are_shed_too(
    ticks: list[tuple[float, float]], one: float, two: float
):
    overload = Overload(ephemeral_at=one, history_at=two)
    for late, level in ticks:
        overload.watch(lambda level=level: level)  # type: ignore[misc]
        overload.update(late)
        assert overload.sheds_ephemeral(TYPING_SHED) or not sheds_history(overload)


@given(LATE, st.integers(0, TICKS // 2))
def test_a_short_pause_does_not_count_as_load(late: float, stalls: int):
    overload = Overload(ephemeral_at=0.1, history_at=0.5)
    for number in range(4 * TICKS):
        overload.update(late if number % (2 * TICKS) < stalls else 0.01)
        assert not overload.sheds_ephemeral(TYPING_SHED)


@given(st.floats(0.5, 10), st.integers(TICKS, 20), st.floats(0, 0.09))
def test_repeated_lateness_counts_as_load_until_it_ends(late: float, busy: int, calm: float):
    overload = Overload(ephemeral_at=0.1, history_at=0.5)
    for _ in range(busy):
        overload.update(late)
    assert overload.sheds_ephemeral(TYPING_SHED)
    assert sheds_history(overload)
    for _ in range(TICKS):
        overload.update(calm)
    assert not overload.sheds_ephemeral(TYPING_SHED)
    assert not sheds_history(overload)


def test_a_full_queue_counts_at_once():
    overload = Overload(ephemeral_at=0.25, history_at=0.75)
    level = [0.0]
    overload.watch(lambda: level[0])
    for level[0], ephemeral, history in (
        (0.2, False, False),
        (0.25, True, False),
        (0.8, True, True),
        (0.0, False, False),
    ):
        overload.update(0)
        assert (overload.sheds_ephemeral(TYPING_SHED), sheds_history(overload)) == (ephemeral, history)


def test_the_longest_stall_counts_for_a_minute():
    overload = Overload(ephemeral_at=0.1, history_at=0.5)
    assert overload.longest_stall_s == 0
    for late in (0.2, 0.7, -0.1, 0.3):
        overload.update(late)
    assert overload.longest_stall_s == 0.7
    for _ in range(MINUTE_TICKS - 3):
        overload.update(0.1)
    assert overload.longest_stall_s == 0.7
    overload.update(0.1)
    assert overload.longest_stall_s == 0.3


async def test_the_lateness_of_the_loop_is_measured():
    overload = Overload(ephemeral_at=0.1, history_at=0.5, tick_s=0.01)

    async with overload.watching():
        for _ in range(TICKS):
            await asyncio.sleep(0.001)  # the pending tick runs; the next one is due in 10 ms
            time.sleep(0.05)  # noqa: ASYNC251 - makes the loop late
        await eventually(lambda: overload.load > 0.03)
        await eventually(lambda: overload.load < 0.03)


class OwnSettings(Settings):
    service: ClassVar[str] = "rooms"


async def test_a_shed_page_gets_retry_after_and_a_command_is_executed():
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
        state_of(app).overload.update(0)
        rejected, done = await asyncio.gather(client.get("/pages"), client.post("/commands"))
    assert (rejected.status_code, rejected.json()["type"]) == (503, "urn:webchat:problem:unavailable")
    assert RETRY_S[0] <= int(rejected.headers["Retry-After"]) <= RETRY_S[1]
    assert done.status_code == 200
