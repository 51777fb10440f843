"""Requests of the other services, and their authorization."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from auth.service import internal_api
from auth.service.sessions import KEPT_MS, OVERLAP_MS, purge
from auth.settings import AuthSettings
from auth.storage.revocations import list_revocations, record_revocations
from shared.contracts.auth import RevokedSession
from shared.ids import new_id, now_ms
from shared.testing.fixtures import on_each_database
from shared.testing.nested_json import check_nested_bodies

from .conftest import PASSWORD

Token = Callable[..., Awaitable[dict[str, str]]]

SERVICES = ("auth", "social", "rooms", "media", "chat-gateway")


@pytest.fixture
def token(client: httpx.AsyncClient, settings: AuthSettings) -> Token:
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


@pytest.mark.parametrize("path", ["sessions", "revocations", "accounts"])
async def test_only_services_are_authorized(sign_up, client, token, path):
    person, _ = await sign_up("anna")
    as_user = (await person.get("/check?audience=auth")).headers["X-WebChat-Token"]
    body = {"session_ids": [], "user_ids": [], "since": 0}
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


@pytest.fixture
def revocations(client: httpx.AsyncClient, token: Token) -> Callable[[int], Awaitable[dict[str, Any]]]:
    async def revocations(since: int) -> dict[str, Any]:
        answer = await client.post("/internal/revocations", json={"since": since}, headers=await token("chat-gateway"))
        assert answer.status_code == 200, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    return revocations


async def current_session(browser: httpx.AsyncClient) -> str:
    items = (await browser.get("/api/auth/sessions")).json()["items"]
    return str(next(one["session_id"] for one in items if one["current"]))


@on_each_database
async def test_which_sessions_were_revoked(sign_up, log_in, revocations):
    """By the user, from another device, with a new password, and with the account."""
    anna, user = await sign_up("anna")
    here, there, elsewhere = [await log_in(user["webchat_id"]) for _ in range(3)]
    ids = [await current_session(one) for one in (here, there, elsewhere, anna)]
    start = await revocations(0)
    assert start["complete"]
    await here.post("/api/auth/logout")
    await anna.delete(f"/api/auth/sessions/{ids[1]}")
    first = await revocations(start["until"])
    passwords = {"current_password": PASSWORD, "new_password": "another battery staple"}
    assert (await anna.post("/api/auth/password", json=passwords)).status_code == 204
    assert (
        await anna.request("DELETE", "/api/auth/me", json={"password": "another battery staple"})
    ).status_code == 204
    second = await revocations(first["until"])
    for answer, revoked in ((first, ids[:2]), (second, ids)):  # the first ones again, because that was a moment ago
        mine = {one["session_id"] for one in answer["sessions"] if one["user_id"] == user["user_id"]}
        assert (mine, answer["complete"]) == (set(revoked), True)


@pytest.mark.parametrize("same", [True, False], ids=["same user", "another user"])
async def test_a_session_is_replaced_if_its_user_signs_in_again(sign_up, revocations, same):
    client, anna = await sign_up("anna")
    _, berta = await sign_up("berta")
    before, start = await current_session(client), await revocations(0)
    body = {"login": (anna if same else berta)["email"], "password": PASSWORD}
    assert (await client.post("/api/auth/login", json=body)).status_code == 200
    sessions = (await revocations(start["until"]))["sessions"]
    assert {"session_id": before, "user_id": anna["user_id"], "replaced": same} in sessions


async def test_a_revocation_that_commits_late_is_not_missed(sign_up, deps, revocations):
    """Its time is earlier than the last answer, which did not have it."""
    user_id, session_id = new_id(), new_id()
    last = await revocations(0)
    late = RevokedSession(session_id, user_id)
    await deps.database.transact(lambda db: record_revocations(db, [late], last["until"] - OVERLAP_MS + 1))
    assert {"session_id": session_id, "user_id": user_id, "replaced": False} in (await revocations(last["until"]))[
        "sessions"
    ]


async def test_an_answer_that_may_lack_revocations_says_so(deps, revocations, monkeypatch):
    now = now_ms()
    assert not (await revocations(now - KEPT_MS - 1000))["complete"]
    many = [RevokedSession(new_id(), new_id()) for _ in range(3)]
    await deps.database.transact(lambda db: record_revocations(db, many, now_ms()))
    monkeypatch.setattr(internal_api, "MAX_REVOCATIONS", 2)
    answer = await revocations(now)
    assert (len(answer["sessions"]), answer["complete"]) == (2, False)


async def test_old_revocations_are_deleted(deps):
    user_id, old, recent = new_id(), new_id(), new_id()
    for session_id, at in ((old, now_ms() - 3 * KEPT_MS), (recent, now_ms() - KEPT_MS)):
        revoked = RevokedSession(session_id, user_id)
        await deps.database.transact(lambda db, one=revoked, at=at: record_revocations(db, [one], at))
    await purge(deps)
    left = await deps.database.snapshot(lambda db: list_revocations(db, 0, 10_000))
    assert [one.session_id for one in left if one.user_id == user_id] == [recent]


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
