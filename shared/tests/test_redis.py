"""The Redis client with one server and a cluster: scripts, moving slots, failover, hanging nodes."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.redis.client import (
    REDIS_DOWN,
    AnyRedis,
    Script,
    check_redis,
    close_redis,
    empty_redis,
    identify_primaries,
    redis_at,
    shard_of,
)
from shared.redis.lease import Lease
from shared.testing.fixtures import eventually, on_both_engines
from shared.testing.servers import ValkeyCluster, free_port, valkey

in_a_cluster = pytest.mark.parametrize("redis_endpoint", ["cluster"], indirect=True)


@pytest.fixture
def add(tmp_path: Path) -> Script:
    path = tmp_path / "add.lua"
    path.write_text("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    return Script(path)


@on_both_engines
async def test_an_unknown_script_is_sent_to_the_server(redis: AnyRedis, add: Script) -> None:
    keys = [f"n{number}" for number in range(12)]
    assert await add.run_all(redis, [([key], [2]) for key in keys]) == [2] * 12
    await redis.script_flush()
    assert await add(redis, ["n3"], 1) == 3
    assert await add.run_all(redis, [([key], [2]) for key in keys]) == [4, 4, 4, 5] + [4] * 8


@on_both_engines
async def test_an_error_of_a_script_is_raised(redis: AnyRedis, add: Script) -> None:
    await redis.set("word", "x")
    with pytest.raises(ResponseError, match="not an integer"):
        await add.run_all(redis, [(["n"], [1]), (["word"], [1])])
    assert await redis.get("n") == b"1"


@on_both_engines
async def test_concurrent_calls_get_their_own_answers(redis: AnyRedis, redis_endpoint: list[str], add: Script) -> None:
    """There are more calls than connections, so some wait for one."""
    slow = redis_at(redis_endpoint, timeout_s=60)
    keys = [f"n{number}" for number in range(100)]
    assert await asyncio.gather(*(add(slow, [key], number) for number, key in enumerate(keys))) == list(range(100))
    await close_redis(slow)


@in_a_cluster
async def test_one_node_named_twice_is_enough_to_find_the_cluster(
    redis: AnyRedis, redis_endpoint: list[str], add: Script
) -> None:
    by_one_name = redis_at(redis_endpoint[3:4] * 2)
    assert await add.run_all(by_one_name, [([f"n{number}"], [1]) for number in range(12)]) == [1] * 12
    await check_redis(by_one_name)
    await close_redis(by_one_name)


async def test_an_unreachable_redis_fails_the_check() -> None:
    for count in (1, 3):
        redis = redis_at([f"127.0.0.1:{free_port()}" for _ in range(count)])
        with pytest.raises(REDIS_DOWN):
            await check_redis(redis)
        await close_redis(redis)


@in_a_cluster
async def test_calls_time_out_while_all_nodes_hang(redis: AnyRedis, valkey_cluster: ValkeyCluster, add: Script) -> None:
    """The calls share one discovery, and give up before it has asked all nodes."""
    quick = redis_at(valkey_cluster.endpoint, timeout_s=0.25)
    await add(quick, ["n"], 1)
    for node in valkey_cluster.nodes:
        os.kill(node.process.pid, signal.SIGSTOP)
    try:
        calls = [*(add(quick, [f"n{number}"], 1) for number in range(40)), *(quick.get("n") for _ in range(40))]
        asking = asyncio.gather(*calls, return_exceptions=True)
        discoveries = set()
        while not asking.done():
            discoveries.add(
                sum(task.get_coro().__qualname__ == "RedisCluster.initialize" for task in asyncio.all_tasks())
            )
            await asyncio.sleep(0.01)
        answers = asking.result()
    finally:
        for node in valkey_cluster.nodes:
            os.kill(node.process.pid, signal.SIGCONT)
    assert [answer for answer in answers if not isinstance(answer, REDIS_DOWN)] == []
    assert "the nodes of the cluster do not answer" in set(map(str, answers))
    assert max(discoveries) == 1
    await eventually(valkey_cluster.is_whole, 30)
    await eventually(partial(answers_again, quick, add))
    await close_redis(quick)


async def answers_again(redis: AnyRedis, add: Script) -> bool:
    try:
        return bool(await add(redis, ["n"], 1))
    except REDIS_DOWN:
        return False


@in_a_cluster
async def test_a_slot_moves_during_use(redis: AnyRedis, valkey_cluster: ValkeyCluster, add: Script) -> None:
    await add(redis, ["{moving}:a"], 1)
    source, target = valkey_cluster.begin_move("{moving}:a")
    assert await add(redis, ["{moving}:a"], 1) == 2
    assert await redis.set("{moving}:b", "at the other") is True  # by ASK
    assert await redis.get("{moving}:b") == b"at the other"
    valkey_cluster.end_move("{moving}:a", source, target)
    assert await add.run_all(redis, [(["{moving}:a"], [1]), (["elsewhere"], [1])]) == [3, 1]  # by MOVED
    assert (await shard_of(redis, "{moving}:a"))[1] == target.port


@in_a_cluster
async def test_a_replica_takes_over(redis: AnyRedis, valkey_cluster: ValkeyCluster, add: Script) -> None:
    await add(redis, ["taken"], 1)
    old = valkey_cluster.owner("taken")
    before = await identify_primaries(redis)
    replica = valkey_cluster.replica_of(old)
    replica.ask("CLUSTER", "FAILOVER")
    for number in range(2, 200):
        assert await add(redis, ["taken"], 1) == number
        await asyncio.sleep(0.01)
        if (await shard_of(redis, "taken"))[1] == replica.port:
            break
    await eventually(valkey_cluster.is_whole)
    assert valkey_cluster.owner("taken") is replica
    assert await add(redis, ["taken"], 1) == number + 1
    after = await identify_primaries(redis)
    assert len(after.ids) == len(before.ids) == 3
    assert len(after.ids & before.ids) == 2


@on_both_engines
async def test_primaries_are_the_same_until_their_data_may_differ(redis: AnyRedis) -> None:
    first = await identify_primaries(redis)
    await redis.set("a", "b")
    await redis.flushall()
    second = await identify_primaries(redis)
    assert first.ids == second.ids
    assert abs(second.time_ms - time.time() * 1000) < 60_000
    assert first.time_ms <= second.time_ms


async def test_a_restarted_server_is_another_primary(tmp_path: Path) -> None:
    with valkey(tmp_path) as port:
        redis = redis_at([f"127.0.0.1:{port}"])
        first = await identify_primaries(redis)
        await close_redis(redis)
    with valkey(tmp_path) as port:
        redis = redis_at([f"127.0.0.1:{port}"])
        assert (await identify_primaries(redis)).ids.isdisjoint(first.ids)
        await close_redis(redis)


@on_both_engines
async def test_a_lease_has_one_holder(redis: AnyRedis) -> None:
    one, other = (Lease(redis, "lease", duration_s=60) for _ in range(2))
    assert [await one.hold(), await other.hold(), await one.hold()] == [True, False, True]
    assert 59_000 < await redis.pttl("lease") <= 60_000
    await other.release()
    assert not await other.hold()
    await one.release()
    assert await other.hold()


async def test_a_lease_expires(redis: AnyRedis) -> None:
    assert await Lease(redis, "lease", duration_s=0.02).hold()
    other = Lease(redis, "lease", duration_s=60)
    await eventually(other.hold)


@on_both_engines
async def test_emptying_redis(redis: AnyRedis) -> None:
    for number in range(12):
        await redis.set(f"n{number}", number)
    await empty_redis(redis)
    assert [await redis.get(f"n{number}") for number in range(12)] == [None] * 12


async def test_arguments_of_every_kind_reach_the_server(redis: Redis) -> None:
    """redis-py packs what hiredis cannot."""
    arguments = ["text", "가", b"\x00\r\n", "", 0, -7, 1.5, 2**70, bytearray(b"bytes"), memoryview(b"view")]
    sent = [b"text", "가".encode(), b"\x00\r\n", b"", b"0", b"-7", b"1.5", b"%d" % 2**70, b"bytes", b"view"]
    for argument, expected in zip(arguments, sent, strict=True):
        assert await redis.execute_command("ECHO", argument) == expected
    assert await redis.execute_command("CONFIG GET", "port")
