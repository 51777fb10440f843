"""The number of statements does not grow with the number of people."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import select

from shared.testing.fixtures import eventually, on_each_database
from shared.testing.once import function_fixture
from social.storage.tables import follow, friend_revision, person

pytestmark = on_each_database


@function_fixture()
async def count_statements(statements: list[str]) -> Callable[[Awaitable[httpx.Response]], Awaitable[int]]:
    async def count_statements(request: Awaitable[httpx.Response]) -> int:
        statements.clear()
        assert (await request).is_success
        return len(statements)

    return count_statements


async def followed_by(deps, someone: str, others: list[str]) -> None:
    rows = [{"follower_id": other, "followee_id": someone, "since": 1} for other in others]
    async with deps.database.write() as db:
        await db.execute(follow.insert(), rows)
        await db.execute(friend_revision.insert(), [{"user_id": other, "revision": 1} for other in others])


async def is_registered(deps, someone) -> bool:
    """Return whether social has handled auth's event of a person: until then its statements would count."""
    async with deps.database.read() as db:
        return (await db.execute(select(person).where(person.c.user_id == someone.user_id))).first() is not None


async def test_lists(sign_up, register_many, deps, count_statements, tag):
    anna, others = await sign_up("anna"), await register_many(80)
    await eventually(lambda: is_registered(deps, anna))
    await followed_by(deps, anna.user_id, others)
    async with deps.database.write() as db:
        mine = [{"follower_id": anna.user_id, "followee_id": other, "since": 1} for other in others]
        await db.execute(follow.insert(), mine)
    for path in (
        "/followers",
        "/following",
        f"/profiles/search?webchat_id={tag}crowd&limit=100",
        "/profiles/search?webchat_id=C 1",
        f"/profiles?user_ids={','.join(others)}",
    ):
        assert await count_statements(anna.http.get(path)) == 1
        assert len((await anna.http.get(path)).json()["items"]) > 10
    assert await count_statements(anna.http.get("/profiles/me")) == 1
    for other in others[:11]:
        assert (await anna.http.put(f"/blocks/{other}")).status_code == 204
    assert await count_statements(anna.http.get("/blocks")) == 1
    assert len((await anna.http.get("/blocks")).json()["items"]) == 11


async def test_requests_of_the_gateways(register_many, deps, gateway, count_statements):
    someone, *others = await register_many(80)
    await followed_by(deps, someone, others)
    assert await count_statements(gateway("friends", user_ids=others)) == 2
    assert await count_statements(gateway("revisions", user_ids=others)) == 1
    assert await count_statements(gateway("pairs", user_id=someone, other_ids=others)) == 2


@pytest.mark.parametrize("followers", [1, 60])
async def test_a_change_of_a_profile(sign_up, register_many, deps, count_statements, followers):
    anna = await sign_up("anna")
    await eventually(lambda: is_registered(deps, anna))
    await followed_by(deps, anna.user_id, await register_many(followers))
    assert await count_statements(anna.http.patch("/profiles/me", json={"status_message": "away"})) == 6
