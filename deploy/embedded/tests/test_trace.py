"""The walk of a message: of the running instance's own lines, and how lines become a table."""

import re
from pathlib import Path

import pytest

from embedded.failures import CannotRun
from embedded.settings import Settings
from embedded.trace.command import trace
from embedded.trace.walk import steps_of, table

from .conftest import Instance

WALK = (
    "hands on GET /api/chat/ws: 101", "lets the socket in", "sends a message", "takes the message", "asks rooms",
    "commits it", "publishes it", "writes it to 1 socket", "has the message",
)  # fmt: skip
ROW = re.compile(r" *-?\d+\.\d ms  (nginx|auth|rooms|chat-gateway-[12]|sender|reader) +\S.*")


def test_one_message_is_followed_from_nginx_to_the_sockets_and_back(webchat: Instance) -> None:
    for _ in range(2):  # the accounts and the room of the first time are taken again
        done = webchat.run("trace")
        assert (done.returncode, done.stderr) == (0, "")
        title, _, head, _, *rows = done.stdout.splitlines()
        assert re.fullmatch("trace [0-9a-f]{32}", title)
        assert head.split() == ["at", "part", "what", "took"]
        assert [row for row in rows if not ROW.fullmatch(row)] == []
        found = [next(index for index, row in enumerate(rows) if what in row) for what in WALK]
        assert found == sorted(found), "in the order in which it happens"
        assert sum("writes it to 1 socket" in row for row in rows) in {1, 2}, "one or both of the gateways"
        began = [float(row.split()[0]) for row in rows]
        assert began == sorted(began)


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=re.escape(f"no WebChat runs in {tmp_path}: make run starts one")):
        trace(Settings(environment={}, data=tmp_path, port=1, nginx=Path(), client=Path()))


def span(part: str, action: str, start: str, span_id: str, parent: str) -> tuple[str, dict[str, object]]:
    line = {"service.name": part, "event.action": action, "event.start": f"2026-01-01T00:00:{start}+00:00"}
    return part, line | {"event.duration": 1_500_000, "span.id": span_id, "parent.id": parent}


def test_nothing_begins_before_what_it_stands_under_and_only_spans_are_steps() -> None:
    nginx = {
        "service.name": "nginx", "@timestamp": "2026-01-01T00:00:01.010+00:00", "nginx.request_time": 0.01,
        "span.id": "a" * 16, "parent.id": "", "http.request.method": "GET", "url.path": "/x",
        "http.response.status_code": 200,
    }  # fmt: skip
    early = span("auth", "commit", "00.999500", "b" * 16, "a" * 16)
    said = ("auth", {"service.name": "auth", "span.id": "b" * 16, "message": "hello"})
    steps = steps_of([early, said, ("nginx", nginx)])
    assert [(step.part, step.start_ns % 10**9) for step in steps] == [("nginx", 0), ("auth", 0)]
    rows = table(steps, steps[0].start_ns)
    assert rows[2].split() == ["0.0", "ms", "nginx", "hands", "on", "GET", "/x:", "200", "10.0", "ms"]
    assert rows[3].split()[-3:-1] == ["1.5", "ms"]
