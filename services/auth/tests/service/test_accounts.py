"""Accounts from sign-up to closing."""

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
from shared.testing.fixtures import eventually, on_each_database

pytestmark = on_each_database
PASSWORD = "correct horse battery"


async def published(redis: Redis, user_id: str) -> list[dict]:
    """Return the events of an account in auth's stream."""
    events = [msgspec.json.decode(fields[b"payload"]) for _, fields in await redis.xrange(service_stream("auth"))]
    return [event for event in events if event["user_id"] == user_id]


async def row_of(deps, user_id: str):
    async with deps.database.read() as db:
        return (await db.execute(select(user).where(user.c.id == user_id))).mappings().one()


async def test_signing_up_signs_in_and_publishes_the_account(sign_up, redis, tag):
    names = {"email": f" Anna{tag}@Example.com ", "webchat_id": f"Anna_{tag}", "display_name": "  Anna B "}
    client, anna = await sign_up("anna", **names)
    assert anna == {
        "user_id": anna["user_id"], "email": f"Anna{tag}@Example.com", "webchat_id": f"anna_{tag}",
        "display_name": "Anna B",
    }  # fmt: skip
    assert (await client.get("/api/auth/me")).json() == anna
    [event] = await eventually(lambda: published(redis, anna["user_id"]))
    assert event.pop("at") > 0
    assert event == {
        "topic": "user.registered", "user_id": anna["user_id"], "webchat_id": f"anna_{tag}", "display_name": "Anna B",
        "version": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"webchat_id": "ANNA{}"}, ["webchat_id"]),
        ({"email": "ANNA{}@example.COM"}, ["email"]),
        ({"email": "ａnna{}@example.com"}, ["email"]),
        ({"webchat_id": "anna{}", "email": "anna{}@example.com"}, ["email", "webchat_id"]),
    ],
)
async def test_a_taken_name_is_taken_in_every_spelling(sign_up, client, tag, fields, taken):
    await sign_up("anna")
    body = {"email": f"b{tag}@example.com", "password": PASSWORD, "webchat_id": f"berta{tag}", "display_name": "B"}
    body |= {name: value.format(tag) for name, value in fields.items()}
    answer = await client.post("/api/auth/signup", json=body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == taken
    assert "webchat_session" not in client.cookies


async def test_one_of_concurrent_sign_ups_gets_the_id(browser, tag):
    async def want(number: int) -> int:
        body = {
            "email": f"n{number}{tag}@example.com", "password": PASSWORD, "webchat_id": f"wanted{tag}",
            "display_name": "N",
        }  # fmt: skip
        return (await browser().post("/api/auth/signup", json=body)).status_code

    assert sorted(await asyncio.gather(*map(want, range(6)))) == [201, 409, 409, 409, 409, 409]


async def test_available(sign_up, client, tag):
    await sign_up("anna_")
    for asked, free in (("ANNA_{}", False), ("anna_{}", False), ("anna_{}_", True), ("anna.{}", True)):
        answer = await client.get("/api/auth/available", params={"webchat_id": asked.format(tag)})
        assert (answer.status_code, answer.json()) == (200, {"available": free})
    assert (await client.get("/api/auth/available", params={"webchat_id": "ab"})).status_code == 422


@pytest.mark.parametrize("login", ["anna{}", "ANNA{}", "anna{}@example.com", " Anna{}@EXAMPLE.com "])
async def test_sign_in_by_either_name(sign_up, log_in, tag, login):
    _, anna = await sign_up("anna")
    client = await log_in(login.format(tag))
    assert (await client.get("/api/auth/me")).json() == anna


async def test_an_unknown_login_and_a_wrong_password_get_the_same_answer(sign_up, client, tag):
    await sign_up("anna")
    answers = [
        await client.post("/api/auth/login", json={"login": login, "password": "wrong horse battery"})
        for login in (f"anna{tag}", f"anna{tag}@example.com", "nobody", "nobody@example.com", "not/an\u00a0id")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert "webchat_session" not in client.cookies


async def test_changing_the_password_ends_the_other_sessions(sign_up, log_in, client):
    here, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    assert (await here.post("/api/auth/password", json=change)).status_code == 204
    assert (await here.get("/api/auth/me")).status_code == 200
    assert (await there.get("/api/auth/me")).status_code == 401
    old = await client.post("/api/auth/login", json={"login": anna["webchat_id"], "password": PASSWORD})
    assert old.status_code == 401
    await log_in(anna["webchat_id"], "another horse battery")


async def test_a_wrong_current_password_changes_nothing(sign_up, log_in):
    here, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    change = {"current_password": "wrong horse battery", "new_password": "another horse battery"}
    assert (await here.post("/api/auth/password", json=change)).status_code == 403
    weak = {"current_password": PASSWORD, "new_password": "password1"}
    answer = await here.post("/api/auth/password", json=weak)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "new_password")
    assert (await there.get("/api/auth/me")).status_code == 200
    await log_in(anna["webchat_id"])


async def test_a_sign_in_fails_if_the_password_changed_meanwhile(sign_up, deps):
    """It has verified the old password. Its session must not begin after the change has ended all sessions."""
    _, anna = await sign_up("anna")
    verified = OpenAccount(
        user_id=anna["user_id"], email=anna["email"], webchat_id=anna["webchat_id"], display_name="Anna",
        password_hash="of the password before", version=1,
    )  # fmt: skip
    async with deps.database.write() as db:
        with pytest.raises(accounts.Unauthenticated):
            await accounts.check_unchanged(db, verified)


async def test_a_closed_account_keeps_only_its_id(sign_up, log_in, browser, deps, redis):
    client, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    assert (await client.request("DELETE", "/api/auth/me", json={"password": "wrong horse"})).status_code == 403
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})).status_code == 204
    for signed_out in (client, there):
        assert (await signed_out.get("/api/auth/me")).status_code == 401
    row = await row_of(deps, anna["user_id"])
    async with deps.database.read() as db:
        assert (await db.execute(select(session).where(session.c.user_id == anna["user_id"]))).all() == []
    assert [row[name] for name in ("webchat_id", "email", "email_key", "display_name", "password_hash")] == [
        None, None, None, "", "",
    ]  # fmt: skip
    events = await eventually(lambda: _two(redis, anna["user_id"]))
    assert [(event["topic"], event["version"]) for event in events] == [("user.registered", 1), ("user.closed", 2)]
    assert (
        await browser().post("/api/auth/login", json={"login": anna["webchat_id"], "password": PASSWORD})
    ).status_code == 401


