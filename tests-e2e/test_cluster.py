"""The stack on a Redis Cluster: a primary dies or hangs, all are emptied; nothing acknowledged is lost or doubled."""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from people import Person, signing_up
from stack import Stack
from target import LISTEN, start
from told import tell
from traffic import Scene
from waiting import eventually

from shared.testing.servers import Node, ValkeyCluster, valkey_cluster


@dataclass
class Clustered:
    stack: Stack
    cluster: ValkeyCluster


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    with (
        valkey_cluster(tmp_path_factory.mktemp("cluster"), LISTEN) as cluster,
        start(tmp_path_factory.mktemp("stack"), REDIS_ENDPOINT=",".join(cluster.endpoint)) as stack,
    ):
        yield Clustered(stack, cluster)


@dataclass
class Scenes:
    """Two rooms on two primaries: `hot` is on the one that is to break."""

    primary: Node
    hot: Scene
    other: Scene

    async def more_acked(self) -> None:
        await self.hot.more_acked()
        await self.other.more_acked()

    async def finish(self, what: str, since: float) -> None:
        await self.hot.finish()
        await self.other.finish()
        for where, scene in (("there", self.hot), ("on another primary", self.other)):
            until, latest = scene.lateness(since)
            tell(f"{what}: a room {where} is normal again after {until:.1f} s, its messages came {latest:.1f} s late")


@pytest.fixture
async def scenes(clustered: Clustered) -> AsyncIterator[Scenes]:
    await eventually(clustered.cluster.is_whole)
    followed = [node.port for node in clustered.cluster.primaries() if has_replica(node)]  # one may be dead for good
    async with signing_up(clustered.stack.url) as sign_someone_up:
        pairs: dict[int, tuple[Person, Person, str]] = {}
        while len(pairs) < 2 or not pairs.keys() & set(followed):
            ana, ben = await sign_someone_up("ana"), await sign_someone_up("ben")
            room_id = await ana.direct(ben)
            pairs[owner(clustered, room_id).port] = ana, ben, room_id
        breaking = next(port for port in pairs if port in followed)
        hot = Scene(*pairs.pop(breaking))
        other = Scene(*pairs.popitem()[1])
        yield Scenes(owner(clustered, hot.room_id), hot, other)
        await hot.stop()
        await other.stop()


def has_replica(node: Node) -> bool:
    return int(node.info("replication")["connected_slaves"]) > 0


def owner(clustered: Clustered, room_id: str, witness: Node | None = None) -> Node:
    return clustered.cluster.owner(f"{{{room_id}}}", witness)


async def test_a_primary_hangs_until_its_replica_took_over(clustered: Clustered, scenes: Scenes):
    await scenes.more_acked()
    os.kill(scenes.primary.process.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        witness = next(node for node in clustered.cluster.living() if node is not scenes.primary)
        await eventually(lambda: owner(clustered, scenes.hot.room_id, witness) is not scenes.primary, 30)
        await scenes.more_acked()
    finally:
        os.kill(scenes.primary.process.pid, signal.SIGCONT)
    await scenes.more_acked()
    await scenes.finish("a primary hung", stopped)


async def test_every_primary_is_emptied(clustered: Clustered, scenes: Scenes):
    for _ in range(3):
        await scenes.more_acked()
        for node in clustered.cluster.primaries():
            node.ask("FLUSHALL")
        flushed = time.monotonic()
    await scenes.more_acked()
    await scenes.finish("the cluster was emptied", flushed)


async def test_a_primary_dies(clustered: Clustered, scenes: Scenes):
    await scenes.more_acked()
    scenes.primary.kill()
    killed = time.monotonic()
    await eventually(lambda: owner(clustered, scenes.hot.room_id) is not scenes.primary, 30)
    tell(f"a replica took over after {time.monotonic() - killed:.1f} s")
    await scenes.more_acked()
    await scenes.finish("a primary was killed", killed)
