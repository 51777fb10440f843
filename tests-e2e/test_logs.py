"""The logs: every line keeps the contract of docs/logs, a trace leads through the parts, nobody's words are in any."""

import asyncio
import json
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from people import Person, Refused
from stack import Stack
from target import IN_CONTAINERS
from test_files import picture

from shared.testing.fixtures import eventually

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "logs" / "line.schema.json").read_text())
OURS = re.compile(r"auth|social|rooms|media|chat-gateway(-\d)?|nginx|runner")
PARTS = {"auth", "social", "rooms", "media", "chat-gateway", "nginx"} | ({"runner"} if not IN_CONTAINERS else set())


def lines_of(stack: Stack) -> list[dict[str, Any]]:
    """Every line that WebChat's own parts have finished."""
    texts = [text for name, text in stack.logs().items() if OURS.fullmatch(name)]
    return [json.loads(line) for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]


class Marks:
    """Secrets that are found again wherever they turn up."""

    def __init__(self) -> None:
        self._run, self.made = uuid.uuid4().hex[:6], set[str]()

    def __call__(self, what: str) -> str:
        self.made.add(f"{what}{self._run}")
        return f"{what}{self._run}"


async def sign_up(url: str, mark: Marks, name: str) -> Person:
    person = Person(httpx.AsyncClient(base_url=url, timeout=30), url, password=mark("password"))
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
    """What is refused, each with something of value inside."""
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
        await socket.wire.send(frame)
        await socket.close()
    socket = await ana.open()
    with pytest.raises(Refused):
        await socket.send(str(uuid.uuid4()), mark("nowhere"))
    await socket.close()


async def meet_an_outage(stack: Stack, ana: Person, room_id: str, mark: Marks) -> None:
    """A database that is held, then a service that does not answer at all."""
    with stack.holding_rooms():
        for _ in range(2):
            body = {"client_id": str(uuid.uuid4()), "body": mark("held")}
            await ana.call("POST", f"/rooms/{room_id}/messages", json=body, status=503)
    socket = await ana.open()
    await asyncio.to_thread(stack.kill, "rooms")
    asked = [ana.http.get("/api/rooms/search", params={"q": mark("away")}) for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} <= {200, 503}
    await socket.send(room_id, mark("late"))
    await socket.close()


AUDITED = {
    ("sign-up", "success"), ("sign-in", "success"), ("sign-in", "failure"), ("sign-out", "success"),
    ("session-revoke", "success"), ("password-change", "failure"), ("password-change", "success"),
    ("member-invite", "success"), ("role-change", "success"), ("member-remove", "success"),
}  # fmt: skip


def trail_of(stack: Stack) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    lines = [line for line in lines_of(stack) if line["event.dataset"] == "webchat.audit"]
    return [((line["event.action"], line["event.outcome"]), line) for line in lines]


async def change_rights(ana: Person, ben: Person, room_id: str) -> None:
    """What the audit trail tells of, beside signing up, in and out."""
    await ana.call("PATCH", f"/rooms/{room_id}/members/{ben.id}", json={"role": "admin"}, status=204)
    await ana.call("DELETE", f"/rooms/{room_id}/members/{ben.id}", status=204)
    await ana.call("GET", f"/social/profiles/{ben.id}")
    await ana.log_in_again()
    await ana.call("DELETE", "/auth/sessions", status=204)
    for current, status in (("wrong all along", 403), (ana.password, 204)):
        change = {"current_password": current, "new_password": "another horse staple"}
        await ana.call("POST", "/auth/password", json=change, status=status)


def check_that_the_trail_is_apart(logs: Path) -> None:
    """In files of its own, which only their owner reads."""
    for file in (logs / "audit").iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert all('"event.dataset":"webchat.audit"' in line for line in file.read_text().splitlines())
    for file in logs.glob("*.log"):
        assert '"event.dataset":"webchat.audit"' not in file.read_text()


async def test_every_line_keeps_the_contract_and_no_secret_is_in_any(own_stack: Stack) -> None:
    mark = Marks()
    ana, ben = [await sign_up(own_stack.url, mark, name) for name in ("anna", "benn")]
    room_id = await talk(ana, ben, mark)
    await misbehave(ana, room_id, mark)
    await meet_an_outage(own_stack, ana, room_id, mark)
    await ben.call("GET", "/social/friends", status=range(200, 500))
    await change_rights(ana, ben, room_id)
    await ben.close()
    await ana.call("POST", "/auth/logout", status={200, 204})
    await ana.close()
    await eventually(
        lambda: any(line["url.path"] == "/api/auth/logout" for line in lines_of(own_stack) if "url.path" in line)
    )
    await eventually(lambda: {action for action, _ in trail_of(own_stack)} >= AUDITED)
    if not IN_CONTAINERS:
        check_that_the_trail_is_apart(own_stack.data / "logs")

    texts = own_stack.logs()
    assert [(part, secret) for part, text in texts.items() for secret in mark.made if secret in text] == []
    lines = lines_of(own_stack)
    contract = Draft202012Validator(SCHEMA)
    wrong = [(error.message, line) for line in lines for error in contract.iter_errors(line)]
    assert wrong == []
    assert {line["service.name"] for line in lines} == PARTS
    assert [line for line in lines if ana.id in json.dumps(line) or ben.id in json.dumps(line)] == []
    assert len(lines) > len(mark.made)


async def test_a_trace_leads_from_nginx_to_the_service_and_names_who_asked(own_stack: Stack) -> None:
    mark = Marks()
    ana, ben = [await sign_up(own_stack.url, mark, name) for name in ("anna", "benn")]
    with own_stack.holding_rooms():
        await ana.call("POST", "/rooms", json={"kind": "direct", "user_id": ben.id}, status=503)

    def asked_rooms() -> set[str]:
        return {line["service.name"] for line in lines_of(own_stack) if line.get("url.path") == "/api/rooms"}

    await eventually(lambda: asked_rooms() >= {"nginx", "rooms"})
    lines = lines_of(own_stack)
    [seen] = [line for line in lines if line["service.name"] == "nginx" and line["url.path"] == "/api/rooms"]
    assert (seen["log.level"], seen["http.response.status_code"]) == ("error", 503)
    told = [line for line in lines if line["service.name"] == "rooms" and line.get("trace.id") == seen["trace.id"]]
    for line in told:
        assert (line["url.path"], line["user.id"]) == ("/api/rooms", seen["user.id"])
    assert told
    assert len(seen["user.id"]) == 16
    assert ana.id not in json.dumps(lines)
    await ana.close()
    await ben.close()
