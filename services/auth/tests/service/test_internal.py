"""Requests of the other services, and their authorization."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from auth.settings import AuthSettings
from shared.ids import new_id
from shared.testing.fixtures import on_each_database
from shared.testing.nested_json import check_nested_bodies

SERVICES = ("auth", "social", "rooms", "media", "chat-gateway")


@pytest.fixture
def token(client: httpx.AsyncClient, settings: AuthSettings) -> Callable[..., Awaitable[dict[str, str]]]:
    """Return the header with a token of a service for an audience."""

    async def token(service: str = "rooms", audience: str = "auth") -> dict[str, str]:
        body = {"service": service, "secret": settings.secret_of(service), "audience": audience}
        answer = await client.post("/internal/token", json=body)
        assert answer.status_code == 200, answer.text
        return {"X-WebChat-Token": answer.json()["token"]}

    return token


async def test_each_service_gets_tokens_with_its_own_secret(client, token, settings):
    for service in SERVICES:
        assert (
            await client.post("/internal/accounts", json={"user_ids": []}, headers=await token(service))
        ).json() == {"accounts": []}
    wrong = [
        ("rooms", settings.secret_of("media")),
        ("rooms", ""),
        ("nobody", ""),
        ("nobody", "\x00" * 32),
        ("rooms", "ä"),
    ]
    answers = [
        await client.post("/internal/token", json={"service": service, "secret": secret, "audience": "auth"})
        for service, secret in wrong
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    body = {"service": "rooms", "secret": settings.secret_of("rooms"), "audience": "nginx"}
    assert (await client.post("/internal/token", json=body)).status_code == 422


@pytest.mark.parametrize("path", ["sessions", "accounts"])
async def test_only_services_are_authorized(sign_up, client, token, path):
    person, _ = await sign_up("anna")
    as_user = (await person.get("/check?audience=auth")).headers["X-WebChat-Token"]
    body = {"session_ids": [], "user_ids": []}
    for headers, status in (
        ({}, 401),
        ({"X-WebChat-Token": "x.y.z"}, 401),
        ({"X-WebChat-Token": as_user}, 403),
        (await token(audience="social"), 401),
        (await token(), 200),
    ):
        assert (await client.post(f"/internal/{path}", json=body, headers=headers)).status_code == status


@on_each_database
async def test_which_sessions_are_active(sign_up, log_in, client, token):
    anna, user = await sign_up("anna")
    gone = await log_in(user["webchat_id"])
    listed = (await anna.get("/api/auth/sessions")).json()["items"]
    await gone.post("/api/auth/logout")
    body = {"session_ids": [*(one["session_id"] for one in listed), new_id(), "no id"]}
    answer = await client.post("/internal/sessions", json=body, headers=await token())
    mine = next(one["session_id"] for one in listed if one["current"])
    assert answer.json() == {"users": {mine: user}}


@on_each_database
async def test_accounts(sign_up, client, token):
    _, anna = await sign_up("anna")
    gone, closed = await sign_up("berta")
    await gone.request("DELETE", "/api/auth/me", json={"password": "correct horse battery"})
    body = {"user_ids": [anna["user_id"], closed["user_id"], new_id(), anna["user_id"]]}
    answer = await client.post("/internal/accounts", json=body, headers=await token())
    account = {"user_id": anna["user_id"], "webchat_id": anna["webchat_id"], "display_name": "Anna", "version": 1}
    assert answer.json() == {"accounts": [account]}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"user_ids": "x"}', b'{"user_ids": [1]}', b"\xff", b'{"user_ids": ["\\ud800"]}']
)
async def test_malformed_bodies(client, token, body):
    assert (await client.post("/internal/accounts", content=body, headers=await token())).status_code == 422


async def test_too_many_ids(client, token):
    body = {"user_ids": [new_id() for _ in range(1001)], "session_ids": [new_id() for _ in range(1001)]}
    for path in ("accounts", "sessions"):
        assert (await client.post(f"/internal/{path}", json=body, headers=await token())).status_code == 422


async def test_nested_bodies_are_invalid(app: FastAPI, sign_up, token):
    client, _ = await sign_up("anna")
    assert await check_nested_bodies(app, client, {}, await token()) >= 3
