"""`make trace`: the spans of a running instance, and the table built from log lines."""

import re
from pathlib import Path

import pytest

from embedded.failures import CannotRun
from embedded.settings import Settings
from embedded.trace.command import trace
from embedded.trace.timeline import build_steps, table

from .conftest import Instance

STEPS = (
    "proxies GET /api/chat/ws: 101", "accepts the socket", "sends the message", "handles message.send", "calls rooms",
    "commits, batch of", "publishes the event", "writes the event to ", "receives the message",
)  # fmt: skip
ROW = re.compile(r" *-?\d+\.\d ms  (nginx|auth|rooms|chat-gateway-[12]|sender|reader) +\S.*")


def test_one_message_is_traced_from_nginx_to_the_sockets_and_back(webchat: Instance) -> None:
    for _ in range(2):  # the second run reuses the accounts and the room of the first
        done = webchat.run("trace")
        assert (done.returncode, done.stderr) == (0, "")
        title, _, head, _, *rows = done.stdout.splitlines()
        assert re.fullmatch("trace [0-9a-f]{32}", title)
        assert head.split() == ["at", "where", "step", "took"]
        assert [row for row in rows if not ROW.fullmatch(row)] == []
        found = [next(index for index, row in enumerate(rows) if what in row) for what in STEPS]
        assert found == sorted(found), "in the order in which it happens"
        written = [int(number) for number in re.findall(r"writes the event to (\d+) sockets?", done.stdout)]
        assert written in ([2], [1, 1]), "sender and reader are on one gateway, or one on each"
        began = [float(row.split()[0]) for row in rows]
        assert began == sorted(began)


def test_a_folder_where_nothing_runs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match=re.escape(f"no WebChat runs in {tmp_path}: start it with `make run`")):
        trace(Settings(environment={}, data=tmp_path, port=1, nginx=Path(), client=Path()))


def span(where: str, action: str, start: str, span_id: str, parent: str) -> tuple[str, dict[str, object]]:
    line = {"service.name": where, "event.action": action, "event.start": f"2026-01-01T00:00:{start}+00:00"}
    return where, line | {"event.duration": 1_500_000, "span.id": span_id, "parent.id": parent}


def test_no_step_starts_before_its_parent_and_only_spans_are_steps() -> None:
    nginx = {
        "service.name": "nginx", "@timestamp": "2026-01-01T00:00:01.010+00:00", "nginx.request_time": 0.01,
        "span.id": "a" * 16, "parent.id": "", "http.request.method": "GET", "url.path": "/x",
        "http.response.status_code": 200,
    }  # fmt: skip
    early = span("auth", "commit", "00.999500", "b" * 16, "a" * 16)
    plain_line = ("auth", {"service.name": "auth", "span.id": "b" * 16, "message": "hello"})
    steps = build_steps([early, plain_line, ("nginx", nginx)])
    assert [(step.where, step.start_ns % 10**9) for step in steps] == [("nginx", 0), ("auth", 0)]
    rows = table(steps, steps[0].start_ns)
    assert rows[2].split() == ["0.0", "ms", "nginx", "proxies", "GET", "/x:", "200", "10.0", "ms"]
    assert rows[3].split()[-3:-1] == ["1.5", "ms"]
