"""Accounts from sign-up to closing, on both engines."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from auth.consumers import on_social
from auth.domain.accounts import OpenAccount
from auth.service import accounts
from auth.storage.tables import session, user
from shared.events.social import ProfileRenamed
from shared.streams.names import service_stream
from shared.testing.fixtures import eventually

PASSWORD = "correct horse battery"


async def published(redis: Redis) -> list[dict]:
    return [msgspec.json.decode(fields[b"payload"]) for _, fields in await redis.xrange(service_stream("auth"))]


async def test_sign_up_signs_in_and_tells_the_others(sign_up, redis):
    client, anna = await sign_up("anna", email=" Anna@Example.com ", webchat_id="Anna_1", display_name="  Anna B ")
    assert anna == {
        "user_id": anna["user_id"], "email": "Anna@Example.com", "webchat_id": "anna_1", "display_name": "Anna B",
    }  # fmt: skip
    assert (await client.get("/api/auth/me")).json() == anna
    [event] = await eventually(lambda: published(redis))
    assert event.pop("at") > 0
    assert event == {
        "topic": "user.registered", "user_id": anna["user_id"], "webchat_id": "anna_1", "display_name": "Anna B",
        "version": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"webchat_id": "ANNA"}, ["webchat_id"]),
        ({"email": "ANNA@example.COM"}, ["email"]),
        ({"email": "ａnna@example.com"}, ["email"]),
        ({"webchat_id": "anna", "email": "anna@example.com"}, ["email", "webchat_id"]),
    ],
)
async def test_what_is_taken_is_taken_in_every_spelling(sign_up, client, fields, taken):
    await sign_up("anna")
    body = {"email": "b@example.com", "password": PASSWORD, "webchat_id": "berta", "display_name": "B", **fields}
    answer = await client.post("/api/auth/signup", json=body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == taken
    assert "webchat_session" not in client.cookies


async def test_of_many_who_want_one_id_at_once_one_gets_it(browser):
    async def want(number: int) -> int:
        body = {
            "email": f"n{number}@example.com", "password": PASSWORD, "webchat_id": "wanted", "display_name": "N",
        }  # fmt: skip
        return (await browser().post("/api/auth/signup", json=body)).status_code

    assert sorted(await asyncio.gather(*map(want, range(6)))) == [201, 409, 409, 409, 409, 409]


async def test_available(sign_up, client):
    await sign_up("anna")
    for asked, free in (("ANNA", False), ("anna", False), ("anna_", True), ("a.b", True)):
        answer = await client.get("/api/auth/available", params={"webchat_id": asked})
        assert (answer.status_code, answer.json()) == (200, {"available": free})
    assert (await client.get("/api/auth/available", params={"webchat_id": "ab"})).status_code == 422


@pytest.mark.parametrize("login", ["anna", "ANNA", "anna@example.com", " Anna@EXAMPLE.com "])
async def test_sign_in_by_either_name(sign_up, log_in, login):
    _, anna = await sign_up("anna")
    client = await log_in(login)
    assert (await client.get("/api/auth/me")).json() == anna


async def test_an_unknown_login_and_a_wrong_password_look_alike(sign_up, client):
    await sign_up("anna")
    answers = [
        await client.post("/api/auth/login", json={"login": login, "password": "wrong horse battery"})
        for login in ("anna", "anna@example.com", "nobody", "nobody@example.com", "not/an\u00a0id")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert "webchat_session" not in client.cookies


async def test_another_password_ends_the_other_sessions(sign_up, log_in, client):
    here, _ = await sign_up("anna")
    there = await log_in("anna")
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    assert (await here.post("/api/auth/password", json=change)).status_code == 204
    assert (await here.get("/api/auth/me")).status_code == 200
    assert (await there.get("/api/auth/me")).status_code == 401
    old = await client.post("/api/auth/login", json={"login": "anna", "password": PASSWORD})
    assert old.status_code == 401
    await log_in("anna", "another horse battery")


async def test_a_wrong_current_password_changes_nothing(sign_up, log_in):
    here, _ = await sign_up("anna")
    there = await log_in("anna")
    change = {"current_password": "wrong horse battery", "new_password": "another horse battery"}
    assert (await here.post("/api/auth/password", json=change)).status_code == 403
    weak = {"current_password": PASSWORD, "new_password": "password1"}
    answer = await here.post("/api/auth/password", json=weak)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "new_password")
    assert (await there.get("/api/auth/me")).status_code == 200
    await log_in("anna")


async def test_a_sign_in_that_a_password_change_overtook_fails(sign_up, parts):
    """It verified the old password; the session must not be made after the change ended all sessions."""
    _, anna = await sign_up("anna")
    verified = OpenAccount(
        user_id=anna["user_id"], email=anna["email"], webchat_id="anna", display_name="Anna",
        password_hash="of the password before", version=1,
    )  # fmt: skip
    async with parts.database.write() as db:
        with pytest.raises(accounts.Unauthenticated):
            await accounts._check_unchanged(db, verified)


async def test_a_closed_account_leaves_nothing_but_its_id(sign_up, log_in, browser, parts, redis):
    client, anna = await sign_up("anna")
    there = await log_in("anna")
    assert (await client.request("DELETE", "/api/auth/me", json={"password": "wrong horse"})).status_code == 403
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})).status_code == 204
    for signed in (client, there):
        assert (await signed.get("/api/auth/me")).status_code == 401
    async with parts.database.read() as db:
        [row] = (await db.execute(select(user))).mappings().all()
        assert (await db.execute(select(session))).all() == []
    assert row["id"] == anna["user_id"]
    assert [row[name] for name in ("webchat_id", "email", "email_key", "display_name", "password_hash")] == [
        None, None, None, "", "",
    ]  # fmt: skip
    events = await eventually(lambda: _two(redis))
    assert [(event["topic"], event["version"]) for event in events] == [("user.registered", 1), ("user.closed", 2)]
    assert (await browser().post("/api/auth/login", json={"login": "anna", "password": PASSWORD})).status_code == 401


async def _two(redis: Redis) -> list[dict]:
    events = await published(redis)
    return events if len(events) == 2 else []


async def test_the_id_of_a_closed_account_stays_taken_and_its_address_does_not(sign_up, client):
    gone, _ = await sign_up("anna")
    await gone.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert (await client.get("/api/auth/available?webchat_id=Anna")).json() == {"available": False}
    body = {"email": "c@example.com", "password": PASSWORD, "webchat_id": "anna", "display_name": "Not Anna"}
    assert (await client.post("/api/auth/signup", json=body)).status_code == 409
    await sign_up("berta", email="anna@example.com")


async def test_the_name_follows_the_profile_and_never_goes_back(sign_up, parts):
    client, anna = await sign_up("anna")
    for name, version in (("Second", 2), ("First", 1), ("Second", 2)):
        await on_social(parts, ProfileRenamed(user_id=anna["user_id"], display_name=name, version=version))
    assert (await client.get("/api/auth/me")).json()["display_name"] == "Second"
    await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    await on_social(parts, ProfileRenamed(user_id=anna["user_id"], display_name="Third", version=3))
    async with parts.database.read() as db:
        assert (await db.execute(select(user.c.display_name))).scalar_one() == ""


async def test_parameters_of_the_hash_are_renewed_at_sign_in(sign_up, log_in, parts):
    await sign_up("anna")
    old = parts.hasher._argon2.__class__(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    async with parts.database.write() as db:
        await db.execute(user.update().values(password_hash=old))
    await log_in("anna")
    async with parts.database.read() as db:
        now = (await db.execute(select(user.c.password_hash))).scalar_one()
    assert now != old
    assert not parts.hasher.is_outdated(now)
    await log_in("anna")
