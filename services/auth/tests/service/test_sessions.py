"""Sessions: listing, extension, and revocation, which takes effect at once although sessions are kept."""

import asyncio
import hashlib

import msgspec
import pytest
from sqlalchemy import event, select, update

from auth.domain.accounts import ActiveSession
from auth.service import session_loader
from auth.service.dependencies import Dependencies
from auth.service.session_loader import VALID_S, SessionLoader
from auth.service.sessions import end_sessions, purge
from auth.storage import sessions as stored
from auth.storage.tables import session
from shared.ids import now_ms
from shared.streams.names import user_channel
from shared.testing.fixtures import eventually, on_both_engines, on_each_database, subscription

pytestmark = on_each_database
MINUTE, DAY_MS = 60_000, 24 * 3_600_000


def secret_of(client) -> str:
    return client.cookies["webchat_session"]


def hash_of(client) -> bytes:
    return hashlib.sha256(secret_of(client).encode()).digest()


async def row_of(deps: Dependencies, client) -> ActiveSession:
    async with deps.database.read() as db:
        found = await stored.find_sessions(db, [hash_of(client)], 0)
    return found[hash_of(client)]


def forget(deps: Dependencies, client) -> None:
    """Let the next request read the client's session from the table."""
    deps.sessions.forget([hash_of(client)])


async def set_times(deps: Dependencies, client, **times: int) -> None:
    """Simulate that time has passed for the client's session: change its row."""
    async with deps.database.write() as db:
        await db.execute(update(session).where(session.c.secret_hash == hash_of(client)).values(**times))
    forget(deps, client)


