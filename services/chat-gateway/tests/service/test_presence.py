"""Presence of two gateways on a real Valkey: change notifications and expiry."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.driver.gateway import Gateway
from chat_gateway.timings import Timings
from shared.ids import new_id
from shared.redis.client import AnyRedis
from shared.streams.names import presence_key
from shared.testing.fixtures import eventually, on_both_engines

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service

ANA, BEN = new_id(), new_id()


class TwoGateways:
    """Two gateways, one for Ana and one for Ben."""

    def __init__(self, harness: GatewayHarness, first: Gateway, second: Gateway) -> None:
        self.harness, self.first, self.second = harness, first, second


async def two_gateways(redis: AnyRedis, stack: AsyncExitStack, **timings: float) -> TwoGateways:
    options: dict[str, Any] = {"timings": Timings(housekeeping=0.02, **timings)}
    harness = GatewayHarness(redis, **options)
    harness.rooms.create(ANA, BEN)
    gateways = harness.gateway, harness.new_gateway(**options)
    for gateway in gateways:
        await stack.enter_async_context(harness.background_work(gateway))
        await stack.enter_async_context(gateway.presence.running())
    return TwoGateways(harness, *gateways)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def statuses(client: FakeClient) -> list[str]:
    return [frame["status"] for frame in client.received("presence")]


@on_both_engines
async def test_notifications_alone_show_changes_of_another_gateway(redis: AnyRedis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_poll=600)
    ana = await two.harness.connect(ANA, two.first)
    assert (await ana.request("presence.watch", user_ids=[BEN]))["presence"] == {BEN: "offline"}
    ben = await two.harness.connect(BEN, two.second)
    await eventually(lambda: statuses(ana) == ["online"])
    again = await two.harness.connect(BEN, two.first)
    ben.disconnect()
    again.disconnect()
    await eventually(lambda: statuses(ana) == ["online", "offline"])


async def test_the_next_poll_shows_changes_without_a_notification(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_poll=0.02)
    ana = await two.harness.connect(ANA, two.first)
    await ana.request("presence.watch", user_ids=[BEN])
    two.second.ephemeral.publish = lambda *_: None  # type: ignore[method-assign] - notifications are lost
    await two.harness.connect(BEN, two.second)
    await eventually(lambda: statuses(ana) == ["online"])


async def test_the_connections_of_a_crashed_gateway_expire(redis: Redis, stack: AsyncExitStack):
    """Without a refresh the key expires, and the next poll updates the watchers."""
    two = await two_gateways(redis, stack, presence_poll=0.02, presence_expiry=0.3, presence_refresh=600)
    ana = await two.harness.connect(ANA, two.first)
    await ana.request("presence.watch", user_ids=[BEN])
    await two.harness.connect(BEN, two.second)
    await eventually(lambda: statuses(ana) == ["online", "offline"])

    async def expired() -> bool:
        return not await redis.exists(presence_key(BEN))

    await eventually(expired)


async def test_connections_that_stay_do_not_expire(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack, presence_refresh=0.02)
    ben = await two.harness.connect(BEN, two.second)
    key = presence_key(BEN)
    await redis.zadd(key, {ben.presence_entry: 1})
    await redis.pexpire(key, 60_000)

    async def refreshed() -> bool:
        return float(await redis.zscore(key, ben.presence_entry) or 0) > 1 and await redis.pttl(key) < 60_000

    await eventually(refreshed)


async def test_expired_connections_of_another_gateway_are_not_counted(redis: Redis, stack: AsyncExitStack):
    two = await two_gateways(redis, stack)
    await redis.zadd(presence_key(BEN), {"0-crashed": 1})
    ben = await two.harness.connect(BEN, two.second)
    assert await redis.zrange(presence_key(BEN), 0, -1) == [ben.presence_entry.encode()]
