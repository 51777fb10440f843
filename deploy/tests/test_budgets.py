"""Every wait on the path of an HTTP request fits into its caller's: in the code, in nginx and in the documentation."""

import re
from pathlib import Path

import pytest

from auth.settings import AuthSettings
from chat_gateway.timings import DEFAULT_TIMINGS
from shared import budgets
from shared.redis import client as redis_client

ROOT = Path(__file__).parents[2]
NGINX = ROOT / "deploy" / "nginx" / "templates"

Timeouts = dict[str, float]


def timeouts_of(text: str) -> Timeouts:
    """Return the `proxy_…_timeout` directives of a block, in seconds."""
    return {name: float(value) for name, value in re.findall(r"^\s*proxy_(\w+)_timeout (\d+)s;", text, re.MULTILINE)}


@pytest.fixture(scope="module")
def locations() -> dict[str, Timeouts]:
    """The timeouts of each location that passes requests on, with those that it inherits."""
    inherited = timeouts_of((NGINX / "nginx.conf.template").read_text())
    server = (NGINX / "server.conf.template").read_text()
    found = re.findall(r"^    location (?:= )?(\S+) \{\n(.*?)^    \}", server, re.MULTILINE | re.DOTALL)
    return {path: inherited | timeouts_of(block) for path, block in found if "proxy_pass" in block}


def documented() -> dict[tuple[str, str], float]:
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text.partition("## The waits of a request")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([\d.]+) \|$", section, re.MULTILINE)
    return {(who, what): float(seconds) for who, what, seconds in rows}


def test_nginx_answers_for_a_service_that_hangs_in_time(locations: dict[str, Timeouts]):
    ordinary = {path: one for path, one in locations.items() if path not in {"/api/chat/ws", "/api/media/attachments"}}
    assert {"/api/auth/", "/api/social/", "/api/rooms/", "/api/rooms", "/api/media/", "/_session"} < ordinary.keys()
    for path, one in ordinary.items():
        assert one["connect"] + max(one["read"], one["send"]) <= budgets.ANSWER_S, path
        assert one["next_upstream"] < one["read"] or path == "/_session", f"{path} would wait for two replicas"


def test_a_service_ends_a_request_before_nginx_gives_up(locations: dict[str, Timeouts]):
    check, ordinary, upload = (locations[path] for path in ("/_session", "/api/rooms/", "/api/media/attachments"))
    assert check["read"] > 2 * budgets.SESSION_READ_S
    assert ordinary["read"] > budgets.REQUEST_S
    assert upload["read"] > budgets.UPLOAD_S


def test_a_dependency_fails_before_the_request_that_waits_for_it():
    for wait in (budgets.CALL_S, budgets.DATABASE_S, budgets.COMMIT_S, budgets.HASH_WAIT_S, budgets.REDIS_S):
        assert wait < budgets.REQUEST_S
    assert budgets.CONNECT_S < budgets.CALL_S
    assert AuthSettings.model_fields["hash_patience_s"].default == budgets.HASH_WAIT_S


def test_a_service_ends_a_request_before_its_gateway_gives_up():
    timings = DEFAULT_TIMINGS
    assert budgets.COMMIT_S == timings.command_budget < timings.command_request < timings.command_give_up
    assert budgets.INTERNAL_REQUEST_S < budgets.GATEWAY_CALL_S < timings.start
    assert budgets.UPLOAD_S < budgets.GATEWAY_UPLOAD_S
    assert timings.start > redis_client.TIMEOUT_S


def test_the_documentation_has_the_same_values(locations: dict[str, Timeouts]):
    check, ordinary, upload = (locations[path] for path in ("/_session", "/api/rooms/", "/api/media/attachments"))
    assert upload["read"] == budgets.GATEWAY_UPLOAD_S
    assert list(documented().values()) == [
        budgets.ANSWER_S, ordinary["read"], check["read"], ordinary["connect"], budgets.REQUEST_S,
        budgets.INTERNAL_REQUEST_S, budgets.CALL_S, budgets.DATABASE_S, budgets.SESSION_READ_S, budgets.HASH_WAIT_S,
        budgets.COMMIT_S, budgets.REDIS_S, budgets.GATEWAY_CALL_S, DEFAULT_TIMINGS.command_request, upload["read"],
        budgets.UPLOAD_S,
    ]  # fmt: skip
