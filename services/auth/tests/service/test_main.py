"""The composition of the service: each test fails if `main` leaves something out."""

import httpx
from sqlalchemy import select, text, update

from auth.storage.tables import session, signing_key
from shared.ids import now_ms
from shared.testing.fixtures import eventually
from shared.testing.once import check_readiness, wait_for_readiness
from shared.web.state import state_of

from .conftest import with_settings

often = with_settings(session_purge_s=0.02, signing_key_refresh_s=0.02)
DAY = 24 * 3600 * 1000


@often
async def test_expired_sessions_are_removed(sign_up, deps):
    (_, anna), (_, berta) = await sign_up("anna"), await sign_up("berta")
    async with deps.database.write() as db:
        mine = session.c.user_id == anna["user_id"]
        await db.execute(update(session).where(mine).values(expires_at=now_ms() - 1))

    async def owners():
        async with deps.database.read() as db:
            return set((await db.execute(select(session.c.user_id))).scalars())

    await eventually(lambda: _is_without(owners, anna["user_id"]))
    assert berta["user_id"] in await owners()


async def _is_without(read, wanted) -> bool:
    return wanted not in await read()


@often
async def test_keys_are_rotated(deps, client):
    before = (await client.get("/internal/jwks")).json()["keys"]
    async with deps.database.write() as db:
        await db.execute(update(signing_key).values(created_at=signing_key.c.created_at - 31 * DAY))

    async def keys():
        return (await client.get("/internal/jwks")).json()["keys"]

    async def has_another():
        return len(await keys()) == len(before) + 1

    await eventually(has_another)
    after = await keys()
    assert [key for key in before if key not in after] == []


async def test_readiness_requires_database_schema_and_signing_keys(spare):
    deps = state_of(spare).dependencies
    signing, deps.keys._signing = deps.keys._signing, {}
    await wait_for_readiness(spare, status="waiting", missing=["signing keys"])
    deps.keys._signing = signing
    await check_readiness(spare, deps.database)


async def test_a_failing_database_is_answered_with_503(spare):
    async with state_of(spare).dependencies.database.write() as db:
        await db.execute(text("DROP TABLE session"))
    transport = httpx.ASGITransport(spare, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as client:
        client.cookies.set("webchat_session", "a" * 43)
        answer = await client.get("/api/auth/me")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
