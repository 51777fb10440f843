"""A channel is heard wherever its slot goes, though no connection breaks."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_gateway.hub import Hub
from chat_gateway.subscriber import Subscriber
from shared.redis.client import AnyRedis
from shared.testing.fixtures import eventually
from shared.testing.servers import ValkeyCluster
from shared.web.overload import Overload

from ..edge import QUICK  # noqa: TID252 - the tests of one service

pytestmark = pytest.mark.parametrize("redis_endpoint", ["cluster"], indirect=True)
CHANNELS = [f"c{number}" for number in range(30)]

CALM = Overload(ephemeral_at=1, history_at=1)


class Listening:
    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.lost = redis, 0
        self.heard: list[bytes] = []
        log: Any = None
        self.subscriber = Subscriber(
            redis, Hub(lambda: None), log, CALM, QUICK, on_reset=lambda *_: None, on_lost=self._lose
        )

    def _lose(self) -> None:
        self.lost += 1

    async def hears(self, channel: str) -> bool:
        """A message reaches it by the primary that the channel is published on."""
        return await self.redis.execute_command("SPUBLISH", channel, channel) == 1 and channel.encode() in self.heard


@pytest.fixture
async def listening(redis: AnyRedis) -> AsyncIterator[Listening]:
    it = Listening(redis)
    async with it.subscriber.running():
        await it.subscriber.acquire(dict.fromkeys(CHANNELS, it.heard.append))
        yield it


async def test_a_slot_is_moved(listening: Listening, valkey_cluster: ValkeyCluster):
    source, target = valkey_cluster.begin_move("c7")
    valkey_cluster.end_move("c7", source, target)
    for channel in CHANNELS:
        await eventually(lambda channel=channel: listening.hears(channel))
    assert valkey_cluster.owner("c7") is target
    assert listening.lost >= 2


async def test_a_replica_takes_over_in_order(listening: Listening, valkey_cluster: ValkeyCluster):
    replica = valkey_cluster.replica_of(valkey_cluster.owner("c7"))
    replica.ask("CLUSTER", "FAILOVER")
    await eventually(lambda: valkey_cluster.owner("c7", replica) is replica)
    for channel in CHANNELS:
        await eventually(lambda channel=channel: listening.hears(channel))
    assert listening.lost >= 2
    await eventually(valkey_cluster.is_whole)
