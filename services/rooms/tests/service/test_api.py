"""The HTTP routes: authentication, responses and problem documents."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from shared.contracts.rooms import BatchResult, CommandBatch, SendMessage, UpdateRoom
from shared.events.auth import UserClosed
from shared.events.social import UserBlocked
from shared.ids import new_id
from shared.rpc.tokens import TOKEN_HEADER
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually, on_both_engines
from shared.testing.nested_json import check_nested_bodies

from .conftest import Client, FakeAuth, Start

A, B, C = (new_id() for _ in range(3))


@pytest.fixture
async def call(start: Start) -> AsyncIterator[Client]:
    async with start() as client:
        yield client


async def test_a_direct_room(call: Client) -> None:
    opened = await call(A, "POST", body={"kind": "direct", "user_id": B})
    again = await call(B, "POST", body={"kind": "direct", "user_id": A})
    assert (opened.status_code, again.status_code) == (201, 200)
    room = opened.json()
    assert room == {
        "room_id": again.json()["room_id"], "kind": "direct", "title": "", "member_count": 2, "version": 2,
        "last_seq": 0, "read_seq": 0, "unread": 0, "muted": False, "role": "member", "peer_id": B,
    }  # fmt: skip
    assert again.json()["peer_id"] == A


async def test_a_group(call: Client) -> None:
    room = await call.group(A, B)
    found = (await call(B, "GET", f"/{room}")).json()
    assert (found["title"], found["role"], found["member_count"]) == ("Room", "member", 2)
    assert [(member["user_id"], member["role"]) for member in found["members"]] == [(A, "owner"), (B, "member")]
    listed = (await call(B, "GET")).json()
    assert [one["room_id"] for one in listed["items"]] == [room]
    assert listed["next"] is None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"kind": "direct", "user_id": A}, 422, "user_id"),
        ({"kind": "direct", "user_id": "x"}, 404, None),
        ({"kind": "direct"}, 422, "user_id"),
        ({"kind": "group", "title": " "}, 422, "title"),
        ({"kind": "group"}, 422, "title"),
        ({"kind": "group", "title": "\ud800"}, 422, "title"),
        ({"kind": "group", "title": "x", "user_ids": [B] * 101}, 422, "user_ids"),
        ({"kind": "club"}, 422, "kind"),
        ([], 422, None),
    ],
)
async def test_invalid_rooms_are_rejected(call: Client, body: object, status: int, field: str | None) -> None:
    response = await call(A, "POST", body=body)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    if field:
        assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_changing_a_room(call: Client) -> None:
    room = await call.group(A, B)
    client_id = new_id()
    await call(A, "POST", f"/{room}/messages", {"client_id": client_id, "body": "hi"})
    changed = await call(A, "PATCH", f"/{room}", {"title": "New", "pinned_seq": 1, "muted": True})
    assert changed.status_code == 200
    assert {"title": "New", "pinned_seq": 1, "muted": True, "version": 4}.items() <= changed.json().items()
    assert "pinned_seq" not in (await call(A, "PATCH", f"/{room}", {"pinned_seq": None})).json()
    assert (await call(B, "PATCH", f"/{room}", {"title": "Mine", "muted": True})).status_code == 403
    assert not (await call(B, "GET", f"/{room}")).json()["muted"]
    assert (await call(B, "PATCH", f"/{room}", {"muted": True})).json()["muted"]
    for body in ({"title": None}, {"title": ""}, {"pinned_seq": 0}, {"muted": "perhaps"}):
        assert (await call(A, "PATCH", f"/{room}", body)).status_code == 422
    assert (await call(A, "PATCH", f"/{room}", {"pinned_seq": 7})).status_code == 404


async def test_members(call: Client, auth: FakeAuth) -> None:
    room = await call.group(A)
    assert (await call(A, "POST", f"/{room}/members", {"user_ids": [B, C]})).json() == {"version": 3}
    assert (await call(A, "PATCH", f"/{room}/members/{B}", {"role": "admin"})).status_code == 204
    assert (await call(C, "PATCH", f"/{room}/members/{B}", {"role": "member"})).status_code == 403
    assert (await call(A, "PATCH", f"/{room}/members/{B}", {"role": "king"})).status_code == 422
    assert (await call(B, "DELETE", f"/{room}/members/{C}")).status_code == 204
    assert (await call(C, "GET", f"/{room}")).status_code == 404
    assert [(await call(B, "DELETE", f"/{room}/members/me")).status_code for _ in range(2)] == [204, 204]
    assert (await call(B, "DELETE", f"/{room}/members/{new_id()}")).status_code == 404
    auth.unavailable = True
    unavailable = await call(A, "POST", f"/{room}/members", {"user_ids": [B]})
    assert (unavailable.status_code, unavailable.headers["Retry-After"]) == (503, "1")


async def test_messages(call: Client) -> None:
    room = await call.group(A, B)
    body = {"client_id": new_id().upper(), "body": "hi @B", "mentions": [B]}
    sent, again = [await call(A, "POST", f"/{room}/messages", body) for _ in range(2)]
    assert (sent.status_code, again.status_code) == (201, 200)
    assert sent.json() == again.json()
    assert sent.json()["client_id"] == body["client_id"].lower()
    assert (await call(A, "POST", f"/{room}/messages", {**body, "body": "other"})).status_code == 409
    for wrong in ({"body": ""}, {"client_id": "7"}, {"reply_to": 5}, {"attachment_ids": ["x"] * 11}, {"body": 7}):
        response = await call(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "x", **wrong})
        assert response.status_code == 422
    await call(B, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "two", "reply_to": 1})
    page = (await call(B, "GET", f"/{room}/messages", limit=1)).json()
    assert [message["seq"] for message in page["items"]] == [2]
    assert (page["has_more"], page["version"]) == (True, 4)
    by_time = (await call(B, "GET", f"/{room}/messages", at=sent.json()["at"])).json()
    assert [message["seq"] for message in by_time["items"]] == [1, 2]
    for query in ({"before": 0}, {"before": "x"}, {"at": "yesterday"}, {"limit": 201}, {"after": 1, "offset": 0}):
        assert (await call(B, "GET", f"/{room}/messages", **query)).status_code == 422
    assert (await call(C, "GET", f"/{room}/messages")).status_code == 404


async def test_system_messages(call: Client) -> None:
    room = await call.group(A, B)
    await call(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "hi"})
    await call(A, "PATCH", f"/{room}", {"title": "New"})
    await call(A, "POST", f"/{room}/members", {"user_ids": [C]})
    renamed, joined = (await call(B, "GET", f"/{room}/events")).json()["items"]
    assert {"op": "room.updated", "version": 4, "by": A, "title": "New"}.items() <= renamed.items()
    assert {"op": "member.joined", "version": 5, "by": A, "user_id": C}.items() <= joined.items()
    between = await call(B, "GET", f"/{room}/events", after=3, before=5)
    assert between.json() == {"items": [renamed], "next": None}
    assert (await call(C, "GET", f"/{room}/events")).json()["items"] == [joined]
    for query in ({"after": -1}, {"before": 0}, {"before": 2**53}, {"cursor": "x"}):
        assert (await call(B, "GET", f"/{room}/events", **query)).status_code == 422
    await call(B, "DELETE", f"/{room}/members/me")
    assert (await call(B, "GET", f"/{room}/events")).status_code == 404


async def test_searching(call: Client) -> None:
    room = await call.group(A, B)
    sent = await call(A, "POST", f"/{room}/messages", {"client_id": new_id(), "body": "학교에서 100% ＡＢＣ"})
    for q in ("학교", "0%", "abc"):
        for user, query in ((A, {}), (B, {"room_id": room})):
            found = await call(user, "GET", "/search", q=q, **query)
            assert (found.status_code, found.json()) == (200, {"items": [sent.json()], "next": None})
    assert (await call(C, "GET", "/search", q="학교")).json() == {"items": [], "next": None}
    assert (await call(C, "GET", "/search", q="학교", room_id=room)).status_code == 404
    for query in (
        {},
        {"q": "x"},
        {"q": "a" * 101},
        {"q": "ab\0"},
        {"q": "ab", "room_id": "x"},
        {"q": "ab", "cursor": "x"},
    ):
        response = await call(A, "GET", "/search", **query)
        assert (response.status_code, len(response.json()["errors"])) == (422, 1)


async def test_unknown_paths_are_not_found(call: Client) -> None:
    room = await call.group(A)
    for path in ("/x", f"/{new_id()}", f"/{room.upper()}", f"/{room}/messages/1", f"/{new_id()}/messages"):
        assert (await call(A, "GET", path)).status_code == 404
    assert (await call(A, "GET", cursor="abc")).status_code == 422
    assert (await call(A, "PATCH", f"/{room}/members/x", {"role": "admin"})).status_code == 404


async def test_authentication(call: Client, auth: FakeAuth) -> None:
    user, service = auth.user_token(A), auth.service_token()
    batch = CommandBatch(1000, [SendMessage(command_id="", room_id=new_id(), user_id=A, client_id=new_id(), body="x")])
    assert (await call.internal("commands", batch, **{TOKEN_HEADER: user})).status_code == 403
    assert (await call.internal("commands", batch, **{TOKEN_HEADER: "none"})).status_code == 401
    response = await call.internal("commands", batch)
    assert msgspec.json.decode(response.content, type=BatchResult).epoch
    headers = {TOKEN_HEADER: service}
    assert (await call.http.get("/api/rooms", headers=headers)).status_code == 403
    assert (await call.http.get("/api/rooms")).status_code == 401


async def test_internal_replies_contain_the_epoch(call: Client) -> None:
    room = await call.group(A, B)
    requests = {
        "homes": {"users": {A: None}},
        "home-page": {"user_id": A},
        "messages": {"user_id": A, "room_id": room, "choice": {}},
        "enter": {"user_id": A, "room_id": room},
        "places": {"user_ids": [A]},
        "revisions": {"user_ids": [A, C]},
        "events": {"cursors": {room: 0}},
    }
    responses = {path: await call.internal(path, body) for path, body in requests.items()}
    assert {response.status_code for response in responses.values()} == {200}
    assert len({response.json()["epoch"] for response in responses.values()}) == 1
    assert responses["revisions"].json()["revisions"] == {A: 1, C: 0}
    assert (await call.internal("shared", {"user_id": A, "other_ids": [B, C]})).json() == {"user_ids": [B]}


async def test_membership_checks(call: Client) -> None:
    room = await call.group(A, B)
    direct = (await call(A, "POST", body={"kind": "direct", "user_id": B})).json()["room_id"]
    await call(B, "DELETE", f"/{room}/members/me")
    await call(B, "DELETE", f"/{direct}/members/me")
    expected = {(room, A): True, (room, B): False, (room, C): False, (direct, B): True, (C, A): False}
    for (room_id, user_id), is_in in expected.items():
        response = await call.internal("membership", {"room_id": room_id, "user_id": user_id})
        assert response.json() == {"is_in": is_in}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("membership", {"user_id": A, "room_id": "x"}, 404),
        ("commands", {"budget_ms": 1, "commands": [{"op": "fly"}]}, 422),
        ("commands", {"budget_ms": 1, "commands": [{}] * 257}, 422),
        ("commands", {"budget_ms": 1, "commands": ["x" * 700_000]}, 413),
        ("homes", {"users": {"x": None}}, 422),
        ("places", {"user_ids": ["x"]}, 422),
        ("events", {"cursors": {A: -1}}, 422),
        ("home-page", {"user_id": A, "limit": 0}, 422),
        ("messages", {"user_id": A, "room_id": "x", "choice": {}}, 404),
        ("enter", {"user_id": A, "room_id": B}, 404),
    ],
)
async def test_invalid_internal_requests_are_rejected(call: Client, path: str, body: object, status: int) -> None:
    assert (await call.internal(path, body)).status_code == status


@on_both_engines
async def test_domain_events_of_other_services_are_processed(call: Client, redis: Redis) -> None:
    room = await call.group(A, B)
    blocked = UserBlocked(user_id=C, blocked_id=A, version=1)
    closed = UserClosed(user_id=B, version=2, at=1)
    for source, event in (("social", blocked), ("auth", closed)):
        topic = str(event.__struct_config__.tag)
        await redis.xadd(service_stream(source), {"topic": topic, "payload": msgspec.json.encode(event)})

    async def is_blocked() -> bool:
        return (await call(A, "POST", body={"kind": "direct", "user_id": C})).status_code == 403

    async def has_left() -> bool:
        return (await call(A, "GET", f"/{room}")).json()["member_count"] == 1

    await eventually(is_blocked)
    await eventually(has_left)


async def test_denied_commands_are_audited_once(call: Client, trail: list[dict[str, Any]]) -> None:
    room = await call.group(A, B)
    trail.clear()
    assert (await call(B, "PATCH", f"/{room}", body={"title": "Mine"})).status_code == 403
    over_http = trail.copy()
    trail.clear()
    update = UpdateRoom(command_id=new_id(), room_id=room, user_id=B, title="Mine")
    unknown = UpdateRoom(command_id=new_id(), room_id=new_id(), user_id=B, title="Mine")
    await call.batch(update, unknown)
    [line] = trail
    assert (line["user.id"], line["webchat.room"]) == (B, room)
    for one in (*over_http, line):
        assert (one["event.action"], one["event.outcome"]) == ("access-deny", "failure")
        assert one["event.reason"] == "Only the owner and admins change a room."
    assert len(over_http) == 1


async def test_nested_bodies_are_invalid(call: Client, auth: FakeAuth) -> None:
    user, service = ({TOKEN_HEADER: token} for token in (auth.user_token(A), auth.service_token()))
    assert await check_nested_bodies(call.app, call.http, user, service) >= 10
