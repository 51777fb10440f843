"""The sweep finds what no process published, whichever replica dies, and asks Redis only for what is not confirmed."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import URL, text
from sqlalchemy.exc import OperationalError

from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.service.publication.sweep import COMPLETE_S, LEASE_KEY, MIN_LOOKBACK_MS, OVERLAP_MS, Sweeper
from rooms.storage import epochs
from shared.database.engine import Database
from shared.ids import new_id, now_ms
from shared.roomlog.frames import parse_publication
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import read_after
from shared.tasks import background
from shared.testing.fixtures import eventually, on_both_engines, on_each_database, subscription

from .conftest import RoomsDriver

A = new_id()
HOUR_MS = 3600 * 1000
SWEEP = "rooms.service.publication.sweep"


async def started(driver: RoomsDriver, *, pause_s: float = 3) -> RoomsDriver:
    """Start another process with the same database and Redis, without background tasks."""
    deps = driver.deps
    publisher = Publisher(deps.database, deps.redis, limit=1_000)
    await publisher.open()
    sweeper = Sweeper(deps.database, deps.redis, publisher, pause_s=pause_s)
    committer = Committer(deps.database, publisher, writers=1)
    return RoomsDriver(replace(deps, publisher=publisher, sweeper=sweeper, committer=committer), driver.auth)


async def lose_commit(driver: RoomsDriver, room: str) -> None:
    """Commit a message in a process that dies before it publishes it."""
    process = await started(driver)
    await process.execute(process.send(room, A))


async def published_room(driver: RoomsDriver) -> str:
    room = await driver.group(A)
    await driver.deps.publisher.drain()
    return room


async def stream_head(deps: Dependencies, room: str) -> int:
    return (await read_after(deps.redis, deps.publisher.epoch, {room: 10**9}))[room].head


async def has_head(deps: Dependencies, room: str, head: int) -> bool:
    return await stream_head(deps, room) == head


async def set_age(driver: RoomsDriver, room: str, age_ms: int) -> None:
    """Let the last change of a room look older, as if the clock of the replica that wrote it were behind."""
    async with driver.deps.database.write() as db:
        change = f"UPDATE room SET updated_at = updated_at - {age_ms} WHERE id = X'{room.replace('-', '')}'"
        await db.execute(text(change))


async def fail_over(redis: Redis) -> None:
    """Give the server another replication ID, as a replica that takes over has."""
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    await redis.execute_command("REPLICAOF", "NO", "ONE")


async def restore(redis: Redis, key: str, dump: bytes | None) -> None:
    await (redis.delete(key) if dump is None else redis.restore(key, 0, dump, replace=True))


async def compared(redis: Redis, sweeper: Sweeper) -> int:
    """Sweep, and return the number of streams that the sweep asked for."""
    await redis.config_resetstat()
    await sweeper.sweep()
    calls: int = (await redis.info("commandstats")).get("cmdstat_xinfo|stream", {"calls": 0})["calls"]
    return calls


async def test_a_sweep_compares_only_what_is_not_confirmed(
    manual_driver: RoomsDriver, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{SWEEP}.ROOMS_PER_CHECK", 0)
    sweeper = manual_driver.deps.sweeper
    rooms = [await published_room(manual_driver) for _ in range(5)]
    assert await compared(redis, sweeper) == 5
    assert await compared(redis, sweeper) == 0
    await manual_driver.execute(manual_driver.send(rooms[0], A))
    await manual_driver.deps.publisher.drain()
    assert await compared(redis, sweeper) == 0
    other = await started(manual_driver)
    await other.execute(other.send(rooms[1], A))
    await other.deps.publisher.drain()
    assert await compared(redis, sweeper) == 1
    assert await compared(redis, sweeper) == 0


@on_each_database
async def test_a_commit_of_a_process_that_died_is_found(manual_driver: RoomsDriver) -> None:
    deps = manual_driver.deps
    room = await published_room(manual_driver)
    await deps.sweeper.sweep()
    await lose_commit(manual_driver, room)
    await deps.sweeper.sweep()
    assert await has_head(deps, room, 2)


async def test_a_commit_with_a_late_timestamp_is_found(
    manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the overlap the next sweep finds it, and the next complete one up to the lookback."""
    deps = manual_driver.deps
    rooms = [await published_room(manual_driver) for _ in range(3)]
    await deps.sweeper.sweep()
    ages = (OVERLAP_MS - 10_000, MIN_LOOKBACK_MS - 10_000, MIN_LOOKBACK_MS + HOUR_MS)
    for room, age in zip(rooms, ages, strict=True):
        await lose_commit(manual_driver, room)
        await set_age(manual_driver, room, age)
    await deps.sweeper.sweep()
    assert [await stream_head(deps, room) for room in rooms] == [2, 1, 1]
    monkeypatch.setattr(f"{SWEEP}.COMPLETE_S", 0)
    await deps.sweeper.sweep()
    assert [await stream_head(deps, room) for room in rooms] == [2, 2, 1]
    assert COMPLETE_S <= 60


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
async def test_a_clock_that_steps(manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch, step_ms: int) -> None:
    """Commits from before and after the step are found, in the sweep after it and in the one after that."""
    deps = manual_driver.deps
    rooms = [await published_room(manual_driver) for _ in range(2)]
    await deps.sweeper.sweep()
    await lose_commit(manual_driver, rooms[0])
    monkeypatch.setattr(f"{SWEEP}.now_ms", lambda: now_ms() + step_ms)
    await deps.sweeper.sweep()
    assert await has_head(deps, rooms[0], 2)
    await lose_commit(manual_driver, rooms[1])
    await deps.sweeper.sweep()
    assert await has_head(deps, rooms[1], 2)


