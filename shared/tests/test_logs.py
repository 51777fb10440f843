"""Log lines: their fields, privacy, and limits on repetition."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from shared.logging import setup as logs
from shared.logging.context import LogContext, add_log_fields, logged_path
from shared.logging.formatters import JsonLines, PlainLines
from shared.logging.repeats import AggregatingHandler
from shared.logging.setup import RecordFilter, hash_user
from shared.settings import Settings
from shared.testing.fixtures import eventually
from shared.tracing.context import trace_headers
from shared.web.app import create_app

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "logs" / "line.schema.json").read_text())
KEY = SecretStr("k" * 32)
TRACE = "0af7651916cd43dd8448eb211c80319c"


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"


class Log:
    def __init__(self, *, period: float = 60, plain: bool = False) -> None:
        self.output = io.StringIO()
        target = logging.StreamHandler(self.output)
        target.setFormatter(PlainLines() if plain else JsonLines("rooms"))
        self.handler = AggregatingHandler(target, period)
        self.handler.addFilter(RecordFilter(KEY))
        self.logger = logging.Logger("rooms.test")  # noqa: LOG001 - not shared with other tests
        self.logger.addHandler(self.handler)

    def lines(self) -> list[dict]:
        found = [json.loads(line) for line in self.output.getvalue().splitlines()]
        for line in found:
            Draft202012Validator(SCHEMA).validate(line)
        return found


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.handler.close()


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301
    except Exception as caught:  # noqa: BLE001 - it has a traceback now
        return caught


def test_a_line_matches_the_schema(log: Log):
    log.logger.info("ready after %d s", 3)
    [line] = log.lines()
    assert (line["message"], line["log.level"], line["service.name"]) == ("ready after 3 s", "info", "rooms")
    assert line["event.dataset"] == "webchat.rooms"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("invalid literal: 'it's a \"secret\"' is none"),
        KeyError("secret"),
        UnicodeEncodeError("ascii", "secret\ud800", 6, 7, "no"),
        OSError(2, "No such file", "secret.jpg"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_logged_with_its_type_but_without_quotations(log: Log, error: Exception):
    log.logger.warning("no luck: %r", raised(error))
    log.logger.error("no luck either", exc_info=raised(error))
    assert "secret" not in log.output.getvalue()
    first, second = log.lines()
    assert first["error.type"] == second["error.type"] == type(error).__name__
    assert type(error).__name__ in first["message"]
    assert "raise error" in second["error.stack_trace"]


def test_a_database_error_is_logged_without_statement_and_values(log: Log):
    with create_engine("sqlite://").connect() as db:
        db.execute(text("CREATE TABLE people (email TEXT UNIQUE)"))
        add = text("INSERT INTO people VALUES (:email)")
        db.execute(add, {"email": "secret@example.com"})
        with pytest.raises(DBAPIError) as caught:
            db.execute(add, {"email": "secret@example.com"})
    log.logger.error("not written", exc_info=caught.value)
    [line] = log.lines()
    assert line["error.message"] == "UNIQUE constraint failed: people.email"


def test_lone_surrogates_are_replaced(log: Log):
    log.logger.info("odd: %s", "a\ud800b")
    assert log.lines()[0]["message"] == "odd: a?b"


def test_repeated_lines_are_summarized():
    log = Log(period=0.1)
    for number in range(500):
        log.logger.warning("no answer for %d: %r", number, TimeoutError())
    log.logger.warning("no answer for %d: %r", 1, ConnectionError("another kind"))
    assert [line["error.type"] for line in log.lines()] == ["TimeoutError", "ConnectionError"]
    log.handler.close()
    counted = [line for line in log.lines() if "webchat.count" in line]
    assert [(line["webchat.count"], line["message"]) for line in counted] == [(499, "no answer for 499: TimeoutError")]


async def test_a_summary_is_written_once_a_period_and_a_quiet_period_resets_the_kind():
    log = Log(period=0.05)
    for _ in range(3):
        log.logger.error("broken")
    await eventually(lambda: len(log.lines()) == 2)
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2]
    await eventually(lambda: not log.handler._kinds)
    log.logger.error("broken")
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2, None]
    log.handler.close()


async def test_held_back_lines_are_written_when_the_application_ends(monkeypatch: pytest.MonkeyPatch):
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for _ in range(3):
            log.logger.error("broken")

    log = Log()
    monkeypatch.setattr(logs, "_handlers", [log.handler])
    app = create_app(RoomsSettings(service_secret="s" * 32), title="things", routers=[], lifespan=lifespan)
    async with app.router.lifespan_context(app):
        pass
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2]
    log.handler.close()


async def test_lines_of_a_request_have_its_fields(log: Log):
    router = APIRouter()
    passed_on: list[dict[str, str]] = []

    @router.get("/rooms/{room_id}")
    async def read(room_id: str) -> None:
        add_log_fields(user_id="01USER", room=room_id)
        log.logger.info("read")
        passed_on.append(trace_headers())

    app = FastAPI()
    app.add_middleware(LogContext)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for traceparent in (f"00-{TRACE}-b7ad6b7169203331-00", "secret"):  # in a task each, as in a server
            request = client.get("/rooms/01ROOM?q=secret", headers={"traceparent": traceparent})
            await asyncio.create_task(request)
    log.logger.info("elsewhere")
    traced, untraced, elsewhere = log.lines()
    assert traced["trace.id"] == TRACE
    assert (traced["url.path"], traced["http.request.method"]) == ("/rooms/01ROOM", "GET")
    assert (traced["webchat.room"], traced["user.id"]) == ("01ROOM", hash_user(KEY, "01USER"))
    assert passed_on == [{"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}, {}]
    assert "trace.id" not in untraced
    assert "url.path" not in elsewhere
    assert "secret" not in log.output.getvalue()


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/api/social/profiles/{0}", "/api/social/profiles/{{id}}"),
        ("/api/rooms/{1}/members/{0}", "/api/rooms/{1}/members/{{id}}"),
        ("/api/auth/sessions/{0}", "/api/auth/sessions/{{id}}"),
        ("/api/rooms/{1}/messages", "/api/rooms/{1}/messages"),
        ("/api/rooms/{1}/members/me", "/api/rooms/{1}/members/me"),
    ],
)
def test_ids_of_people_are_removed_from_paths(path: str, logged: str):
    ids = "0197a1b2-0000-7000-8000-000000000001", "0197a1b2-0000-7000-8000-00000000000a"
    assert logged_path(path.format(*ids)) == logged.format(*ids)


def test_hashes_of_users_depend_on_the_key():
    assert re.fullmatch("[0-9a-f]{16}", hash_user(KEY, "01USER"))
    assert hash_user(KEY, "01USER") != hash_user(SecretStr("x" * 32), "01USER")
    assert hash_user(KEY, "01USER") != hash_user(KEY, "01OTHER")


def test_plain_lines_for_terminals():
    log = Log(plain=True)
    log.logger.error("broken", exc_info=raised(ValueError("'secret'")))
    first, *stack = log.output.getvalue().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d ERROR   rooms.test: broken: ValueError: '…'", first)
    assert stack
    log.handler.close()


def test_a_crash_is_logged_in_one_line():
    program = """
from typing import ClassVar
from shared.logging.setup import configure_logging
from shared.settings import Settings
class Own(Settings):
    service: ClassVar[str] = "rooms"
configure_logging(Own(service_secret="s" * 32))
raise ValueError("over")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    line = json.loads(ended.stdout)
    Draft202012Validator(SCHEMA).validate(line)
    assert (line["log.level"], line["error.type"], line["error.message"]) == ("critical", "ValueError", "over")
    assert ended.returncode == 1
    assert ended.stderr == ""
