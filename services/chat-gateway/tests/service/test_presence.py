"""Presence of two gateways on a real Valkey: change notifications and expiry."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.driver.gateway import Gateway
from chat_gateway.settings import Timings
from shared.ids import new_id
from shared.redis.client import AnyRedis
from shared.streams.names import presence_key
from shared.testing.fixtures import eventually, on_both_engines

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service

ANA, BEN = new_id(), new_id()


class Two:
    """Two gateways, one for Ana and one for Ben."""

    def __init__(self, edge: Edge, first: Gateway, second: Gateway) -> None:
        self.edge, self.first, self.second = edge, first, second


async def two_gateways(redis: AnyRedis, stack: AsyncExitStack, **timings: float) -> Two:
    options: dict[str, Any] = {"timings": Timings(tidying=0.02, **timings)}
    edge = Edge(redis, **options)
    edge.rooms.create(ANA, BEN)
    gateways = edge.gateway, edge.new_gateway(**options)
    for gateway in gateways:
        await stack.enter_async_context(edge.working(gateway))
        await stack.enter_async_context(gateway.presence.running())
    return Two(edge, *gateways)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as it:
        yield it


def shown(person: Person) -> list[str]:
    return [frame["status"] for frame in person.of("presence")]


@on_both_engines
async def test_who_comes_and_goes_is_seen_on_another_gateway_by_hints_alone(redis: AnyRedis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_look=600)
    ana = await two.edge.live(ANA, two.first)
    assert (await ana.ask("presence.watch", user_ids=[BEN]))["presence"] == {BEN: "offline"}
    ben = await two.edge.live(BEN, two.second)
    await eventually(lambda: shown(ana) == ["online"])
    again = await two.edge.live(BEN, two.first)
    ben.leave()
    again.leave()
    await eventually(lambda: shown(ana) == ["online", "offline"])


async def test_who_comes_is_seen_without_a_hint_at_the_next_look(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_look=0.02)
    ana = await two.edge.live(ANA, two.first)
    await ana.ask("presence.watch", user_ids=[BEN])
    two.second.ephemeral.publish = lambda *_: None  # type: ignore[method-assign] - what may be lost is
    await two.edge.live(BEN, two.second)
    await eventually(lambda: shown(ana) == ["online"])


async def test_the_connections_of_a_gateway_that_crashed_expire(redis: Redis, stack: AsyncExitStack):
    """Without a refresh the key expires, and the next look notifies watchers."""
    two = await two_gateways(redis, stack, presence_look=0.02, presence_expiry=0.3, presence_refresh=600)
    ana = await two.edge.live(ANA, two.first)
    await ana.ask("presence.watch", user_ids=[BEN])
    await two.edge.live(BEN, two.second)
    await eventually(lambda: shown(ana) == ["online", "offline"])

    async def forgotten() -> bool:
        return not await redis.exists(presence_key(BEN))

    await eventually(forgotten)


async def test_connections_that_stay_do_not_expire(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_refresh=0.02)
    ben = await two.edge.live(BEN, two.second)
    key = presence_key(BEN)
    await redis.zadd(key, {ben.client.id: 1})
    await redis.pexpire(key, 60_000)

    async def refreshed() -> bool:
        return float(await redis.zscore(key, ben.client.id) or 0) > 1 and await redis.pttl(key) < 60_000

    await eventually(refreshed)


async def test_what_another_gateway_left_behind_is_not_counted(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack)
    await redis.zadd(presence_key(BEN), {"0-crashed": 1})
    ben = await two.edge.live(BEN, two.second)
    assert await redis.zrange(presence_key(BEN), 0, -1) == [ben.client.id.encode()]
