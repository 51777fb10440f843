"""The number of statements does not grow with the number of people."""

import pytest
from sqlalchemy import select

from shared.testing.fixtures import eventually, on_each_database
from shared.testing.once import function_fixture
from social.storage.tables import follow, friend_revision, person

pytestmark = on_each_database


@function_fixture()
async def cost(statements):
    async def cost(asked) -> int:
        statements.clear()
        assert (await asked).is_success
        return len(statements)

    return cost


async def followed_by(deps, someone: str, others: list[str]) -> None:
    rows = [{"follower_id": other, "followee_id": someone, "since": 1} for other in others]
    async with deps.database.write() as db:
        await db.execute(follow.insert(), rows)
        await db.execute(friend_revision.insert(), [{"user_id": other, "revision": 1} for other in others])


async def has_heard(deps, someone) -> bool:
    """Whether social handled auth's event of a person, and those before it: otherwise that is counted too."""
    async with deps.database.read() as db:
        return (await db.execute(select(person).where(person.c.user_id == someone.user_id))).first() is not None


async def test_lists(sign_up, crowd, deps, cost, tag):
    anna, others = await sign_up("anna"), await crowd(80)
    await eventually(lambda: has_heard(deps, anna))
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
        assert await cost(anna.http.get(path)) == 1
        assert len((await anna.http.get(path)).json()["items"]) > 10
    assert await cost(anna.http.get("/profiles/me")) == 1
    for other in others[:11]:
        assert (await anna.http.put(f"/blocks/{other}")).status_code == 204
    assert await cost(anna.http.get("/blocks")) == 1
    assert len((await anna.http.get("/blocks")).json()["items"]) == 11


async def test_what_the_gateways_ask(crowd, deps, gateway, cost):
    someone, *others = await crowd(80)
    await followed_by(deps, someone, others)
    assert await cost(gateway("friends", user_ids=others)) == 2
    assert await cost(gateway("revisions", user_ids=others)) == 1
    assert await cost(gateway("pairs", user_id=someone, other_ids=others)) == 2


@pytest.mark.parametrize("followers", [1, 60])
async def test_a_change_of_a_profile(sign_up, crowd, deps, cost, followers):
    anna = await sign_up("anna")
    await eventually(lambda: has_heard(deps, anna))
    await followed_by(deps, anna.user_id, await crowd(followers))
    assert await cost(anna.http.patch("/profiles/me", json={"status_message": "away"})) == 6
