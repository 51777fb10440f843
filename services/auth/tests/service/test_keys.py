"""Signing keys: made once, encrypted, rotated while tokens stay valid."""

import asyncio

import pytest
from sqlalchemy import select, update

from auth.service.dependencies import Dependencies
from auth.service.key_ring import KeyRing
from auth.storage.tables import signing_key
from shared.database.engine import Database
from shared.errors import Unauthenticated
from shared.rpc.tokens import token_key_id
from shared.testing.fixtures import on_each_database
from shared.testing.once import function_fixture

from .conftest import SECRETS

pytestmark = on_each_database
DAY = 24 * 3600 * 1000


@function_fixture(autouse=True)
async def first_key(deps: Dependencies) -> None:
    """Begin every test with one new key."""
    async with deps.database.write() as db:
        await db.execute(signing_key.delete())
    await deps.keys.refresh()


async def stored(database: Database) -> list:
    async with database.read() as db:
        return list((await db.execute(select(signing_key).order_by(signing_key.c.generation))).mappings())


async def pass_time(database: Database, ms: int) -> None:
    async with database.write() as db:
        await db.execute(update(signing_key).values(created_at=signing_key.c.created_at - ms))


def ring_of(database: Database, secret: str = SECRETS["session_secret_key"]) -> KeyRing:
    return KeyRing(database, secret=secret, rotation_days=30)


def kid_of(ring: KeyRing) -> str:
    return token_key_id(ring.service_token("rooms", "auth"))


async def test_replicas_that_start_at_once_make_one_key(deps):
    async with deps.database.write() as db:
        await db.execute(signing_key.delete())
    rings = [ring_of(deps.database) for _ in range(5)]
    await asyncio.gather(*(ring.refresh() for ring in rings))
    [only] = await stored(deps.database)
    assert {kid_of(ring) for ring in rings} == {only["kid"]}


async def test_the_private_part_is_encrypted(deps):
    [only] = await stored(deps.database)
    private = ring_of(deps.database)._cipher.decrypt(only["sealed_jwk"], only["kid"])
    assert private is not None
    assert private["d"].encode() not in only["sealed_jwk"]
    assert '"d"' not in only["public_jwk"]


async def test_a_new_key_is_published_before_it_signs_and_an_old_one_until_its_tokens_expire(deps):
    ring, database = deps.keys, deps.database
    first, token = kid_of(ring), ring.service_token("rooms", "auth")
    await pass_time(database, 31 * DAY)
    await ring.refresh()
    assert len(ring.public_keys) == 2
    assert kid_of(ring) == first
    await pass_time(database, 3 * 60_000)
    await ring.refresh()
    second = kid_of(ring)
    assert second != first
    assert (await ring.verify(token)).subject == "rooms"
    await pass_time(database, 2 * 3600_000)
    await ring.refresh()
    assert [key["kid"] for key in ring.public_keys] == [second]
    assert [key["kid"] for key in await stored(database)] == [second]


async def test_a_key_made_by_another_replica_is_found(deps):
    other = ring_of(deps.database)
    await pass_time(deps.database, 31 * DAY)
    await other.refresh()
    await pass_time(deps.database, 3 * 60_000)
    await other.refresh()
    deps.keys._read_at -= 10
    assert (await deps.keys.verify(other.service_token("rooms", "auth"))).subject == "rooms"
    with pytest.raises(Unauthenticated):
        await deps.keys.verify(other.service_token("rooms", "social"))


async def test_a_new_secret_makes_a_new_key_and_signs_nobody_out(deps, sign_up):
    client, _ = await sign_up("anna")
    token = deps.keys.service_token("rooms", "auth")
    changed = ring_of(deps.database, "y" * 40)
    await changed.refresh()
    assert kid_of(changed) != kid_of(deps.keys)
    assert (await changed.verify(token)).subject == "rooms"
    assert (await client.get("/api/auth/me")).status_code == 200
