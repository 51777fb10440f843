"""Metrics: bounded labels, and values that match the events."""

import string
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import httpx
import prometheus_client
import pytest
from fastapi import APIRouter, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ResponseError
from sqlalchemy import URL, text

from shared import VERSION, metrics
from shared.contracts.media import Attachment
from shared.database.engine import Database
from shared.errors import Conflict
from shared.events.rooms import MessageCreated, MessageEdited, RoomEvent
from shared.ids import rfc3339
from shared.redis.client import REDIS_DOWN, AnyRedis, close_redis, redis_at
from shared.roomlog.frames import event_frame, time_of
from shared.settings import Settings
from shared.testing.fixtures import on_both_engines
from shared.testing.servers import free_port
from shared.web.app import create_app

Labels = dict[str, str]


class OwnSettings(Settings):
    service: ClassVar[str] = "rooms"


def value_of(name: str, **labels: str) -> float:
    """Return the sum of the samples of a metric with at least these labels, 0 if there are none."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def service(*, on: bool = True) -> FastAPI:
    router = APIRouter(prefix="/api/things")

    @router.get("/{thing_id}")
    async def read(thing_id: str) -> str:
        if thing_id == "bug":
            raise RuntimeError("a bug")
        if thing_id == "taken":
            raise Conflict("It is taken.")
        return thing_id

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    return create_app(
        OwnSettings(service_secret="s" * 32, metrics=on), title="things", routers=[router], lifespan=lifespan
    )


@asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


INCREASES = (
    ("webchat_http_requests_total", {"method": "GET", "route": "/api/things/{thing_id}"}, 22),
    ("webchat_http_requests_total", {"route": "/api/things/{thing_id}", "status": "409"}, 1),
    ("webchat_http_requests_total", {"route": "/api/things/{thing_id}", "status": "500"}, 1),
    ("webchat_http_requests_total", {"method": "GET", "route": "unknown", "status": "404"}, 20),
    ("webchat_http_requests_total", {"method": "other", "status": "405"}, 1),
    ("webchat_http_request_duration_seconds_count", {"method": "GET", "route": "/api/things/{thing_id}"}, 22),
    ("webchat_problems_total", {"code": "conflict"}, 1),
    ("webchat_problems_total", {"code": "internal"}, 1),
    ("webchat_problems_total", {"code": "not_found"}, 20),
)


async def test_requests_are_counted_by_route_template_method_and_status() -> None:
    before = [value_of(name, **labels) for name, labels, _ in INCREASES]
    async with asking(service()) as client:
        for number in range(20):
            await client.get(f"/api/things/{number}")
            await client.get(f"/{number}")
        await client.get("/api/things/taken")
        await client.get("/api/things/bug")
        await client.request("BREW", "/api/things/1")
        page = await client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    increases = [value_of(name, **labels) - value for (name, labels, _), value in zip(INCREASES, before, strict=True)]
    assert increases == [increase for _, _, increase in INCREASES]
    assert value_of("webchat_build_info", version=VERSION) == 1
    assert value_of("process_resident_memory_bytes") > 0


async def test_disabled_metrics_count_nothing_and_have_no_page() -> None:
    before = value_of("webchat_http_requests_total"), value_of("webchat_problems_total")
    try:
        async with asking(service(on=False)) as client:
            assert (await client.get("/api/things/1")).status_code == 200
            assert (await client.get("/metrics")).status_code == 404
        assert (value_of("webchat_http_requests_total"), value_of("webchat_problems_total")) == before
    finally:
        metrics.switch(on=True)


def test_label_values_beyond_the_limit_share_one_child() -> None:
    counter = prometheus_client.Counter("things", "Things.", ["kind"], registry=None)
    children = metrics.Children(counter, most=3)
    for number in range(10):
        children.of(str(number % 5)).inc()
    [family] = counter.collect()
    values = {sample.labels["kind"]: sample.value for sample in family.samples if sample.name == "things_total"}
    assert values == {"0": 2, "1": 2, "2": 2, "other": 4}


def _created(at: int, body: str, filename: str) -> RoomEvent:
    attachment = Attachment(attachment_id="a", filename=filename, content_type="x", size=1, url="u")
    return MessageCreated(
        room_id="r", seq=1, version=1, sender_id="s", client_id="c", kind="text", body=body, at=rfc3339(at),
        edited_at=rfc3339(at + 5), attachments=[attachment],
    )  # fmt: skip


_texts = st.text() | st.lists(st.sampled_from(['"at":"', '"', "\\", ",", "2026-11-25T00:00:00.000Z"])).map("".join)
_times = st.integers(0, 4_000_000_000_000)


@given(_times, _texts, _texts)
def test_the_time_of_an_event_is_found_in_its_bytes(at: int, body: str, filename: str) -> None:
    first = _created(at, body, filename)
    second = MessageEdited(
        room_id="r", version=2, at=rfc3339(at + 7), seq=1, body=body, edited_at=rfc3339(at + 7), by="s"
    )
    assert time_of(event_frame(first)) == at
    assert time_of(event_frame(first) + event_frame(second)) == at
    assert time_of(event_frame(second) + event_frame(first)) == at + 7


@given(st.binary() | st.text(string.printable).map(lambda text: b'"at":"' + text.encode()))
def test_other_bytes_have_no_time(data: bytes) -> None:
    assert time_of(data) is None or b'"at":"' in data


@on_both_engines
async def test_redis_round_trips_are_timed_except_blocking_reads(redis: AnyRedis) -> None:
    def counts() -> list[float]:
        return [value_of("webchat_redis_round_trip_seconds_count", kind=kind) for kind in ("command", "pipeline")]

    await redis.set("word", "x")
    before, failures = counts(), value_of("webchat_redis_failures_total")
    with pytest.raises(ResponseError):
        await redis.incr("word")
    pipeline = redis.pipeline(transaction=False)
    for number in range(5):
        pipeline.set("word", number)
    await pipeline.execute()
    await redis.xgroup_create("s", "g", mkstream=True)
    await redis.xreadgroup("g", "me", {"s": ">"}, count=1, block=1)
    assert counts() == [before[0] + 2, before[1] + 1]
    assert value_of("webchat_redis_failures_total") == failures


async def test_an_unreachable_redis_counts_as_a_failure() -> None:
    before = value_of("webchat_redis_failures_total")
    redis = redis_at([f"127.0.0.1:{free_port()}"])
    with pytest.raises(REDIS_DOWN):
        await redis.get("word")
    pipeline = redis.pipeline(transaction=False)
    pipeline.get("word")
    with pytest.raises(REDIS_DOWN):
        await pipeline.execute()
    await close_redis(redis)
    assert value_of("webchat_redis_failures_total") == before + 2


async def test_a_database_reports_connections_and_waits(tmp_path: Path) -> None:
    database = Database(URL.create("sqlite", database=str(tmp_path / "x.sqlite3")), pool_size=3)
    before = {gate: value_of("webchat_db_wait_seconds_count", gate=gate) for gate in ("pool", "writer")}
    async with database.read() as db:
        await db.execute(text("SELECT 1"))
        assert value_of("webchat_db_connections_in_use") == 1
        assert value_of("webchat_db_pool_connections") == 3
    async with database.write() as db:
        await db.execute(text("CREATE TABLE t (id INTEGER)"))
    assert value_of("webchat_db_connections_in_use") == 0
    after = {gate: value_of("webchat_db_wait_seconds_count", gate=gate) for gate in ("pool", "writer")}
    assert after == {"pool": before["pool"] + 2, "writer": before["writer"] + 1}
    await database.close()
