"""Filebeat's conditions on the chat host, evaluated as its manual describes: which lines are sent, to which stream."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

LOGGING = Path(__file__).parents[1]
CONFIG = yaml.safe_load((LOGGING / "filebeat" / "chat-host.yml").read_text())
CONTAINERS, FILES = (source["processors"] for source in CONFIG["filebeat.inputs"])
SCHEMA = json.loads((LOGGING.parents[1] / "docs" / "logs" / "line.schema.json").read_text())
Line = dict[str, Any]


def holds(condition: str, expected: Any, line: Line) -> bool:
    """Return whether a condition holds. `contains` tests a text, or each text of a list; a missing field fails."""
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
    assert kind == "regexp", f"{condition}: not supported here"
    return found is not None and re.search(expected, found) is not None


def sent(line: Line, own: list[Any]) -> Line | None:
    """Return the line after the processors of its input and the common ones, or None if it is dropped."""
    line = dict(line)
    for processor in (*own, *CONFIG["processors"]):
        (name, settings), *_ = processor.items()
        whens = [(key.removeprefix("when."), value) for key, value in settings.items() if key.startswith("when.")]
        if not all(holds(condition, expected, line) for condition, expected in whens):
            continue
        if name == "drop_event":
            return None
        if name == "add_fields":
            before = f"{settings['target']}." if settings["target"] else ""
            line |= {before + key: value for key, value in settings["fields"].items()}
    return line


STREAMS = [
    ({"event.dataset": "webchat.rooms"}, "webchat.services"),
    ({"event.dataset": "webchat.chat-gateway"}, "webchat.services"),
    ({"event.dataset": "nginx.access"}, "webchat.nginx"),
    ({"event.dataset": "webchat.runner"}, "webchat.runner"),
    ({"event.dataset": "webchat.audit", "event.category": ["authentication"]}, "webchat.audit"),
    ({"event.dataset": "webchat.auth", "event.category": ["iam", "authentication"]}, "webchat.audit"),
]


@pytest.mark.parametrize(("line", "stream"), STREAMS, ids=str)
@pytest.mark.parametrize("own", [CONTAINERS, FILES], ids=["containers", "files"])
def test_a_line_goes_to_its_stream(own: list[Any], line: Line, stream: str):
    shipped = sent(line, own)
    assert shipped is not None
    assert shipped["data_stream.dataset"] == stream
    assert (shipped["data_stream.type"], shipped["data_stream.namespace"]) == ("logs", "default")
    assert shipped["event.dataset"] == line["event.dataset"]


@pytest.mark.parametrize("line", [{"event.dataset": "mysql.error"}, {"message": "ready for connections"}], ids=str)
def test_lines_of_other_containers_stay_with_the_engine(line: Line):
    assert sent(line, CONTAINERS) is None


def test_a_line_of_webchat_without_json_is_flagged():
    shipped = sent({"message": "rooms: DB_PORT: not a number"}, FILES)
    assert shipped == {
        "message": "rooms: DB_PORT: not a number", "event.dataset": "webchat.unparsed", "log.level": "warning",
        "log.flags": ["unparsed"], "data_stream.type": "logs", "data_stream.dataset": "webchat.services",
        "data_stream.namespace": "default",
    }  # fmt: skip


def test_only_lines_of_the_contract_are_sent():
    (kept,) = CONTAINERS[0]["drop_event"].values()
    assert kept == SCHEMA["properties"]["event.dataset"]["pattern"]
