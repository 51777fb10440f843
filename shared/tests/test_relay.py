"""The relay publishes the outbox: every event once, in order, whatever the stream lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import URL, insert, select, update

from shared.database.engine import Database
from shared.ids import now_ms
from shared.outbox.relay import POLL_S, Relay
from shared.outbox.table import outbox, record_events
from shared.redis.client import AnyRedis
from shared.streams.names import service_stream
from shared.tasks import background
from shared.testing.fixtures import eventually, on_both_engines

pytestmark = on_both_engines
STREAM = service_stream("auth")


class Happened(msgspec.Struct, tag="happened", tag_field="topic"):
    number: int


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(URL.create("sqlite", database=str(tmp_path / "x.sqlite3")), pool_size=3)
    async with database.write() as db:
        await db.run_sync(outbox.create)
    yield database
    await database.close()


async def record(database: Database, *numbers: int) -> None:
    async with database.write() as db:
        await record_events(db, *map(Happened, numbers))


async def published(redis: AnyRedis) -> list[tuple[int, int]]:
    """Return position and number of each entry."""
    entries = await redis.xrange(STREAM)
    return [(int(id_.split(b"-")[0]), msgspec.json.decode(fields[b"payload"])["number"]) for id_, fields in entries]


async def test_several_relays_publish_each_event_once_in_order(database: Database, redis: AnyRedis) -> None:
    relays = [Relay(database, redis, "auth") for _ in range(3)]
    everything = [(number, number) for number in range(1, 61)]

    async def complete() -> bool:
        return len(await published(redis)) >= len(everything)

    async with AsyncExitStack() as stack:
        for relay in relays:
            await stack.enter_async_context(background("relay", relay.run, pause=0))
        for number, _ in everything:
            await record(database, number)
            for relay in relays:
                relay.wake()
        await eventually(complete)
    assert await published(redis) == everything


async def test_a_stream_that_lost_entries_is_refilled(database: Database, redis: AnyRedis) -> None:
    relay = Relay(database, redis, "auth")
    await record(database, 1, 2, 3)
    await relay.run()
    await redis.delete(STREAM)
    await redis.xadd(STREAM, {"topic": "happened", "payload": b'{"topic":"happened","number":1}'}, id="1-0")
    await record(database, 4)
    await relay.run()
    assert await published(redis) == [(1, 1), (2, 2), (3, 3), (4, 4)]


async def test_nothing_is_appended_if_the_head_changed(database: Database, redis: AnyRedis) -> None:
    """The stream loses entries between the read of its head and the append, which would leave a gap."""
    relay = Relay(database, redis, "auth")
    await record(database, 1, 2)
    await relay.run()
    await record(database, 3)
    read_head = relay._stream_head

    async def then_lose_entries() -> int:
        head = await read_head()
        await redis.delete(STREAM)
        return head

    relay._stream_head = then_lose_entries  # type: ignore[method-assign]
    await relay.run()
    assert await published(redis) == []
    relay._stream_head = read_head  # type: ignore[method-assign]
    await relay.run()
    assert await published(redis) == [(1, 1), (2, 2), (3, 3)]


async def rows(database: Database) -> list[tuple[int, int]]:
    """Return position and time of each row."""
    async with database.read() as db:
        return [tuple(row) for row in await db.execute(select(outbox.c.position, outbox.c.created_at))]


async def test_a_run_publishes_at_most_a_batch(database: Database, redis: AnyRedis) -> None:
    relay = Relay(database, redis, "auth")
    await record(database, *range(501))
    await relay.run()
    assert len(await published(redis)) == 500
    await relay.run()
    assert await published(redis) == [(number + 1, number) for number in range(501)]


async def test_without_events_a_run_waits_until_it_is_woken(database: Database, redis: AnyRedis) -> None:
    relay = Relay(database, redis, "auth")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(relay.run())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(running), 0.05)
        relay.wake()
        started = asyncio.get_running_loop().time()
        await running
    assert asyncio.get_running_loop().time() - started < 0.9  # it did not wait for the poll
    assert POLL_S == 1


async def test_published_rows_are_deleted_after_a_week_except_the_newest(database: Database, redis: AnyRedis) -> None:
    week, minute = 7 * 24 * 3600 * 1000, 60_000
    await record(database, *range(1, 7))
    relay = Relay(database, redis, "auth")
    await relay.run()
    ages = [week + minute, 2 * week, week - minute, 0, week + minute, week + minute]
    now = now_ms()
    async with database.write() as db:
        for position, age in enumerate(ages, 1):
            await db.execute(update(outbox).where(outbox.c.position == position).values(created_at=now - age))
        await db.execute(insert(outbox).values(topic="happened", payload=b"{}", created_at=now - 2 * week))
    await relay._trim()
    assert len(await rows(database)) == 7  # once an hour is enough
    await Relay(database, redis, "auth")._trim()
    assert [position for position, _ in await rows(database)] == [3, 4, 6, None]


async def test_a_run_that_published_something_does_not_wait(
    database: Database, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.relay.POLL_S", 3600)
    relay = Relay(database, redis, "auth")
    await record(database, 1, 2)
    async with asyncio.timeout(30):
        await relay.run()
        await redis.delete(STREAM)
        await relay.run()  # nothing is new, but the stream is refilled
    assert await published(redis) == [(1, 1), (2, 2)]


async def test_rows_are_kept_for_a_week_and_deleted_once_an_hour(
    database: Database, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    week, hour = 7 * 24 * 3600 * 1000, 3600 * 1000
    clock = 2**40 - 1
    monkeypatch.setattr("shared.outbox.relay.now_ms", lambda: clock)
    relay = Relay(database, redis, "auth")
    await record(database, *range(1, 5))
    await relay.run()
    clock += hour
    async with database.write() as db:
        for position, age in enumerate((2 * week, week + 1, week, 0), 1):
            await db.execute(update(outbox).where(outbox.c.position == position).values(created_at=clock - age))
    clock -= 1
    await relay._trim()
    assert [position for position, _ in await rows(database)] == [1, 2, 3, 4]
    clock += 1
    await relay._trim()
    assert [position for position, _ in await rows(database)] == [3, 4]


async def test_the_stream_loses_what_the_outbox_lost(database: Database, redis: AnyRedis) -> None:
    """Redis keeps a few more, because it trims whole nodes."""
    await record(database, *range(1, 151))
    relay = Relay(database, redis, "auth")
    await relay.run()
    assert len(await published(redis)) == 150
    async with database.write() as db:
        await db.execute(update(outbox).where(outbox.c.position <= 120).values(created_at=0))
    await Relay(database, redis, "auth")._trim()
    assert 50 < (await published(redis))[0][0] <= 121


async def test_an_empty_outbox_is_not_trimmed(database: Database, redis: AnyRedis) -> None:
    await redis.xadd(STREAM, {"topic": "happened", "payload": b'{"number":1}'}, id="1-0")
    await Relay(database, redis, "auth")._trim()
    assert await published(redis) == [(1, 1)]
