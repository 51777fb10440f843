"""Which lines of the chat host go on, and into which stream: Filebeat's conditions, read as its manual tells them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

LOGGING = Path(__file__).parents[1]
INPUTS = yaml.safe_load((LOGGING / "filebeat" / "chat-host.yml").read_text())["filebeat.inputs"]
SCHEMA = json.loads((LOGGING.parents[1] / "docs" / "logs" / "line.schema.json").read_text())
Line = dict[str, Any]


def holds(condition: str, expected: Any, line: Line) -> bool:
    """`contains` asks a text, or each text of a list; what is not there fulfils nothing."""
    kind, _, rest = condition.partition(".")
    if kind == "not":
        return not holds(rest, expected, line)
    if kind == "or":
        return any(holds(*next(iter(one.items())), line) for one in expected)
    found = line.get(rest)
    if kind == "equals":
        return found == expected
    if kind == "contains":
        return any(expected in one for one in found) if isinstance(found, list) else expected in (found or "")
    assert kind == "regexp", f"{condition}: not read here"
    return found is not None and re.search(expected, found) is not None


def stream_of(line: Line, processors: list[Any]) -> str | None:
    stream: str | None = None
    for processor in processors:
        (name, settings), *_ = processor.items()
        whens = [(key.removeprefix("when."), value) for key, value in settings.items() if key.startswith("when.")]
        if all(holds(condition, expected, line) for condition, expected in whens):
            if name == "drop_event":
                return None
            stream = settings["fields"].get("dataset", stream)
    return stream


ROUTES = [
    ({"event.dataset": "webchat.rooms"}, "webchat.services"),
    ({"event.dataset": "webchat.chat-gateway"}, "webchat.services"),
    ({"event.dataset": "nginx.access"}, "webchat.nginx"),
    ({"event.dataset": "webchat.runner"}, "webchat.runner"),
    ({"event.dataset": "webchat.audit", "event.category": ["authentication"]}, "webchat.audit"),
    ({"event.dataset": "webchat.auth", "event.category": ["iam", "authentication"]}, "webchat.audit"),
    ({"event.dataset": "mysql.error"}, None),
    ({"message": "ready for connections"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "stream"), ROUTES, ids=str)
@pytest.mark.parametrize("source", INPUTS, ids=lambda source: source["id"])
def test_a_line_goes_where_it_belongs(source: Line, line: Line, stream: str | None):
    assert stream_of(line, source["processors"]) == stream


def test_what_goes_on_is_the_contract():
    (kept,) = INPUTS[0]["processors"][0].values()
    assert list(kept.values()) == [SCHEMA["properties"]["event.dataset"]["pattern"]]
