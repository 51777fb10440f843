"""The number of statements does not grow with the number of people."""

from functools import partial

import pytest

from shared.streams.names import service_stream
from shared.testing.fixtures import eventually
from social.storage.tables import follow, friend_revision


@pytest.fixture
async def cost(statements):
    async def cost(asked) -> int:
        statements.clear()
        assert (await asked).is_success
        return len(statements)

    return cost


async def followed_by(parts, someone: str, others: list[str]) -> None:
    rows = [{"follower_id": other, "followee_id": someone, "since": 1} for other in others]
    async with parts.database.write() as db:
        await db.execute(follow.insert(), rows)
        await db.execute(friend_revision.insert(), [{"user_id": other, "revision": 1} for other in others])


async def heard_all(redis) -> bool:
    """Whether social handled the one event of auth: otherwise that is counted too."""
    if not await redis.xlen(service_stream("auth")):
        return False
    groups = await redis.xinfo_groups(service_stream("auth"))
    return [(group["pending"], group["lag"]) for group in groups] == [(0, 0)]


async def test_lists(sign_up, crowd, parts, cost, redis):
    anna, others = await sign_up("anna"), await crowd(80)
    await eventually(partial(heard_all, redis))
    await followed_by(parts, anna.user_id, others)
    for path in (
        "/followers",
        "/following",
        "/blocks",
        "/profiles/search?webchat_id=crowd&limit=100",
        "/profiles/search?webchat_id=ㅁㅈ",
    ):
        assert await cost(anna.http.get(path)) == 1
    assert await cost(anna.http.get("/profiles", params={"user_ids": ",".join(others)})) == 1
    assert await cost(anna.http.get("/profiles/me")) == 1


async def test_what_the_gateways_ask(crowd, parts, gateway, cost):
    someone, *others = await crowd(80)
    await followed_by(parts, someone, others)
    assert await cost(gateway("friends", user_ids=others)) == 2
    assert await cost(gateway("revisions", user_ids=others)) == 1
    assert await cost(gateway("pairs", user_id=someone, other_ids=others)) == 2


@pytest.mark.parametrize("followers", [1, 60])
async def test_a_change_of_a_profile(sign_up, crowd, parts, cost, redis, followers):
    anna = await sign_up("anna")
    await eventually(partial(heard_all, redis))
    await followed_by(parts, anna.user_id, await crowd(followers))
    assert await cost(anna.http.patch("/profiles/me", json={"status_message": "away"})) == 6
