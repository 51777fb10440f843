"""Story 9: a stranger gets nothing and changes nothing; hostile input gets clear errors, never a 500."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from people import Frame, Person, Rejected
from stack import Stack
from waiting import PATIENCE_S
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

SomeOne = Callable[[str], Awaitable[Person]]
NOBODY = "0190c0de-0000-7000-8000-00000000dead"


async def test_every_op_with_a_foreign_room(someone: SomeOne):
    ana, ben, stranger = await someone("ana"), await someone("ben"), await someone("stranger")
    room_id = await ana.group("Private", ben)
    a, s = await ana.open(), await stranger.open()
    secret = await a.send(room_id, "for us only")
    await a.ask("room.read", room_id=room_id, seq=secret["seq"])
    before = await ana.call("GET", f"/rooms/{room_id}")

    ops: dict[str, dict[str, Any]] = {
        "room.enter": {},
        "message.send": {"client_id": str(uuid.uuid4()), "body": "x"},
        "message.list": {},
        "message.edit": {"seq": 1, "body": "x"},
        "message.delete": {"seq": 1},
        "message.react": {"seq": 1, "emoji": "👍"},
        "room.read": {"seq": 1},
        "room.typing": {"typing": True},
        "room.invite": {"user_ids": [stranger.id]},
        "room.leave": {},
    }
    for op, fields in ops.items():
        replies = []
        for target in (room_id, NOBODY, "not an id", "../../etc"):
            with pytest.raises(Rejected) as rejected:
                await s.ask(op, room_id=target, **fields)
            replies.append({k: v for k, v in rejected.value.reply.items() if k != "id"})
        assert replies[0]["code"] in {"not_found", "forbidden"}
        assert replies[0] == replies[1], op
    await a.ask("ping")
    assert a.of("room.typing") == []
    assert await ana.call("GET", f"/rooms/{room_id}") == before
    assert "for us only" not in str(s.received)


async def test_every_path_with_foreign_ids(someone: SomeOne):
    ana, ben, stranger = await someone("ana"), await someone("ben"), await someone("stranger")
    room_id = await ana.group("Private", ben)
    a = await ana.open()
    await a.send(room_id, "for us only")
    before = await ana.call("GET", f"/rooms/{room_id}")
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"title": "mine"}),
        ("PATCH", "", {"muted": True}),
        ("PATCH", "", {"pinned_seq": 1}),
        ("POST", "/members", {"user_ids": [stranger.id]}),
        ("DELETE", f"/members/{ben.id}", None),
        ("PATCH", f"/members/{stranger.id}", {"role": "owner"}),
        ("GET", "/messages", None),
        ("POST", "/messages", {"client_id": str(uuid.uuid4()), "body": "x"}),
    ]
    for method, path, body in calls:
        answers = []
        for target in (room_id, NOBODY, "not-an-id"):
            response = await stranger.http.request(method, f"/api/rooms/{target}{path}", json=body)
            answers.append((response.status_code, response.json() | {"instance": None}))
        assert answers[0][0] in {403, 404}, (method, path)
        assert answers[0] == answers[1], (method, path)
        assert answers[2][0] == 404
        assert "for us only" not in str(answers)
    assert await ana.call("GET", f"/rooms/{room_id}") == before
    other = (await ana.call("GET", "/auth/sessions"))["items"][0]["session_id"]
    await stranger.call("DELETE", f"/auth/sessions/{other}", status={204, 404})
    await ana.call("GET", "/auth/me")
    for path in (f"/social/profiles/{NOBODY}", "/social/profiles/zzz"):
        await stranger.call("GET", path, status=404)
    await stranger.call("PUT", f"/social/following/{NOBODY}", status=404)
    await stranger.call("PUT", f"/social/following/{stranger.id}", status=422)


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b"{",
    b'{"op":{}}',
    b'{"op":"message.send"}',
    b'{"op":"message.send","id":"1","room_id":5}',
    b'{"op":"ping","id":["1"]}',
    b"[" * 50_000,
    b'{"op":"ping","a":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    b'{"op":"message.list","id":"1","room_id":"x","before":1e999}',
    b'{"op":"message.list","id":"1","room_id":"x","before":' + b"9" * 400 + b"}",
    b'{"op":"message.edit","id":"1","room_id":"x","seq":1,"body":"\\ud83d"}',
    b'{"op":"\\ud83d","id":"1"}',
    b'{"op":"hello","id":"1"}',
    b'{"op":"no.such.op","id":"1"}',
]


async def test_hostile_frames_get_clear_errors_and_the_socket_stays_open(someone: SomeOne):
    socket = await (await someone("ana")).open()
    for count, data in enumerate(HOSTILE, 1):
        await socket.connection.send(data.decode())
        await socket.until(lambda s, n=count: len(s.of("error")) >= n)  # type: ignore[misc]
        reply = socket.of("error")[-1]
        assert reply["code"] in {"bad_frame", "invalid", "unknown_op"}, (data[:60], reply)
        assert reply["detail"]
    await socket.connection.send(b'{"op":"ping"}')
    await socket.event("error", code="bad_frame")
    await socket.ask("ping")


LIMITS: list[tuple[Frame, str]] = [
    ({"body": ""}, "invalid"),
    ({"body": "x" * 4001}, "invalid"),
    ({"body": "nul \x00"}, "invalid"),
    ({"body": "x", "reply_to": 999}, "invalid"),
    ({"body": "x", "mentions": [NOBODY] * 51}, "invalid"),
    ({"body": "x", "client_id": "not-a-uuid"}, "invalid"),
    ({"body": 5}, "invalid"),
    ({"body": "x" * 70_000}, "too_large"),
    ({"body": "x", "attachment_ids": [NOBODY]}, "invalid"),
]


async def test_limits_of_a_message(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    socket = await ana.open()
    for fields, code in LIMITS:
        with pytest.raises(Rejected) as rejected:
            await socket.ask("message.send", **({"room_id": room_id, "client_id": str(uuid.uuid4())} | fields))
        assert rejected.value.code == code, str(fields)[:80]
    assert (await ana.messages(room_id))["items"] == []
    longest = await socket.send(room_id, "가" * 4000)
    assert longest["seq"] == 1


async def test_a_flood_of_malformed_frames_ends_with_4501(someone: SomeOne):
    socket = await (await someone("ana")).open()
    for _ in range(40):
        await socket.connection.send("x")
    assert await socket.closed() == 4501


async def test_a_foreign_origin_is_rejected_before_the_upgrade_and_on_sign_in(someone: SomeOne, stack: Stack):
    ana = await someone("ana")
    url = stack.url.replace("http", "ws") + "/api/chat/ws"
    for origin, status in ((stack.url, 101), ("https://evil.example", 403), ("null", 403)):
        options: dict[str, Any] = {"subprotocols": ["webchat.v1"], "proxy": None, "origin": origin}
        if status == 101:
            async with connect(url, additional_headers={"Cookie": ana.cookie}, **options):
                continue
        with pytest.raises(InvalidStatus) as rejected:
            await connect(url, additional_headers={"Cookie": ana.cookie}, **options)
        assert rejected.value.response.status_code == status
    with pytest.raises(InvalidStatus) as rejected:
        await connect(url, subprotocols=["webchat.v1"], proxy=None)  # type: ignore[list-item]
    assert rejected.value.response.status_code == 401
    login = {"login": ana.user["webchat_id"], "password": ana.password}
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": stack.url, "Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ):
        response = await ana.http.post("/api/auth/login", json=login, headers=headers)
        assert response.status_code == status, headers
        response = await ana.http.get("/api/rooms", headers=headers)
        assert response.status_code == status, headers


async def test_a_client_of_another_protocol_version_must_not_reconnect(someone: SomeOne, stack: Stack):
    ana = await someone("ana")
    url = stack.url.replace("http", "ws") + "/api/chat/ws"
    socket = await connect(url, subprotocols=["webchat.v9"], additional_headers={"Cookie": ana.cookie}, proxy=None)  # type: ignore[list-item]
    await asyncio.wait_for(socket.wait_closed(), PATIENCE_S)
    assert socket.close_code == 4500


async def test_hostile_requests_never_cause_a_500(someone: SomeOne):
    ana = await someone("ana")
    room_id = await ana.group("Mine")
    bodies: list[bytes] = [
        b"", b"{", b"null", b"[]", b'"x"', b'{"title":"\\ud800"}', b'{"title":"\\u0000"}', b'{"title":' + b"[" * 20_000,
        b'{"title":' + b"9" * 5000 + b"}", b'{"body":"\\ud83d","client_id":"x"}', b'{"email":"\\ud800","password":"x"}',
        b'{"user_ids":["\\ud800"]}', b'{"kind":"direct","user_id":"\\u0000"}', b'{"pinned_seq":1e400}', b"\xff\xfe",
        b'{"login":"\\u0000","password":"\\ud800"}', b'{"display_name":"\\ud800","status_message":"\\u0000"}',
    ]  # fmt: skip
    paths = [
        ("POST", "/rooms"), ("PATCH", f"/rooms/{room_id}"), ("POST", f"/rooms/{room_id}/messages"),
        ("POST", f"/rooms/{room_id}/members"), ("PATCH", f"/rooms/{room_id}/members/{ana.id}"),
        ("POST", "/auth/signup"), ("POST", "/auth/login"), ("POST", "/auth/password"), ("DELETE", "/auth/me"),
        ("PATCH", "/social/profiles/me"),
    ]  # fmt: skip

    async def state() -> list[Frame]:
        return [await ana.call("GET", f"/{what}") for what in (f"rooms/{room_id}", "social/profiles/me", "auth/me")]

    before = await state()
    for method, path in paths:
        for body in bodies:
            response = await ana.http.request(
                method, f"/api{path}", content=body, headers={"Content-Type": "application/json"}
            )
            assert response.status_code < 500, (method, path, body[:50], response.status_code, response.text)
            if response.status_code == 200:  # unknown fields are ignored, and nothing changes
                assert method == "PATCH"
                assert await state() == before, (path, body[:50])
                continue
            assert response.headers["content-type"].startswith("application/problem+json"), (
                method,
                path,
                body[:50],
                response.text,
            )
            json.loads(response.text)
    assert await state() == before
    for query in ("before=x", "before=1e9", "limit=-1", "before=99999999999999999999", "at=now", "before=1&after=2"):
        response = await ana.http.get(f"/api/rooms/{room_id}/messages?{query}")
        assert response.status_code == 422, query


async def test_identity_headers_from_outside_are_ignored(stack: Stack, someone: SomeOne):
    ana = await someone("ana")
    async with httpx.AsyncClient(base_url=stack.url) as anonymous:
        for path in ("/api/rooms", "/api/social/following", "/api/auth/me", "/api/media/attachments/x/content"):
            response = await anonymous.get(path, headers={"X-WebChat-Token": "forged", "X-User-Id": ana.id})
            assert response.status_code == 401, path
        for path in ("/internal/keys", "/api/rooms/../../internal/keys", "/check", "/healthz", "/readyz", "/metrics"):
            assert (await anonymous.get(path)).status_code in {400, 404}, path
