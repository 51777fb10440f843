"""Committed changes reach the streams and channels, whatever fails on the way."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from rooms.operator_commands import new_epoch
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.committer import Committer
from rooms.service.publication.publisher import Publisher
from rooms.service.publication.sweep import MIN_LOOKBACK_MS
from rooms.service.trimming import trim
from rooms.settings import RoomsSettings
from rooms.storage import epochs
from shared.events.rooms import MessageCreated, RoomEvent
from shared.ids import new_id
from shared.metrics import REGISTRY
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import decode_frame, parse_publication, split_frames
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import KEPT_ENTRIES, read_after
from shared.streams.names import user_channel
from shared.streams.notifications import UserChanged
from shared.tasks import background
from shared.testing.fixtures import eventually, on_both_engines, on_each_database, subscription

from .conftest import OpenProcess, RoomsDriver

A, B, C = (new_id() for _ in range(3))


async def streamed(driver: RoomsDriver, room: str, after: int = 0) -> list[RoomEvent]:
    """Return the events after a version, as read from the stream."""
    publisher = driver.deps.publisher
    since = (await read_after(driver.deps.redis, publisher.epoch, {room: after}))[room]
    return [decode_frame(frame) for frame in since.frames]


async def stream_head(driver: RoomsDriver, room: str) -> int:
    return (await read_after(driver.deps.redis, driver.deps.publisher.epoch, {room: 10**9}))[room].head


@asynccontextmanager
async def listening(redis: Redis, channel: str) -> AsyncIterator[list[bytes]]:
    received: list[bytes] = []
    async with subscription(redis, channel) as pubsub:

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "smessage":
                    received.append(message["data"])  # noqa: PERF401 - the test reads the list meanwhile

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        yield received
        task.cancel()


@on_both_engines
async def test_events_are_published_in_order_with_the_senders_client_id(driver: RoomsDriver, redis: Redis) -> None:
    room = await driver.group(A, B)
    await eventually(lambda: stream_ends_at(driver, room, 2))
    async with listening(redis, live_channel(driver.deps.publisher.epoch, room)) as received:
        message = driver.send(room, A, "hi")
        await driver.execute(message, driver.react(room, B, 1), driver.leave(room, B), driver.send(room, A))
        await eventually(lambda: len(received) >= 3)
    batches = [parse_publication(one) for one in received]
    assert [(batch.first, batch.last, batch.flags) for batch in batches] == [(3, 4, b"-"), (5, 5, b"m"), (6, 6, b"-")]
    events = [decode_frame(frame) for batch in batches for frame in split_frames(batch.data)]
    assert isinstance(events[0], MessageCreated)
    assert events[0].client_id == message.client_id
    assert [event.version for event in await streamed(driver, room)] == [1, 2, 3, 4, 5, 6]


@on_both_engines
async def test_read_cursors_and_notifications_are_published(driver: RoomsDriver, redis: Redis) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, A), driver.send(room, A))
    await eventually(lambda: stream_ends_at(driver, room, 4))
    epoch = driver.deps.publisher.epoch
    async with (
        listening(redis, live_channel(epoch, room)) as received,
        listening(redis, user_channel(B)) as notifications,
    ):
        await driver.execute(
            driver.read(room, B, 1), driver.read(room, B, 2), driver.read(room, B, 1), driver.mute(room, B)
        )
        await eventually(lambda: received and notifications)
    live = parse_publication(received[-1])
    assert (live.first, live.last, live.flags, msgspec.json.decode(live.data)) == (0, 0, b"r", {B: 2})
    assert msgspec.json.decode(notifications[-1], type=UserChanged) == UserChanged("rooms", 2)


async def test_deleted_text_is_removed_from_redis(driver: RoomsDriver, redis: Redis) -> None:
    room = await driver.group(A)
    await driver.execute(driver.send(room, A, "very secret"))
    await eventually(lambda: redis.exists(log_key(driver.deps.publisher.epoch, room)))
    await driver.execute(driver.delete(room, A, 1))
    await eventually(lambda: stream_ends_at(driver, room, 3))
    entries = await redis.xrange(log_key(driver.deps.publisher.epoch, room))
    assert len(entries) == 1
    assert b"secret" not in b"".join(entries[0][1].values())


async def stream_ends_at(driver: RoomsDriver, room: str, version: int) -> bool:
    return await stream_head(driver, room) == version


async def test_two_processes_fill_each_others_gaps(manual_driver: RoomsDriver, second_process: OpenProcess) -> None:
    room = await manual_driver.group(A)
    await manual_driver.execute(manual_driver.send(room, A))
    async with second_process() as other:
        await other.execute(*(other.send(room, A) for _ in range(3)))
        await eventually(lambda: stream_ends_at(manual_driver, room, 5))
    # The stream starts with the events of the other process, so older events of this process are skipped.
    await manual_driver.deps.publisher.drain()
    assert [event.version for event in await streamed(manual_driver, room, 2)] == [3, 4, 5]


async def test_a_gap_is_filled_from_the_database(manual_driver: RoomsDriver, second_process: OpenProcess) -> None:
    room = await manual_driver.group(A)
    await manual_driver.deps.publisher.drain()
    # Not published, as if the process died here.
    await manual_driver.execute(*(manual_driver.send(room, A) for _ in range(3)))
    async with second_process() as other:
        await other.execute(other.send(room, A))
        await eventually(lambda: stream_ends_at(manual_driver, room, 5))
    assert await streamed(manual_driver, room) == await manual_driver.events(room)


@on_each_database
async def test_the_sweep_publishes_missed_events(manual_driver: RoomsDriver, redis: Redis) -> None:
    deps = manual_driver.deps
    room, other, idle = [await manual_driver.group(A) for _ in range(3)]
    await deps.publisher.drain()
    await manual_driver.execute(manual_driver.send(room, A))
    deps.publisher._waiting.clear()
    await redis.delete(log_key(deps.publisher.epoch, other), log_key(deps.publisher.epoch, idle))
    async with deps.database.write() as db:
        longer_ago = f"UPDATE room SET updated_at = updated_at - {MIN_LOOKBACK_MS}"
        await db.execute(text(f"{longer_ago} WHERE id = X'{idle.replace('-', '')}'"))
        await epochs.set_last_sweep(db, 10**15)
    await deps.sweeper.sweep()
    assert [await stream_head(manual_driver, one) for one in (room, other, idle)] == [2, 1, -1]
    async with deps.database.write() as db:
        await db.execute(text("UPDATE sweep SET began_at = 1"))
    await deps.sweeper.sweep(complete=True)
    assert await stream_head(manual_driver, idle) == 1
    async with deps.database.read() as db:
        assert await epochs.get_last_sweep(db) > 1


@on_each_database
async def test_a_sweep_over_several_pages(manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.publication.sweep.ROOMS_PER_PAGE", 3)
    rooms = [await manual_driver.group(A) for _ in range(7)]
    async with manual_driver.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = 7"))
    manual_driver.deps.publisher._waiting.clear()
    await manual_driver.deps.sweeper.sweep()
    assert {await stream_head(manual_driver, room) for room in rooms} == {1}


@on_both_engines
async def test_a_flushed_redis_is_filled_with_the_newest_events(manual_driver: RoomsDriver, redis: Redis) -> None:
    room = await manual_driver.group(A)
    for _ in range(4):
        await manual_driver.execute(*(manual_driver.send(room, A) for _ in range(256)))
    await manual_driver.deps.publisher.drain()
    await redis.flushall()
    await manual_driver.deps.sweeper.sweep()
    assert await stream_head(manual_driver, room) == 1025
    found = await streamed(manual_driver, room, 1025 - KEPT_ENTRIES)
    assert [event.version for event in found] == list(range(1026 - KEPT_ENTRIES, 1026))


@on_each_database
async def test_a_stream_whose_next_events_are_trimmed_is_restarted(manual_driver: RoomsDriver) -> None:
    room = await manual_driver.group(A)
    await manual_driver.deps.publisher.drain()
    await manual_driver.execute(*(manual_driver.send(room, A) for _ in range(6)))
    manual_driver.deps.publisher._waiting.clear()
    async with manual_driver.deps.database.write() as db:
        await db.execute(text("DELETE FROM room_event WHERE version < 4"))
    await manual_driver.deps.sweeper.sweep()
    assert [event.version for event in await streamed(manual_driver, room, 3)] == [4, 5, 6, 7]


async def test_publishing_resumes_after_a_redis_outage(manual_driver: RoomsDriver) -> None:
    deps = manual_driver.deps
    room = await manual_driver.group(A)
    publisher = Publisher(deps.database, Redis(host="127.0.0.1", port=1), limit=3)
    await publisher.open()
    deps.publisher._waiting, waiting = [], deps.publisher._waiting
    for committed in waiting:
        publisher.add(committed)
    with pytest.raises(REDIS_DOWN):
        await publisher.run()
    publisher._redis = deps.redis
    async with background("publisher", publisher.run, pause=0):
        await eventually(lambda: stream_ends_at(manual_driver, room, 1))


async def test_a_full_queue_is_repaired_from_the_database(manual_driver: RoomsDriver) -> None:
    deps = manual_driver.deps
    room = await manual_driver.group(A)
    small = Publisher(deps.database, deps.redis, limit=2)
    await small.open()
    manual_driver.deps = dependencies_with(deps, small)
    for _ in range(5):
        await manual_driver.execute(manual_driver.send(room, A))
    assert small._size == 2
    await small.drain()
    assert await streamed(manual_driver, room, 1) == await manual_driver.events(room, 1)


def dependencies_with(deps: Dependencies, publisher: Publisher) -> Dependencies:
    committer = Committer(deps.database, publisher, writers=1)
    return replace(deps, publisher=publisher, committer=committer)


@on_each_database
async def test_a_new_epoch(manual_driver: RoomsDriver, second_process: OpenProcess) -> None:
    room = await manual_driver.group(A)
    async with second_process() as other:
        await other.execute(other.send(room, A))
        old = other.deps.publisher.epoch
        await eventually(lambda: stream_ends_at(other, room, 2))
        async with manual_driver.deps.database.write() as db:
            new = await epochs.renew_epoch(db)
        await other.execute(other.send(room, A))
        await eventually(lambda: other.deps.publisher.epoch == new)
        await eventually(lambda: stream_ends_at(other, room, 3))
        since = (await read_after(other.deps.redis, old, {room: 2}))[room]
        assert since.head == 2
    # This process still publishes under the old epoch, which nobody reads, until its next batch or sweep.
    await manual_driver.deps.publisher.drain()
    await manual_driver.deps.sweeper.sweep()
    assert manual_driver.deps.publisher.epoch == new
    assert await stream_head(manual_driver, room) == 3


@on_both_engines
async def test_many_rooms_at_once(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A) for _ in range(20)]
    await asyncio.gather(*(driver.execute(*(driver.send(room, A) for room in rooms)) for _ in range(10)))
    for room in rooms:
        await eventually(lambda room=room: stream_ends_at(driver, room, 11))
        assert await streamed(driver, room) == await driver.events(room)


@on_each_database
async def test_the_new_epoch_command(manual_driver: RoomsDriver, settings: RoomsSettings) -> None:
    before = manual_driver.deps.publisher.epoch
    renewed = await asyncio.to_thread(new_epoch, settings)
    await manual_driver.deps.sweeper.sweep()
    assert manual_driver.deps.publisher.epoch == renewed != before


@on_each_database
async def test_trimming_runs_in_slices(manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.trimming.EVENTS_PER_TRIM", 4)
    room, other = await manual_driver.group(A), await manual_driver.group(A)
    await manual_driver.execute(*(manual_driver.send(one, A) for _ in range(9) for one in (room, other)))
    async with manual_driver.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 5 WHERE version <= 7"))
    await trim(manual_driver.deps)
    remaining = await manual_driver.rows("SELECT version, COUNT(*) FROM room_event GROUP BY version")
    assert remaining == [(8, 2), (9, 2), (10, 2)]


async def test_only_sampled_commands_are_traced(driver: RoomsDriver, redis: Redis, spans: list[dict[str, Any]]) -> None:
    room = await driver.group(A, B)
    await eventually(lambda: streamed(driver, room, 1))
    traced = f"00-{'a' * 32}-{'b' * 16}-01"
    messages = [driver.send(room, A, str(number)) for number in range(5)]
    messages[2].traceparent = traced
    messages[3].traceparent = traced.replace("-01", "-00")
    async with listening(redis, live_channel(driver.deps.publisher.epoch, room)) as received:
        await driver.execute(*messages)
        duplicate = driver.send(room, A, "2", client_id=messages[2].client_id, traceparent=traced)
        await driver.execute(duplicate)  # is not published
        await eventually(lambda: len(received) == 3)
    lives = [parse_publication(message) for message in received]
    assert [(live.first, live.last, live.flags) for live in lives] == [(3, 4, b"-"), (5, 5, b"-"), (6, 7, b"-")]
    assert [message.partition(b"\n")[0] for message in received[::2]] == [b"3 4 -", b"6 7 -"]
    [published] = [line for line in spans if line["event.action"] == "publish"]
    commit, _ = [line for line in spans if line["event.action"] == "commit"]
    assert (commit["parent.id"], commit["webchat.batch"], commit["webchat.room"]) == ("b" * 16, 5, room)
    assert published["parent.id"] == commit["span.id"]
    assert lives[1].traceparent == f"00-{'a' * 32}-{published['span.id']}-01"
    assert [len(await streamed(driver, room, after)) for after in (2, 4)] == [5, 3]


async def test_rooms_under_repair_count_as_lagging(manual_driver: RoomsDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert needs the figure to stay while a repair waits for Redis."""
    publisher = manual_driver.deps.publisher
    room = await manual_driver.group(A)
    await publisher.drain()
    seen: list[float | None] = []
    catch_up = publisher.catch_up

    async def observed(room_ids: Collection[str]) -> None:
        seen.append(REGISTRY.get_sample_value("webchat_publish_behind_rooms"))
        await catch_up(room_ids)

    monkeypatch.setattr(publisher, "catch_up", observed)
    publisher.repair({room})
    await publisher.run()
    assert (seen, REGISTRY.get_sample_value("webchat_publish_behind_rooms")) == ([1], 0)