async def test_a_process_that_starts_with_a_clock_ahead(
    manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await published_room(manual_driver)
    await lose_commit(manual_driver, room)
    async with manual_driver.deps.database.write() as db:
        await db.execute(text(f"INSERT INTO sweep (id, began_at) VALUES (1, {10**15})"))
    monkeypatch.setattr(f"{SWEEP}.now_ms", lambda: 10**15)
    await manual_driver.deps.sweeper.sweep()
    assert await has_head(manual_driver.deps, room, 2)


@on_both_engines
async def test_an_emptied_redis_is_filled_by_the_next_sweep(manual_driver: RoomsDriver, redis: Redis) -> None:
    deps = manual_driver.deps
    rooms = [await published_room(manual_driver) for _ in range(3)]
    await deps.sweeper.sweep()
    await redis.flushall()
    await deps.sweeper.sweep()
    assert [await stream_head(deps, room) for room in rooms] == [1, 1, 1]


async def test_acknowledged_writes_that_a_failover_lost_are_published_again(
    manual_driver: RoomsDriver, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream of one room is shorter on the new primary. No other sign than the new primary shows it."""
    monkeypatch.setattr(f"{SWEEP}.ROOMS_PER_CHECK", 0)
    deps = manual_driver.deps
    room = await published_room(manual_driver)
    key = log_key(deps.publisher.epoch, room)
    old = await redis.dump(key)
    await manual_driver.execute(manual_driver.send(room, A))
    await deps.publisher.drain()
    await deps.sweeper.sweep()
    await restore(redis, key, old)
    await deps.sweeper.sweep()
    assert await has_head(deps, room, 1), "without a failover nothing is compared"
    await fail_over(redis)
    await deps.sweeper.sweep()
    assert await has_head(deps, room, 2)


async def test_confirmed_streams_are_compared_in_turn(
    manual_driver: RoomsDriver, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is compared after a while, even if nothing says that Redis lost data."""
    monkeypatch.setattr(f"{SWEEP}.ROOMS_PER_CHECK", 2)
    deps = manual_driver.deps
    rooms = [await published_room(manual_driver) for _ in range(5)]
    await deps.sweeper.sweep()
    await redis.delete(*(log_key(deps.publisher.epoch, room) for room in rooms[3:]))
    for _ in range(3):
        await deps.sweeper.sweep()
    assert [await stream_head(deps, room) for room in rooms] == [1] * 5


async def test_an_event_after_a_gap_is_not_confirmed(manual_driver: RoomsDriver) -> None:
    publisher = manual_driver.deps.publisher
    room = await published_room(manual_driver)
    await lose_commit(manual_driver, room)
    await manual_driver.execute(manual_driver.send(room, A))
    await publisher._publish_events(publisher._waiting)
    assert publisher.confirmed.select_unconfirmed({room: 3}) == {room: 3}
    await publisher.drain()
    assert publisher.confirmed.select_unconfirmed({room: 3}) == {}


async def test_one_replica_sweeps(manual_driver: RoomsDriver, redis: Redis) -> None:
    one, other = manual_driver, await started(manual_driver)
    room = await published_room(one)
    await one.deps.sweeper.run()
    await other.deps.sweeper.run()  # the sweep at the start
    other.deps.sweeper._due_at = 1
    await lose_commit(one, room)
    async with other.record_statements() as statements:
        await other.deps.sweeper.run()
    assert [statement for statement in statements if "updated_at" in statement] == []
    assert await has_head(one.deps, room, 1)
    one.deps.sweeper._due_at = 1
    await one.deps.sweeper.run()
    assert await has_head(one.deps, room, 2)


async def test_a_replica_without_the_lease_notices_a_new_epoch(manual_driver: RoomsDriver) -> None:
    holder, other = [await started(manual_driver) for _ in range(2)]
    await holder.deps.sweeper.run()
    await other.deps.sweeper.run()
    async with other.deps.database.write() as db:
        epoch = await epochs.renew_epoch(db)
    for due_at in (10**9, 1):
        other.deps.sweeper._due_at = due_at
        await other.deps.sweeper.run()
        assert (other.deps.publisher.epoch == epoch) is (due_at == 1)


async def test_another_replica_sweeps_less_than_a_pause_after_the_holder_died(
    manual_driver: RoomsDriver, redis: Redis
) -> None:
    pause_s = 60
    holder, other = [await started(manual_driver, pause_s=pause_s) for _ in range(2)]
    room = await published_room(holder)
    await holder.deps.sweeper.run()
    await other.deps.sweeper.run()
    assert 0 < await redis.pttl(LEASE_KEY) + other.deps.sweeper.tick_s * 1000 < pause_s * 1000
    await lose_commit(holder, room)
    await redis.delete(LEASE_KEY)  # as if it had expired
    await other.deps.sweeper.run()
    assert await has_head(other.deps, room, 2)


async def test_the_holder_renews_its_lease_between_sweeps(manual_driver: RoomsDriver, redis: Redis) -> None:
    sweeper = manual_driver.deps.sweeper
    await sweeper.run()
    await redis.pexpire(LEASE_KEY, 1_000)
    await sweeper.run()
    assert await redis.pttl(LEASE_KEY) > 1_000


async def test_a_replica_that_cannot_sweep_gives_the_lease_up(
    manual_driver: RoomsDriver, redis: Redis, tmp_path: Path
) -> None:
    deps = manual_driver.deps
    broken = Database(URL.create("sqlite", database=str(tmp_path / "broken.sqlite3")))
    sweeper = Sweeper(broken, deps.redis, Publisher(broken, deps.redis, limit=1), pause_s=3)
    with pytest.raises(OperationalError):
        await sweeper.run()
    await broken.close()
    assert not await redis.exists(LEASE_KEY)


async def test_a_paused_holder_that_returns_sweeps_at_the_same_time(manual_driver: RoomsDriver, redis: Redis) -> None:
    """Both publish the same events. Every reader gets each of them once, in order."""
    one, other = manual_driver, await started(manual_driver)
    room = await published_room(one)
    for process in (one, other):
        await process.deps.sweeper.sweep()
    for _ in range(20):
        await lose_commit(one, room)
    channel = live_channel(one.deps.publisher.epoch, room)
    async with subscription(redis, channel) as pubsub:
        await asyncio.gather(one.deps.sweeper.sweep(), other.deps.sweeper.sweep())
        received: list[int] = []
        while len(received) < 20:
            message = await pubsub.get_message(timeout=1)
            if message is not None and message["type"] == "smessage":
                batch = parse_publication(message["data"])
                received += range(batch.first, batch.last + 1)
    assert received == list(range(2, 22))
    assert await has_head(one.deps, room, 21)


async def test_sweepers_that_run_in_the_background_fill_a_lost_commit(manual_driver: RoomsDriver) -> None:
    processes = [await started(manual_driver, pause_s=0.1) for _ in range(3)]
    room = await published_room(manual_driver)
    sweepers = [process.deps.sweeper for process in processes]
    async with background("a", sweepers[0].run, pause=sweepers[0].tick_s):
        await eventually(lambda: has_head(manual_driver.deps, room, 1))
        await lose_commit(manual_driver, room)
        await eventually(lambda: has_head(manual_driver.deps, room, 2))
    await lose_commit(manual_driver, room)
    async with (
        background("b", sweepers[1].run, pause=sweepers[1].tick_s),
        background("c", sweepers[2].run, pause=sweepers[2].tick_s),
    ):
        await eventually(lambda: has_head(manual_driver.deps, room, 3))


@pytest.mark.parametrize("seed", range(12))
async def test_any_trace_of_faults_ends_with_complete_streams(
    manual_driver: RoomsDriver, redis: Redis, seed: int
) -> None:
    """After random commits, crashes, losses and sweeps of two processes, one more sweep of either completes all."""
    trace = Trace(manual_driver, redis, random.Random(seed))
    await trace.begin()
    for _ in range(25):
        await trace.step()
    await trace.processes[seed % 2].deps.sweeper.sweep()
    heads = {room: head for _, room, head in await manual_driver.rows("SELECT kind, id, head_version FROM room")}
    for room in trace.rooms:
        assert await stream_head(manual_driver.deps, room) == heads[bytes.fromhex(room.replace("-", ""))], trace.steps


class Trace:
    """Two processes, three rooms, and a server whose data can be set back to an earlier state."""

    def __init__(self, driver: RoomsDriver, redis: Redis, choose: random.Random) -> None:
        self._driver, self._redis, self._choose = driver, redis, choose
        self.processes: list[RoomsDriver] = []
        self.rooms: list[str] = []
        self.steps: list[str] = []
        self._saved: Sequence[bytes | None] = ()

    async def begin(self) -> None:
        self.processes = [await started(self._driver) for _ in range(2)]
        self.rooms = [await self._driver.group(A) for _ in range(3)]
        self._saved = [None] * 3

    async def step(self) -> None:
        number, room = self._choose.randrange(2), self._choose.choice(self.rooms)
        process = self.processes[number]
        kinds = ["commit"] * 5 + ["publish"] * 4 + ["sweep"] * 4 + ["crash", "flush", "delete", "save", "fail over"]
        kind = self._choose.choice(kinds)
        self.steps.append(f"{kind} {number} {self.rooms.index(room)}")
        keys = [log_key(process.deps.publisher.epoch, one) for one in self.rooms]
        match kind:
            case "commit":
                await process.execute(process.send(room, A))
            case "publish":
                await process.deps.publisher.drain()
            case "sweep":
                await process.deps.sweeper.sweep()
            case "crash":
                self.processes[number] = await started(self._driver)
            case "flush":
                await self._redis.flushall()
            case "delete":
                await self._redis.delete(keys[self.rooms.index(room)])
            case "save":
                self._saved = [await self._redis.dump(key) for key in keys]
            case "fail over":
                for key, saved in zip(keys, self._saved, strict=True):
                    await restore(self._redis, key, saved)
                await fail_over(self._redis)
