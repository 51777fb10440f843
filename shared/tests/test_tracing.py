"""Tracing: sampling, spans, propagation, and export to a collector."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import ClassVar

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from shared.events.auth import UserClosed
from shared.events.rooms import MemberLeft, MessageReacted
from shared.logging.context import LogContext, add_log_fields
from shared.outbox.table import _payload
from shared.roomlog.frames import Publication, batch_events, parse_publication
from shared.settings import Settings
from shared.streams.consumer import _trace_of
from shared.testing.fixtures import eventually
from shared.testing.otlp import collecting
from shared.tracing.context import attach_span_context, current_span_context, parse_traceparent, set_sample_ratio
from shared.tracing.otlp import QUEUE_SPANS, Collector
from shared.tracing.setup import close_tracing, configure_tracing
from shared.tracing.spans import child_span, export_to, span, start_trace
from shared.web.app import create_app

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"


@pytest.fixture
def recorded(spans: list[dict]) -> Iterator[list[dict]]:
    """The spans of the test, without a sample ratio or a current span."""
    attach_span_context(None)
    yield spans
    set_sample_ratio(0)


@pytest.mark.parametrize(
    "traceparent",
    [
        "", "00", f"01-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01", f"{SAMPLED}-more", f" {SAMPLED}", f"{SAMPLED}\n", "x" * 10_000,
    ],
)  # fmt: skip
def test_a_malformed_traceparent_is_ignored(traceparent: str):
    assert parse_traceparent(traceparent) is None


def test_sampling_depends_only_on_the_trace_id():
    set_sample_ratio(0.5)
    try:
        low, high = f"00-{'a' * 24}00000001-{PARENT}-00", f"00-{'a' * 24}ffffffff-{PARENT}-00"
        assert [context and context.is_sampled for context in map(parse_traceparent, (low, high))] == [True, False]
    finally:
        set_sample_ratio(0)


def test_spans_nest_and_have_an_outcome(recorded: list[dict]):
    with span("outer", "server", {"webchat.room": "01ROOM"}, after=SAMPLED):  # noqa: SIM117 - two spans
        with pytest.raises(KeyError), span("inner", "client"):
            raise KeyError("secret")
    inner, outer = recorded
    assert (outer["trace.id"], outer["parent.id"], outer["event.outcome"]) == (TRACE, PARENT, "success")
    assert (inner["parent.id"], inner["event.outcome"], inner["error.type"]) == (
        outer["span.id"],
        "failure",
        "KeyError",
    )
    assert outer["event.duration"] >= inner["event.duration"] >= 0
    assert outer["webchat.room"] == "01ROOM"
    assert current_span_context() is None


def test_an_unsampled_trace_creates_no_spans(recorded: list[dict]):
    with span("outer", "server", after=UNSAMPLED), span("inner", "client"):
        pass
    assert (recorded, child_span(UNSAMPLED, "x", "client", {}), child_span("", "x", "client", {})) == ([], None, None)


async def test_a_request_of_a_sampled_trace_is_a_span(recorded: list[dict]):
    router = APIRouter()

    @router.get("/rooms/{room_id}")
    async def read(room_id: str) -> None:
        add_log_fields(room=room_id)
        with span("inside", "client"):
            pass

    app = FastAPI()
    app.add_middleware(LogContext)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for traceparent in (SAMPLED, UNSAMPLED):
            await asyncio.create_task(client.get("/rooms/01ROOM", headers={"traceparent": traceparent}))
    inside, request = recorded
    assert (request["event.action"], request["parent.id"]) == ("http.request", PARENT)
    assert (request["url.path"], request["http.response.status_code"]) == ("/rooms/01ROOM", 200)
    assert inside["parent.id"] == request["span.id"]


def test_an_event_carries_its_trace_through_the_outbox(recorded: list[dict]):
    closed = UserClosed(user_id="01USER", version=2, at=1)
    plain = _payload(closed)
    assert (json.loads(plain).keys(), _trace_of({b"payload": plain})) == ({"topic", "user_id", "version", "at"}, "")
    with span("close", "server", after=SAMPLED):
        context = current_span_context()
        payload = _payload(closed)
    assert context is not None
    assert _trace_of({b"payload": payload}) == context.traceparent
    assert json.loads(payload) | {"traceparent": ""} == json.loads(plain) | {"traceparent": ""}


def test_a_sampled_event_has_its_own_run_and_member_left_has_no_traceparent():
    events = [MemberLeft(room_id="r", version=version, at="", user_id="a", by="a") for version in (4, 5)]
    edits = [
        MessageReacted(room_id="r", version=v, at="", seq=1, user_id="a", emoji="x", removed=False) for v in (1, 2, 3)
    ]
    runs = batch_events([*edits, *events], {2: SAMPLED, 5: SAMPLED})
    assert [(run.first, len(run.frames), run.traceparent) for run in runs] == [
        (1, 1, ""), (2, 1, SAMPLED), (3, 1, ""), (4, 1, ""), (5, 1, ""),
    ]  # fmt: skip
    assert [(run.first, len(run.frames)) for run in batch_events(edits)] == [(1, 3)]
    assert parse_publication(b"2 2 - " + SAMPLED.encode() + b"\n{}") == Publication(2, 2, b"-", b"{}", SAMPLED)
    assert parse_publication(b"1 3 -\n{}") == Publication(1, 3, b"-", b"{}")


async def test_a_collector_receives_the_logged_spans(recorded: list[dict]):
    async with collecting("Bearer of spans") as (url, taken):
        headers = "authorization=Bearer%20of%20spans"
        own = {"otel_exporter_otlp_endpoint": url, "otel_exporter_otlp_headers": headers}
        configure_tracing(RoomsSettings(service_secret="s" * 32, **own))
        try:
            first = start_trace("message.send", {"user.id": "01USER", "webchat.room": "01ROOM"})
            with span("commit", "server", after=first.traceparent):
                pass
            first.end("failure")
        finally:
            await asyncio.to_thread(close_tracing)  # exports what is queued
        await eventually(lambda: len(taken) == 2)
    [resource] = {service for service, _ in taken}
    commit, send = [one for _, one in taken]
    assert (resource, commit.name, send.name) == ("rooms", "commit", "message.send")
    assert commit.trace_id == send.trace_id == bytes.fromhex(recorded[0]["trace.id"])
    assert (commit.parent_span_id, send.parent_span_id) == (send.span_id, b"")
    assert send.start_time_unix_nano <= commit.start_time_unix_nano <= commit.end_time_unix_nano
    assert send.end_time_unix_nano - send.start_time_unix_nano == recorded[1]["event.duration"]
    assert send.status.code == send.status.STATUS_CODE_ERROR
    assert "01USER" not in str(send)
    assert "01ROOM" in str(send)


async def test_queued_spans_are_exported_when_the_application_ends(recorded: list[dict]):
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        start_trace("last", {}).end()

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    async with collecting() as (url, taken):
        settings = RoomsSettings(service_secret="s" * 32, otel_exporter_otlp_endpoint=url)
        app = create_app(settings, title="things", routers=[], lifespan=lifespan)
        configure_tracing(settings)
        try:
            await asyncio.to_thread(asyncio.run, live())  # on another loop: the collector runs on this one
            start_trace("too late", {}).end()
            await eventually(lambda: taken)
        finally:
            await asyncio.to_thread(close_tracing)
    assert [one.name for _, one in taken] == ["last"]


def test_without_a_collector_no_exporter_is_imported():
    program = """
import sys
from shared.web.app import create_app
from shared.tracing.setup import configure_tracing
from shared.settings import Settings
class Own(Settings):
    service = "rooms"
configure_tracing(Own(service_secret="s" * 32))
assert "shared.tracing.otlp" not in sys.modules
assert not [name for name in sys.modules if name.startswith(("opentelemetry.exporter", "opentelemetry.sdk.trace"))]
"""
    ended = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_a_hanging_collector_blocks_nothing(recorded: list[dict]):
    """It accepts connections and never answers, so each batch hangs for `timeout_s`."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        collector = Collector(f"http://127.0.0.1:{hanging.getsockname()[1]}", "", "rooms", timeout_s=2, close_s=0.01)
        export_to(collector.add)
        try:
            for _ in range(QUEUE_SPANS + 500):
                start_trace("message.send", {}).end()
        finally:
            export_to(None)
            await asyncio.to_thread(collector.close)
        assert exporters(), "close must not wait for the hanging export"
    assert len([one for one in recorded if one["event.action"] == "message.send"]) == QUEUE_SPANS + 500
    await eventually(lambda: not exporters(), 40)


def exporters() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if "Otel" in one.name]