async def test_attributes_of_the_cookie(client, tag):
    names = {"email": f"{tag}@example.com", "webchat_id": f"anna{tag}", "display_name": "A"}
    body = {"password": "correct horse", **names}
    answer = await client.post("/api/auth/signup", json=body)
    attributes = answer.headers.get_list("set-cookie")[0].split("; ")
    assert set(attributes[1:]) == {"HttpOnly", "Path=/", "SameSite=lax", f"Max-Age={30 * 24 * 3600 - 120}"}
    login = {"login": names["email"], "password": "correct horse"}
    secure = await client.post("/api/auth/login", json=login, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in secure.headers.get_list("set-cookie")[0].split("; ")


async def test_the_secret_is_only_in_the_cookie(sign_up, deps, redis):
    client, _ = await sign_up("anna")
    await client.get("/api/auth/me")
    async with deps.database.read() as db:
        table = repr((await db.execute(select(session))).all())
    kept = [key + b" " + (await redis.dump(key) or b"") for key in await redis.keys()]
    assert not any(secret_of(client).encode() in one for one in [*kept, table.encode()])


async def test_sessions_are_listed_with_address_and_user_agent(sign_up, log_in, browser):
    client, anna = await sign_up("anna")
    await log_in(anna["webchat_id"])
    headers = {"X-Real-IP": "2001:db8::7", "User-Agent": "Phone/1 \x01"}
    login = {"login": anna["webchat_id"], "password": "correct horse battery"}
    await browser().post("/api/auth/login", json=login, headers=headers)
    page = (await client.get("/api/auth/sessions")).json()
    assert page["next"] is None
    newest, second, first = page["items"]
    assert [one["current"] for one in page["items"]] == [False, False, True]
    assert (newest["address"], newest["user_agent"]) == ("2001:db8::7", "Phone/1 ")
    assert newest["created_at"] >= second["created_at"] >= first["created_at"]
    assert newest["last_seen_at"].endswith("Z")


async def test_sessions_are_paged(sign_up, log_in):
    client, anna = await sign_up("anna")
    for _ in range(3):
        await log_in(anna["webchat_id"])
    whole = [one["session_id"] for one in (await client.get("/api/auth/sessions")).json()["items"]]
    paged, cursor = [], None
    for _ in range(2):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/auth/sessions", params=params)).json()
        paged += [one["session_id"] for one in page["items"]]
        cursor = page["next"]
    assert (paged, cursor) == (whole, None)


async def test_a_revoked_session_ends_at_once(sign_up, log_in):
    here, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    assert (await there.get("/check?audience=rooms")).status_code == 204
    other = next(s for s in (await here.get("/api/auth/sessions")).json()["items"] if not s["current"])
    address = f"/api/auth/sessions/{other['session_id']}"
    assert (await here.delete(address)).status_code == 204
    assert (await there.get("/check?audience=rooms")).status_code == 401
    assert (await here.get("/check?audience=rooms")).status_code == 204
    assert (await here.delete(address)).status_code == 404


async def test_a_401_distinguishes_a_revoked_session_from_none(sign_up, log_in):
    here, anna = await sign_up("anna")
    there = await log_in(anna["webchat_id"])
    assert (await here.delete("/api/auth/sessions")).status_code == 204
    ended = await there.get("/api/auth/me")
    assert (ended.status_code, ended.json()["type"]) == (401, "urn:webchat:problem:session_ended")
    there.cookies.clear()
    missing = await there.get("/api/auth/me")
    assert (missing.status_code, missing.json()["type"]) == (401, "urn:webchat:problem:unauthenticated")


async def test_revoking_all_other_sessions(sign_up, log_in):
    here, anna = await sign_up("anna")
    others = [await log_in(anna["webchat_id"]) for _ in range(2)]
    assert (await here.delete("/api/auth/sessions")).status_code == 204
    assert [(await one.get("/api/auth/me")).status_code for one in (here, *others)] == [200, 401, 401]


async def test_a_session_of_another_user_is_not_found(sign_up):
    anna, _ = await sign_up("anna")
    berta, _ = await sign_up("berta")
    [hers] = (await berta.get("/api/auth/sessions")).json()["items"]
    for session_id in (hers["session_id"], "x", hers["session_id"].upper()):
        assert (await anna.delete(f"/api/auth/sessions/{session_id}")).status_code == 404
    assert (await berta.get("/api/auth/me")).status_code == 200


async def test_logging_out_ends_the_session_and_deletes_the_cookie(sign_up):
    client, _ = await sign_up("anna")
    secret = secret_of(client)
    assert (await client.post("/api/auth/logout")).status_code == 204
    assert "webchat_session" not in client.cookies
    client.cookies.set("webchat_session", secret, domain="chat.example")
    assert (await client.get("/api/auth/me")).status_code == 401
    assert (await client.post("/api/auth/logout")).status_code == 401


@on_both_engines
async def test_gateways_are_notified_of_revoked_sessions(sign_up, redis):
    client, anna = await sign_up("anna")
    [mine] = (await client.get("/api/auth/sessions")).json()["items"]
    async with subscription(redis, user_channel(anna["user_id"])) as pubsub:
        await client.post("/api/auth/logout")
        message = await eventually(lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
    assert msgspec.json.decode(message["data"]) == {"hint": "revoked", "session_ids": [mine["session_id"]]}


async def test_other_replicas_refuse_a_revoked_session_after_a_moment(sign_up, deps):
    assert VALID_S < 1
    client, _ = await sign_up("anna")
    replica, secret_hash = SessionLoader(deps.database, deps.session_lifetime), hash_of(client)
    assert await replica.find(secret_hash) == await row_of(deps, client)
    await client.post("/api/auth/logout")

    async def is_gone() -> bool:
        return await replica.find(secret_hash) is None

    await eventually(is_gone)


async def test_a_read_from_before_a_revocation_is_not_kept(sign_up, deps, monkeypatch):
    """The session is read before it is revoked. The read ends after the revocation was answered."""
    client, anna = await sign_up("anna")
    secret_hash = hash_of(client)
    forget(deps, client)
    read, revoked, snapshot = asyncio.Event(), asyncio.Event(), deps.database.snapshot

    async def wait_for_the_revocation(work):
        found = await snapshot(work)
        read.set()
        await revoked.wait()
        return found

    monkeypatch.setattr(deps.database, "snapshot", wait_for_the_revocation)
    early = asyncio.create_task(deps.sessions.find(secret_hash))
    await read.wait()
    await end_sessions(deps, anna["user_id"], lambda db: stored.revoke_sessions(db, anna["user_id"]))
    revoked.set()
    assert await early is not None, "it was asked before"
    assert await deps.sessions.find(secret_hash) is None


async def test_sessions_of_requests_at_the_same_time_are_read_together(sign_up, log_in, deps):
    client, anna = await sign_up("anna")
    clients = [client, *[await log_in(anna["webchat_id"]) for _ in range(4)]]
    for one in clients:
        forget(deps, one)
    read = []

    @event.listens_for(deps.database.engine.sync_engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_):
        if "FROM session" in statement:
            read.append(statement)

    answers = await asyncio.gather(*(one.get("/check?audience=rooms") for one in clients * 3))
    assert {answer.status_code for answer in answers} == {204}
    assert 1 <= len(read) <= 2, "the first, and then all others"


async def test_kept_sessions_are_dropped_when_they_no_longer_count(sign_up, deps, monkeypatch):
    monkeypatch.setattr(session_loader, "VALID_S", 0)
    loader = SessionLoader(deps.database, deps.session_lifetime)
    for name in ("anna", "ben", "cleo"):
        client, _ = await sign_up(name)
        assert await loader.find(hash_of(client)) is not None
    assert len(loader._known) == 1


async def test_a_session_is_extended_once_a_minute(sign_up, deps):
    client, _ = await sign_up("anna")
    before = now_ms() - 2 * MINUTE
    await set_times(deps, client, last_seen_at=before, expires_at=now_ms() + MINUTE)
    writes = []

    @event.listens_for(deps.database.engine.sync_engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE session"):
            writes.append(statement)

    async def is_extended() -> bool:
        return (await row_of(deps, client)).last_seen_at >= before + 2 * MINUTE

    for _ in range(3):
        answer = await client.get("/api/auth/me")
        assert f"Max-Age={30 * 24 * 3600 - 120}" in answer.headers["set-cookie"]
        await eventually(is_extended)
        forget(deps, client)
    after = await row_of(deps, client)
    assert len(writes) == 1
    assert after.expires_at - after.last_seen_at == deps.session_lifetime.unused_ms


@pytest.mark.parametrize(("age", "left"), [(150, 30), (170, 10), (179, 1)], ids=str)
async def test_a_session_in_use_ends_after_180_days(sign_up, deps, age, left):
    client, _ = await sign_up("anna")
    created_at, before = now_ms() - age * DAY_MS, now_ms() - 2 * MINUTE
    await set_times(deps, client, created_at=created_at, last_seen_at=before, expires_at=now_ms() + MINUTE)

    async def is_extended() -> bool:
        return (await row_of(deps, client)).last_seen_at > before

    answer = await client.get("/api/auth/me")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if "session=" in one)
    (max_age,) = [int(part.partition("=")[2]) for part in cookie.split("; ") if part.startswith("Max-Age=")]
    assert left * DAY_MS / 1000 - 130 < max_age <= left * DAY_MS / 1000 - 120, "it ends before its session"
    await eventually(is_extended)
    after = await row_of(deps, client)
    assert after.expires_at == min(created_at + 180 * DAY_MS, after.last_seen_at + 30 * DAY_MS)


async def test_a_session_older_than_180_days_lasts_as_long_as_its_cookie_was_promised(sign_up, deps):
    """Sessions from before the limit existed: if they ended earlier, clients would take them for revoked ones."""
    client, _ = await sign_up("anna")
    promised, before = now_ms() + 10 * DAY_MS, now_ms() - 2 * MINUTE
    old = {"created_at": now_ms() - 300 * DAY_MS, "last_seen_at": before, "expires_at": promised}
    await set_times(deps, client, **old)

    async def is_recorded() -> bool:
        return (await row_of(deps, client)).last_seen_at > before

    assert (await client.get("/api/auth/me")).status_code == 200
    await eventually(is_recorded)
    assert (await row_of(deps, client)).expires_at == promised


async def test_an_expired_session_is_invalid_and_is_deleted(sign_up, deps):
    (client, anna), (other, _) = await sign_up("anna"), await sign_up("berta")
    await set_times(deps, client, expires_at=now_ms() - 1)
    assert (await client.get("/api/auth/me")).status_code == 401
    await purge(deps)
    async with deps.database.read() as db:
        assert (await db.execute(select(session).where(session.c.user_id == anna["user_id"]))).all() == []
    assert (await row_of(deps, other)).expires_at > now_ms()


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "ä" * 43, "a" * 5000, "'; DROP TABLE session; --"])
async def test_invalid_cookies(client, secret):
    assert (
        await client.get("/api/auth/me", headers={"Cookie": f"webchat_session={secret}".encode()})
    ).status_code == 401
