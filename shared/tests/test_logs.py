"""What a process writes: what a line tells, what it must not, and how often the same is told."""

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
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
from shared.logging.context import LogContext, note, shown_path
from shared.logging.formatters import JsonLines, PlainLines
from shared.logging.repeats import SummingHandler
from shared.logging.setup import Describer, hash_user
from shared.settings import Settings
from shared.testing.fixtures import eventually
from shared.tracing.context import trace_headers
from shared.web.app import create_app

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "logs" / "line.schema.json").read_text())
KEY = SecretStr("k" * 32)
TRACE = "0af7651916cd43dd8448eb211c80319c"


class OfRooms(Settings):
    service: ClassVar[str] = "rooms"


class Log:
    def __init__(self, *, period: float = 60, plain: bool = False) -> None:
        self.output = io.StringIO()
        target = logging.StreamHandler(self.output)
        target.setFormatter(PlainLines() if plain else JsonLines("rooms"))
        self.handler = SummingHandler(target, period)
        self.handler.addFilter(Describer(KEY))
        self.logger = logging.Logger("rooms.test")  # noqa: LOG001 - of this test alone
        self.logger.addHandler(self.handler)

    def lines(self) -> list[dict]:
        found = [json.loads(line) for line in self.output.getvalue().splitlines()]
        for line in found:
            Draft202012Validator(SCHEMA).validate(line)
        return found


@pytest.fixture
def log():
    made = Log()
    yield made
    made.handler.close()


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301
    except Exception as caught:  # noqa: BLE001 - it now has a traceback
        return caught


def test_a_line_has_the_names_of_the_contract(log: Log):
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
def test_an_error_tells_its_kind_and_nothing_that_it_quotes(log: Log, error: Exception):
    log.logger.warning("no luck: %r", raised(error))
    log.logger.error("no luck either", exc_info=raised(error))
    assert "secret" not in log.output.getvalue()
    first, second = log.lines()
    assert first["error.type"] == second["error.type"] == type(error).__name__
    assert type(error).__name__ in first["message"]
    assert "raise error" in second["error.stack_trace"]


def test_a_database_error_tells_neither_statement_nor_values(log: Log):
    with create_engine("sqlite://").connect() as db:
        db.execute(text("CREATE TABLE people (email TEXT UNIQUE)"))
        add = text("INSERT INTO people VALUES (:email)")
        db.execute(add, {"email": "secret@example.com"})
        with pytest.raises(DBAPIError) as caught:
            db.execute(add, {"email": "secret@example.com"})
    log.logger.error("not written", exc_info=caught.value)
    [line] = log.lines()
    assert line["error.message"] == "UNIQUE constraint failed: people.email"


def test_lone_surrogates_do_not_cost_the_line(log: Log):
    log.logger.info("odd: %s", "a\ud800b")
    assert log.lines()[0]["message"] == "odd: a?b"


def test_the_same_again_is_summed_up():
    log = Log(period=0.1)
    for number in range(500):
        log.logger.warning("no answer for %d: %r", number, TimeoutError())
    log.logger.warning("no answer for %d: %r", 1, ConnectionError("another kind"))
    assert [line["error.type"] for line in log.lines()] == ["TimeoutError", "ConnectionError"]
    log.handler.close()
    counted = [line for line in log.lines() if "webchat.count" in line]
    assert [(line["webchat.count"], line["message"]) for line in counted] == [(499, "no answer for 499: TimeoutError")]


async def test_a_sum_comes_by_itself_once_a_period_and_a_new_first_line_after_a_quiet_one():
    log = Log(period=0.05)
    for _ in range(3):
        log.logger.error("broken")
    await eventually(lambda: len(log.lines()) == 2)
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2]
    await eventually(lambda: not log.handler._kinds)
    log.logger.error("broken")
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2, None]
    log.handler.close()


async def test_what_is_held_back_is_written_when_the_application_ends(monkeypatch: pytest.MonkeyPatch):
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for _ in range(3):
            log.logger.error("broken")

    log = Log()
    monkeypatch.setattr(logs, "_summing", [log.handler])
    app = create_app(OfRooms(service_secret="s" * 32), title="things", routers=[], lifespan=lifespan)
    async with app.router.lifespan_context(app):
        pass
    assert [line.get("webchat.count") for line in log.lines()] == [None, 2]
    log.handler.close()


async def test_of_a_request_each_line_tells_which_it_is(log: Log):
    router = APIRouter()
    passed_on: list[dict[str, str]] = []

    @router.get("/rooms/{room_id}")
    async def read(room_id: str) -> None:
        note(user_id="01USER", room=room_id)
        log.logger.info("read")
        passed_on.append(trace_headers())

    app = FastAPI()
    app.add_middleware(LogContext)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for traceparent in (f"00-{TRACE}-b7ad6b7169203331-00", "secret"):  # a task each, as a server makes them
            asked = client.get("/rooms/01ROOM?q=secret", headers={"traceparent": traceparent})
            await asyncio.create_task(asked)
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
    ("path", "shown"),
    [
        ("/api/social/profiles/{0}", "/api/social/profiles/{{id}}"),
        ("/api/rooms/{1}/members/{0}", "/api/rooms/{1}/members/{{id}}"),
        ("/api/auth/sessions/{0}", "/api/auth/sessions/{{id}}"),
        ("/api/rooms/{1}/messages", "/api/rooms/{1}/messages"),
        ("/api/rooms/{1}/members/me", "/api/rooms/{1}/members/me"),
    ],
)
def test_a_path_does_not_tell_whose_it_is(path: str, shown: str):
    ids = "0197a1b2-0000-7000-8000-000000000001", "0197a1b2-0000-7000-8000-00000000000a"
    assert shown_path(path.format(*ids)) == shown.format(*ids)


def test_who_is_meant_depends_on_the_key():
    assert re.fullmatch("[0-9a-f]{16}", hash_user(KEY, "01USER"))
    assert hash_user(KEY, "01USER") != hash_user(SecretStr("x" * 32), "01USER")
    assert hash_user(KEY, "01USER") != hash_user(KEY, "01OTHER")


def test_people_read_plain_lines():
    log = Log(plain=True)
    log.logger.error("broken", exc_info=raised(ValueError("'secret'")))
    first, *stack = log.output.getvalue().splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d ERROR   rooms.test: broken: ValueError: '…'", first)
    assert stack
    log.handler.close()


def test_a_process_that_dies_says_why_in_a_line():
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