async def _two(redis: Redis, user_id: str) -> list[dict]:
    events = await published(redis, user_id)
    return events if len(events) == 2 else []


async def test_a_closed_account_frees_its_address_but_not_its_id(sign_up, client, tag):
    gone, _ = await sign_up("anna")
    await gone.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    assert (await client.get(f"/api/auth/available?webchat_id=Anna{tag}")).json() == {"available": False}
    names = {"email": f"c{tag}@example.com", "webchat_id": f"anna{tag}", "display_name": "Not Anna"}
    body = {"password": PASSWORD, **names}
    assert (await client.post("/api/auth/signup", json=body)).status_code == 409
    await sign_up("berta", email=f"anna{tag}@example.com")


async def test_an_older_name_of_the_profile_is_ignored(sign_up, deps):
    client, anna = await sign_up("anna")
    for name, version in (("Second", 2), ("First", 1), ("Second", 2)):
        await on_social(deps, ProfileRenamed(user_id=anna["user_id"], display_name=name, version=version))
    assert (await client.get("/api/auth/me")).json()["display_name"] == "Second"
    await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    await on_social(deps, ProfileRenamed(user_id=anna["user_id"], display_name="Third", version=3))
    assert (await row_of(deps, anna["user_id"]))["display_name"] == ""


async def test_the_name_is_updated_from_the_stream(sign_up, redis):
    client, anna = await sign_up("anna")
    renamed = ProfileRenamed(user_id=anna["user_id"], display_name="Anna B", version=1)
    await redis.xadd(service_stream("social"), {"topic": "profile.renamed", "payload": msgspec.json.encode(renamed)})

    async def is_renamed() -> bool:
        return (await client.get("/api/auth/me")).json()["display_name"] == "Anna B"

    await eventually(is_renamed)


async def test_an_outdated_password_hash_is_renewed_at_sign_in(sign_up, log_in, deps):
    _, anna = await sign_up("anna")
    old = deps.hasher._argon2.__class__(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    async with deps.database.write() as db:
        await db.execute(user.update().where(user.c.id == anna["user_id"]).values(password_hash=old))
    await log_in(anna["webchat_id"])
    now = (await row_of(deps, anna["user_id"]))["password_hash"]
    assert now != old
    assert not deps.hasher.is_outdated(now)
    await log_in(anna["webchat_id"])


async def test_answers_about_a_person_are_not_stored(sign_up):
    client, _ = await sign_up("anna")
    for path in ("/api/auth/me", "/api/auth/sessions"):
        for headers in ({}, {"Origin": "https://evil.example"}, {"Cookie": "webchat_session="}):
            assert (await client.get(path, headers=headers)).headers["Cache-Control"] == "no-store"
