"""The logs: every line follows the contract of docs/logs, traces connect services, and no line has user content."""

import asyncio
import json
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from people import Person, Rejected, http_client
from stack import Stack
from target import IN_CONTAINERS
from test_files import picture
from waiting import eventually

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "logs" / "line.schema.json").read_text())
OURS = re.compile(r"auth|social|rooms|media|chat-gateway(-\d)?|ops|nginx|runner")
PARTS = {"auth", "social", "rooms", "media", "chat-gateway", "ops", "nginx"} | (set() if IN_CONTAINERS else {"runner"})


def lines_of(stack: Stack, containing: str = "") -> list[dict[str, Any]]:
    """Return all complete lines of WebChat's own processes that contain a text."""
    texts = [text for name, text in stack.logs().items() if OURS.fullmatch(name)]
    finished = (line for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n"))
    return [json.loads(line) for line in finished if containing in line]


def lines_since(stack: Stack, began: datetime, containing: str = "") -> list[dict[str, Any]]:
    """Return the lines of `lines_of` that were written at `began` or later."""
    lines = lines_of(stack, containing)
    return [line for line in lines if datetime.fromisoformat(line["@timestamp"]) >= began]


class Marks:
    """Unique texts that can be found wherever they appear."""

    def __init__(self) -> None:
        self._run, self.made = uuid.uuid4().hex[:6], set[str]()

    def __call__(self, what: str) -> str:
        self.made.add(f"{what}{self._run}")
        return f"{what}{self._run}"


async def sign_up(url: str, mark: Marks, name: str) -> Person:
    person = Person(http_client(url), url, password=mark("password"))
    identity = {"email": f"{mark(name)}@example.com", "webchat_id": f"{name}_{uuid.uuid4().hex[:8]}"}
    account = identity | {"password": person.password, "display_name": mark("display")}
    person.user = await person.call("POST", "/auth/signup", json=account, status=201)
    await person.call("POST", "/auth/signup", json=account, status=409)
    mark.made |= {cookie.value for cookie in person.http.cookies.jar if cookie.value}
    return person


async def talk(ana: Person, ben: Person, mark: Marks) -> str:
    room_id = await ana.group(mark("title"), ben)
    socket = await ana.open()
    sent = await socket.send(room_id, mark("body"))
    await socket.ask("message.edit", room_id=room_id, seq=sent["seq"], body=mark("edited"))
    await ana.call("GET", "/rooms/search", params={"q": mark("search")})
    files = {"file": (mark("file") + ".jpg", picture(), "image/jpeg")}
    await ana.call("POST", "/media/attachments", files=files, data={"room_id": room_id}, status=201)
    await socket.close()
    return room_id


async def misbehave(ana: Person, room_id: str, mark: Marks) -> None:
    """Send requests and frames that are rejected, each with a marked secret."""
    url = ana.url
    login = {"login": ana.user["webchat_id"], "password": mark("wrong")}
    await ana.call("POST", "/auth/login", json=login, status=401)
    for content in (f'{{"email": "{mark("broken")}', f'{{"email": 1, "password": "{mark("short")}"}}'):
        await ana.call("POST", "/auth/signup", content=content, status={400, 415, 422})
    await ana.call("POST", f"/rooms/{room_id}/messages", json={"client_id": mark("client"), "body": 1}, status=422)
    await ana.call("GET", f"/rooms/{room_id}/messages", params={"before": mark("before")}, status=422)
    headers = {
        "X-Request-ID": mark("request"),
        "traceparent": mark("parent"),
        "tracestate": mark("state"),
        "baggage": mark("baggage"),
        "X-WebChat-Token": mark("token"),
        "Referer": f"{url}/?{mark('referer')}",
    }
    async with httpx.AsyncClient(base_url=url, cookies={"webchat_session": mark("cookie")}) as stranger:
        assert (await stranger.get("/api/rooms", headers=headers)).status_code == 401
        assert (await stranger.get("/api/nothing", params={"q": mark("query")})).status_code == 404
        raw = {"User-Agent": 'caf\xe9 "agent"'.encode("latin-1")}
        assert (await stranger.get("/api/rooms/caf%C3%A9", headers=raw)).status_code == 401
    for frame in (f'{{"op": "{mark("op")}"', f'{{"op": "message.send", "id": "1", "body": ["{mark("list")}"]}}'):
        socket = await ana.open()
        await socket.connection.send(frame)
        await socket.close()
    socket = await ana.open()
    with pytest.raises(Rejected):
        await socket.send(str(uuid.uuid4()), mark("nowhere"))
    await socket.close()


async def meet_an_outage(stack: Stack, ana: Person, ben: Person, room_id: str, mark: Marks) -> str:
    """Lock a database, then stop a service. Returns the user agent of one request."""
    agent = f"outage {uuid.uuid4()}"
    direct = {"kind": "direct", "user_id": ben.id}
    socket = await ana.open()
    with stack.holding_rooms():
        rejection, _ = await asyncio.gather(
            socket.rejection(room_id, mark("held")),
            ana.call("POST", "/rooms", json=direct, headers={"User-Agent": agent}, status=503),
        )
    assert rejection == "unavailable"
    await asyncio.to_thread(stack.kill, "rooms")
    asked = [ana.http.get("/api/rooms/search", params={"q": mark("away")}) for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} <= {200, 503}
    await socket.send_until_accepted(room_id, mark("late"))
    await socket.close()
    return agent


AUDITED = {
    ("sign-up", "success"), ("sign-in", "success"), ("sign-in", "failure"), ("sign-out", "success"),
    ("session-revoke", "success"), ("password-change", "failure"), ("password-change", "success"),
    ("member-invite", "success"), ("role-change", "success"), ("member-remove", "success"),
}  # fmt: skip


def trail_since(stack: Stack, began: datetime) -> set[tuple[str, str]]:
    lines = lines_since(stack, began, '"event.dataset":"webchat.audit"')
    return {(line["event.action"], line["event.outcome"]) for line in lines}


async def change_rights(ana: Person, ben: Person, room_id: str) -> None:
    """Trigger the audited actions other than signing up, in and out."""
    await ana.call("PATCH", f"/rooms/{room_id}/members/{ben.id}", json={"role": "admin"}, status=204)
    await ana.call("DELETE", f"/rooms/{room_id}/members/{ben.id}", status=204)
    await ana.call("GET", f"/social/profiles/{ben.id}")
    await ana.log_in_again()
    await ana.call("DELETE", "/auth/sessions", status=204)
    for current, status in (("wrong all along", 403), (ana.password, 204)):
        change = {"current_password": current, "new_password": "another horse staple"}
        await ana.call("POST", "/auth/password", json=change, status=status)


def check_that_the_trail_is_apart(logs: Path) -> None:
    """Check that the audit trail is in separate files that only their owner can read."""
    trail = {file.name: file for file in (logs / "audit").iterdir()}
    assert trail.keys() >= {f"{name}.log" for name in ("auth", "rooms")}
    for file in trail.values():
        assert file.stat().st_mode & 0o077 == 0
        assert all('"event.dataset":"webchat.audit"' in line for line in file.read_text().splitlines())
    assert all(trail[f"{name}.log"].stat().st_size for name in ("auth", "rooms"))
    others = {file.name: file.read_text() for file in logs.glob("*.log")}
    assert others.keys() >= {f"{name}.log" for name in ("auth", "social", "rooms", "media", "chat-gateway-1")}
    assert [name for name, text in others.items() if '"event.dataset":"webchat.audit"' in text] == []


async def check_that_a_trace_leads(stack: Stack, agent: str, *people: Person) -> None:
    """Check that a trace leads from nginx to the service and has the user's pseudonym."""

    def asked_rooms() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        [seen] = lines_of(stack, agent)
        lines = lines_of(stack, seen["trace.id"])
        rooms_lines = [line for line in lines if line["service.name"] == "rooms"]
        assert rooms_lines
        return seen, rooms_lines

    seen, rooms_lines = await eventually(asked_rooms, 30)
    assert (seen["service.name"], seen["log.level"], seen["url.path"]) == ("nginx", "error", "/api/rooms")
    assert seen["http.response.status_code"] == 503
    for line in rooms_lines:
        assert (line["url.path"], line["user.id"]) == ("/api/rooms", seen["user.id"])
    assert len(seen["user.id"]) == 16
    assert seen["user.id"] not in {person.id for person in people}


async def test_every_line_follows_the_contract_and_none_has_a_secret(stack: Stack) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    mark = Marks()
    ana, ben = [await sign_up(stack.url, mark, name) for name in ("anna", "benn")]
    room_id = await talk(ana, ben, mark)
    await misbehave(ana, room_id, mark)
    agent = await meet_an_outage(stack, ana, ben, room_id, mark)
    await ben.call("GET", "/social/friends", status=range(200, 500))
    await change_rights(ana, ben, room_id)
    await ben.close()
    await ana.call("POST", "/auth/logout", status={200, 204})
    await ana.close()
    await eventually(lambda: lines_since(stack, began, '"url.path":"/api/auth/logout"'), 30)
    await eventually(lambda: trail_since(stack, began) >= AUDITED, 30)
    await check_that_a_trace_leads(stack, agent, ana, ben)
    if not IN_CONTAINERS:
        check_that_the_trail_is_apart(stack.data / "logs")

    texts = stack.logs()
    assert [(part, secret) for part, text in texts.items() for secret in mark.made if secret in text] == []
    ours = [text for part, text in texts.items() if OURS.fullmatch(part)]
    assert [person.id for person in (ana, ben) for text in ours if person.id in text] == []
    lines = lines_since(stack, began)
    contract = Draft202012Validator(SCHEMA)
    wrong = [(error.message, line) for line in lines for error in contract.iter_errors(line)]
    assert wrong == []
    assert len(lines) > len(mark.made)
    assert {line["service.name"] for line in lines_of(stack)} == PARTS
