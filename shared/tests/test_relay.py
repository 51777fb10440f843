"""The relay publishes the outbox: every event once, in order, whatever the stream lost."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import URL

from shared.database.engine import Database
from shared.outbox.relay import Relay
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
