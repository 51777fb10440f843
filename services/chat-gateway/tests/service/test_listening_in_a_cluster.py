"""Subscriptions in a cluster follow a channel whose slot moves, although no connection is lost."""

from collections.abc import AsyncIterator

import pytest

from chat_gateway.subscriber import Subscriber
from shared.redis.client import AnyRedis
from shared.testing.fixtures import eventually
from shared.testing.servers import ValkeyCluster

from ..harness import QUICK  # noqa: TID252 - the tests of one service

pytestmark = pytest.mark.parametrize("redis_endpoint", ["cluster"], indirect=True)
CHANNELS = [f"c{number}" for number in range(30)]


class SubscriberHarness:
    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.lost = redis, 0
        self.received: list[bytes] = []
        self.subscriber = Subscriber(redis, QUICK, on_lost=self._on_lost)

    def _on_lost(self) -> None:
        self.lost += 1

    async def is_subscribed(self, channel: str) -> bool:
        """Return whether a message arrives through the primary that has the channel's slot."""
        return await self.redis.execute_command("SPUBLISH", channel, channel) == 1 and channel.encode() in self.received


@pytest.fixture
async def harness(redis: AnyRedis) -> AsyncIterator[SubscriberHarness]:
    harness = SubscriberHarness(redis)
    async with harness.subscriber.running():
        await harness.subscriber.acquire(dict.fromkeys(CHANNELS, harness.received.append))
        yield harness


async def test_channels_of_a_moved_slot_are_subscribed_again(harness: SubscriberHarness, valkey_cluster: ValkeyCluster):
    source, target = valkey_cluster.begin_move("c7")
    valkey_cluster.end_move("c7", source, target)
    for channel in CHANNELS:
        await eventually(lambda channel=channel: harness.is_subscribed(channel))
    assert valkey_cluster.owner("c7") is target
    assert harness.lost >= 2


async def test_channels_are_subscribed_again_after_a_failover(
    harness: SubscriberHarness, valkey_cluster: ValkeyCluster
):
    replica = valkey_cluster.replica_of(valkey_cluster.owner("c7"))
    replica.ask("CLUSTER", "FAILOVER")
    await eventually(lambda: valkey_cluster.owner("c7", replica) is replica)
    for channel in CHANNELS:
        await eventually(lambda channel=channel: harness.is_subscribed(channel))
    assert harness.lost >= 2
    await eventually(valkey_cluster.is_whole)
