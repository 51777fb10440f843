"""The timeline of one trace, built from the log lines of its spans, and its table."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

TAIL_BYTES = 4_000_000
"""Bytes at the end of a log that are searched."""
DEEPEST = 50
COLUMNS = 28
DESCRIPTIONS: Mapping[str, str] = {
    "socket.open": "accepts the socket",
    "message.send": "handles message.send",
    "rooms.commands": "calls rooms, batch of {batch}",
    "commit": "commits, batch of {batch}",
    "publish": "publishes the event",
    "deliver": "writes the event to {receivers}",
}
HEAD = ("at", "where", "step", "took")


@dataclass(frozen=True)
class Step:
    start_ns: int
    took_ns: int | None
    where: str
    what: str
    action: str = ""
    span: str = ""
    parent: str = ""
    receivers: int = 0


def load_lines(logs: Path, trace_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the complete log lines of a trace, each with the name of the process that wrote it."""
    found = []
    for file in [*logs.glob("*.log"), logs / "parts" / "nginx.log"]:
        for line in _tail(file).splitlines(keepends=True):
            if trace_id in line and line.endswith("}\n"):
                found.append((file.stem, json.loads(line)))  # noqa: PERF401 - plainer than a comprehension
    return found


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - TAIL_BYTES))
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def build_steps(lines: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Step]:
    """Return the spans among the lines in the order of their start. No span starts before its parent."""
    steps = {step.span: step for step in (_step(where, line) for where, line in lines) if step is not None}
    above = {span: _ancestors(steps, step) for span, step in steps.items()}
    # nginx logs whole milliseconds, so its children may seem to start before it.
    begun = [
        (max(one.start_ns for one in (step, *above[span])), len(above[span]), step) for span, step in steps.items()
    ]
    return [replace(step, start_ns=start) for start, _, step in sorted(begun, key=lambda one: one[:2])]


def _ancestors(steps: Mapping[str, Step], step: Step) -> list[Step]:
    """Return the parent of a step, the parent's parent, and so on."""
    found: list[Step] = []
    over = steps.get(step.parent)
    while over is not None and len(found) < DEEPEST:
        found.append(over)
        over = steps.get(over.parent)
    return found


def _step(where: str, line: Mapping[str, Any]) -> Step | None:
    if line["service.name"] == "nginx":
        took = int(line["nginx.request_time"] * 1e9)
        what, start = f"proxies {_request(line)}", _ns(line["@timestamp"]) - took
        return Step(start, took, where, what, "nginx", line["span.id"], line["parent.id"])
    if "event.duration" not in line:
        return None
    action = str(line["event.action"])
    receivers = line.get("webchat.receivers", 0)
    words = DESCRIPTIONS.get(action, action) if action != "http.request" else f"answers {_request(line)}"
    what = words.format(
        batch=line.get("webchat.batch", 1), receivers=f"{receivers} socket{'' if receivers == 1 else 's'}"
    )
    start, took = _ns(line["event.start"]), line["event.duration"]
    return Step(start, took, where, what, action, line["span.id"], line.get("parent.id", ""), receivers)


def _request(line: Mapping[str, Any]) -> str:
    return f"{line['http.request.method']} {line['url.path']}: {line['http.response.status_code']}"


def _ns(timestamp: str) -> int:
    moment = datetime.fromisoformat(timestamp)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def table(steps: Iterable[Step], began_ns: int) -> list[str]:
    """Return a heading and a line for each step: milliseconds since `began_ns`, where, what, duration, and a bar."""
    rows = [(_ms(step.start_ns - began_ns), step.where, step.what, _took(step)) for step in steps]
    widths = [max(len(row[index]) for row in (HEAD, *rows)) for index in range(4)]
    end = max((step.start_ns + (step.took_ns or 0) for step in steps if step.action != "nginx"), default=began_ns)
    bars = [_bar(step, began_ns, max(end - began_ns, 1)) for step in steps]
    head = _row(HEAD, widths)
    return [head.rstrip(), "─" * (len(head) + COLUMNS), *(
        f"{_row(row, widths)}{bar}".rstrip() for row, bar in zip(rows, bars, strict=True)
    )]  # fmt: skip


def _row(row: tuple[str, str, str, str], widths: list[int]) -> str:
    at, where, what, took = row
    return f"{at:>{widths[0]}}  {where:<{widths[1]}}  {what:<{widths[2]}}  {took:>{widths[3]}}  "


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"


def _took(step: Step) -> str:
    return "" if step.took_ns is None else _ms(step.took_ns)


def _bar(step: Step, began_ns: int, whole_ns: int) -> str:
    """Return the step as a bar on the time axis, or nothing for a step before its start."""
    first = (step.start_ns - began_ns) * COLUMNS // whole_ns
    if first < 0 or step.action == "nginx":
        return ""
    last = (step.start_ns + (step.took_ns or 0) - began_ns) * COLUMNS // whole_ns
    first = min(first, COLUMNS - 1)
    return " " * first + ("▏" if step.took_ns is None else "█" * max(1, min(last, COLUMNS) - first))
