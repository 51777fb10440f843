"""The walk of one trace, made of the lines that tell of it: who did what, when, for how long; and how it looks."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

TAIL_BYTES = 4_000_000
"""How much of a log's end is looked at."""
DEEPEST = 50
COLUMNS = 28
WHAT: Mapping[str, str] = {
    "socket.open": "lets the socket in",
    "message.send": "takes the message",
    "rooms.commands": "asks rooms, {batch} in the batch",
    "commit": "commits it, {batch} in the transaction",
    "publish": "publishes it",
    "deliver": "writes it to {receivers}",
}
HEAD = ("at", "part", "what", "took")


@dataclass(frozen=True)
class Step:
    start_ns: int
    took_ns: int | None
    part: str
    what: str
    action: str = ""
    span: str = ""
    parent: str = ""
    receivers: int = 0


def lines_of(logs: Path, trace_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What the parts have written of a trace: (part, line), whole lines only."""
    found = []
    for file in [*logs.glob("*.log"), logs / "parts" / "nginx.log"]:
        for line in _tail(file).splitlines(keepends=True):
            if trace_id in line and line.endswith("}\n"):
                found.append((file.stem, json.loads(line)))  # noqa: PERF401 - plainer so
    return found


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - TAIL_BYTES))
            return log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def steps_of(lines: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Step]:
    """The spans among them, in the order in which they began; none before the one that it stands under."""
    steps = {step.span: step for step in (_step(part, line) for part, line in lines) if step is not None}
    above = {span: _above(steps, step) for span, step in steps.items()}
    # nginx tells whole milliseconds: what it leads to may seem to begin before it
    begun = [
        (max(one.start_ns for one in (step, *above[span])), len(above[span]), step) for span, step in steps.items()
    ]
    return [replace(step, start_ns=start) for start, _, step in sorted(begun, key=lambda one: one[:2])]


def _above(steps: Mapping[str, Step], step: Step) -> list[Step]:
    """What it stands under, and what that stands under."""
    found: list[Step] = []
    over = steps.get(step.parent)
    while over is not None and len(found) < DEEPEST:
        found.append(over)
        over = steps.get(over.parent)
    return found


def _step(part: str, line: Mapping[str, Any]) -> Step | None:
    if line["service.name"] == "nginx":
        took = int(line["nginx.request_time"] * 1e9)
        what, start = f"hands on {_request(line)}", _ns(line["@timestamp"]) - took
        return Step(start, took, part, what, "nginx", line["span.id"], line["parent.id"])
    if "event.duration" not in line:
        return None
    action = str(line["event.action"])
    receivers = line.get("webchat.receivers", 0)
    words = WHAT.get(action, action) if action != "http.request" else f"answers {_request(line)}"
    what = words.format(
        batch=line.get("webchat.batch", 1), receivers=f"{receivers} socket{'' if receivers == 1 else 's'}"
    )
    start, took = _ns(line["event.start"]), line["event.duration"]
    return Step(start, took, part, what, action, line["span.id"], line.get("parent.id", ""), receivers)


def _request(line: Mapping[str, Any]) -> str:
    return f"{line['http.request.method']} {line['url.path']}: {line['http.response.status_code']}"


def _ns(timestamp: str) -> int:
    moment = datetime.fromisoformat(timestamp)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000


def table(steps: Iterable[Step], began_ns: int) -> list[str]:
    """A line for each step: milliseconds since `began_ns`, the part, what it did, how long; and all of it as bars."""
    rows = [(_ms(step.start_ns - began_ns), step.part, step.what, _took(step)) for step in steps]
    widths = [max(len(row[index]) for row in (HEAD, *rows)) for index in range(4)]
    end = max((step.start_ns + (step.took_ns or 0) for step in steps if step.action != "nginx"), default=began_ns)
    bars = [_bar(step, began_ns, max(end - began_ns, 1)) for step in steps]
    head = _row(HEAD, widths)
    return [head.rstrip(), "─" * (len(head) + COLUMNS), *(
        f"{_row(row, widths)}{bar}".rstrip() for row, bar in zip(rows, bars, strict=True)
    )]  # fmt: skip


def _row(row: tuple[str, str, str, str], widths: list[int]) -> str:
    at, part, what, took = row
    return f"{at:>{widths[0]}}  {part:<{widths[1]}}  {what:<{widths[2]}}  {took:>{widths[3]}}  "


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"


def _took(step: Step) -> str:
    return "" if step.took_ns is None else _ms(step.took_ns)


def _bar(step: Step, began_ns: int, whole_ns: int) -> str:
    """Where in the message's way it stands; what was before has none."""
    first = (step.start_ns - began_ns) * COLUMNS // whole_ns
    if first < 0 or step.action == "nginx":
        return ""
    last = (step.start_ns + (step.took_ns or 0) - began_ns) * COLUMNS // whole_ns
    first = min(first, COLUMNS - 1)
    return " " * first + ("▏" if step.took_ns is None else "█" * max(1, min(last, COLUMNS) - first))
