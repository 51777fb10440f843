"""What is committed reaches the streams and channels, whatever fails on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from rooms.operator_commands import new_epoch
from rooms.service.committing import Committer
from rooms.service.publisher import Publisher
from rooms.service.sweep import REACH_MS, sweep, trim
from rooms.storage import epochs
from shared.events.rooms import MessageCreated, RoomEvent
from shared.ids import new_id
from shared.redis.client import REDIS_DOWN
from shared.roomlog.frames import decode_frame, parse_live, split_frames
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import KEPT_ENTRIES, read_since
from shared.streams.names import user_channel
from shared.streams.notifications import UserChanged
from shared.tasks import background
from shared.testing.fixtures import eventually, on_both_engines, on_each_database, subscription

A, B, C = (new_id() for _ in range(3))


async def streamed(house: Any, room: str, after: int = 0) -> list[RoomEvent]:
    """What a reader of the stream after a version gets."""
    publisher = house.deps.publisher
    since = (await read_since(house.deps.redis, publisher.epoch, {room: after}))[room]
    return [decode_frame(frame) for frame in since.frames]


async def tip(house: Any, room: str) -> int:
    return (await read_since(house.deps.redis, house.deps.publisher.epoch, {room: 10**9}))[room].tip


@asynccontextmanager
async def listening(redis: Redis, channel: str) -> AsyncIterator[list[bytes]]:
    heard: list[bytes] = []
    async with subscription(redis, channel) as pubsub:

        async def listen() -> None:
            async for message in pubsub.listen():
                if message["type"] == "smessage":
                    heard.append(message["data"])  # noqa: PERF401 - as it comes

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        yield heard
        task.cancel()


@on_both_engines
async def test_events_are_published_in_order_with_the_senders_client_id(house: Any, redis: Redis) -> None:
    room = await house.group(A, B)
    await eventually(lambda: tip_is(house, room, 2))
    async with listening(redis, live_channel(house.deps.publisher.epoch, room)) as heard:
        message = house.say(room, A, "hi")
        await house.do(message, house.react(room, B, 1), house.leave(room, B), house.say(room, A))
        await eventually(lambda: len(heard) >= 3)
    runs = [parse_live(one) for one in heard]
    assert [(run.first, run.last, run.flags) for run in runs] == [(3, 4, b"-"), (5, 5, b"m"), (6, 6, b"-")]
    events = [decode_frame(frame) for run in runs for frame in split_frames(run.data)]
    assert isinstance(events[0], MessageCreated)
    assert events[0].client_id == message.client_id
    assert [event.version for event in await streamed(house, room)] == [1, 2, 3, 4, 5, 6]


@on_both_engines
async def test_cursors_and_hints(house: Any, redis: Redis) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A), house.say(room, A))
    await eventually(lambda: tip_is(house, room, 4))
    epoch = house.deps.publisher.epoch
    async with listening(redis, live_channel(epoch, room)) as heard, listening(redis, user_channel(B)) as hints:
        await house.do(house.read(room, B, 1), house.read(room, B, 2), house.read(room, B, 1), house.mute(room, B))
        await eventually(lambda: heard and hints)
    live = parse_live(heard[-1])
    assert (live.first, live.last, live.flags, msgspec.json.decode(live.data)) == (0, 0, b"r", {B: 2})
    assert msgspec.json.decode(hints[-1], type=UserChanged) == UserChanged("rooms", 2)


async def test_deleted_text_leaves_redis(house: Any, redis: Redis) -> None:
    room = await house.group(A)
    await house.do(house.say(room, A, "very secret"))
    await eventually(lambda: redis.exists(log_key(house.deps.publisher.epoch, room)))
    await house.do(house.delete(room, A, 1))
    await eventually(lambda: tip_is(house, room, 3))
    entries = await redis.xrange(log_key(house.deps.publisher.epoch, room))
    assert len(entries) == 1
    assert b"secret" not in b"".join(entries[0][1].values())


async def tip_is(house: Any, room: str, version: int) -> bool:
    return await tip(house, room) == version


async def test_two_processes_fill_each_others_holes(quiet: Any, second_house: Any) -> None:
    room = await quiet.group(A)
    await quiet.do(quiet.say(room, A))
    async with second_house() as other:
        await other.do(*(other.say(room, A) for _ in range(3)))
        await eventually(lambda: tip_is(quiet, room, 5))
    # the stream began at the other's run: what this process publishes late is skipped
    await quiet.deps.publisher.drain()
    assert [event.version for event in await streamed(quiet, room, 2)] == [3, 4, 5]


async def test_a_hole_is_filled_from_the_database(quiet: Any, second_house: Any) -> None:
    room = await quiet.group(A)
    await quiet.deps.publisher.drain()
    await quiet.do(*(quiet.say(room, A) for _ in range(3)))  # not published: as if this process died here
    async with second_house() as other:
        await other.do(other.say(room, A))
        await eventually(lambda: tip_is(quiet, room, 5))
    assert await streamed(quiet, room) == await quiet.events(room)


@on_each_database
async def test_the_sweep_publishes_what_nobody_did(quiet: Any, redis: Redis) -> None:
    deps = quiet.deps
    room, other, idle = [await quiet.group(A) for _ in range(3)]
    await deps.publisher.drain()
    await quiet.do(quiet.say(room, A))
    deps.publisher._waiting.clear()
    await redis.delete(log_key(deps.publisher.epoch, other), log_key(deps.publisher.epoch, idle))
    async with deps.database.write() as db:
        longer_ago = f"UPDATE room SET updated_at = updated_at - {REACH_MS}"
        await db.execute(text(f"{longer_ago} WHERE id = X'{idle.replace('-', '')}'"))
        await epochs.set_last_sweep(db, 10**15)
    await sweep(deps)
    assert [await tip(quiet, one) for one in (room, other, idle)] == [2, 1, -1]
    async with deps.database.write() as db:
        await db.execute(text("UPDATE sweep SET began_at = 1"))
    await sweep(deps)
    assert await tip(quiet, idle) == 1
    async with deps.database.read() as db:
        assert await epochs.get_last_sweep(db) > 1


@on_each_database
async def test_a_sweep_over_several_pages(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.sweep.PAGE", 3)
    rooms = [await quiet.group(A) for _ in range(7)]
    async with quiet.deps.database.write() as db:
        await db.execute(text("UPDATE room SET updated_at = 7"))
    quiet.deps.publisher._waiting.clear()
    await sweep(quiet.deps)
    assert {await tip(quiet, room) for room in rooms} == {1}


@on_both_engines
async def test_a_flushed_redis_is_filled_with_the_newest(quiet: Any, redis: Redis) -> None:
    room = await quiet.group(A)
    for _ in range(4):
        await quiet.do(*(quiet.say(room, A) for _ in range(256)))
    await quiet.deps.publisher.drain()
    await redis.flushall()
    await sweep(quiet.deps)
    assert await tip(quiet, room) == 1025
    found = await streamed(quiet, room, 1025 - KEPT_ENTRIES)
    assert [event.version for event in found] == list(range(1026 - KEPT_ENTRIES, 1026))


@on_each_database
async def test_a_stream_whose_successors_are_trimmed_begins_anew(quiet: Any) -> None:
    room = await quiet.group(A)
    await quiet.deps.publisher.drain()
    await quiet.do(*(quiet.say(room, A) for _ in range(6)))
    quiet.deps.publisher._waiting.clear()
    async with quiet.deps.database.write() as db:
        await db.execute(text("DELETE FROM room_event WHERE version < 4"))
    await sweep(quiet.deps)
    assert [event.version for event in await streamed(quiet, room, 3)] == [4, 5, 6, 7]


async def test_redis_away_then_back(quiet: Any) -> None:
    deps = quiet.deps
    room = await quiet.group(A)
    broken = Publisher(deps.database, Redis(host="127.0.0.1", port=1), limit=3)
    await broken.open()
    deps.publisher._waiting, waiting = [], deps.publisher._waiting
    for committed in waiting:
        broken.add(committed)
    with pytest.raises(REDIS_DOWN):
        await broken.run()
    broken._redis = deps.redis
    async with background("publisher", broken.run, pause=0):
        await eventually(lambda: tip_is(quiet, room, 1))


async def test_more_waits_than_the_queue_holds(quiet: Any) -> None:
    deps = quiet.deps
    room = await quiet.group(A)
    small = Publisher(deps.database, deps.redis, limit=2)
    await small.open()
    quiet.deps = parts_with(deps, small)
    for _ in range(5):
        await quiet.do(quiet.say(room, A))
    assert small._size == 2
    await small.drain()
    assert await streamed(quiet, room, 1) == await quiet.events(room, 1)


def parts_with(deps: Any, publisher: Publisher) -> Any:
    committer = Committer(deps.database, publisher, writers=1)
    return replace(deps, publisher=publisher, committer=committer)


@on_each_database
async def test_another_epoch(quiet: Any, second_house: Any) -> None:
    room = await quiet.group(A)
    async with second_house() as other:
        await other.do(other.say(room, A))
        old = other.deps.publisher.epoch
        await eventually(lambda: tip_is(other, room, 2))
        async with quiet.deps.database.write() as db:
            new = await epochs.renew_epoch(db)
        await other.do(other.say(room, A))
        await eventually(lambda: other.deps.publisher.epoch == new)
        await eventually(lambda: tip_is(other, room, 3))
        since = (await read_since(other.deps.redis, old, {room: 2}))[room]
        assert since.tip == 2
    # whoever does not know yet publishes where nobody reads, until its next batch or sweep
    await quiet.deps.publisher.drain()
    await sweep(quiet.deps)
    assert quiet.deps.publisher.epoch == new
    assert await tip(quiet, room) == 3


@on_both_engines
async def test_many_rooms_at_once(house: Any) -> None:
    rooms = [await house.group(A) for _ in range(20)]
    await asyncio.gather(*(house.do(*(house.say(room, A) for room in rooms)) for _ in range(10)))
    for room in rooms:
        await eventually(lambda room=room: tip_is(house, room, 11))
        assert await streamed(house, room) == await house.events(room)


@on_each_database
async def test_the_operators_command(quiet: Any) -> None:
    before = quiet.deps.publisher.epoch
    renewed = await asyncio.to_thread(new_epoch, quiet.deps.settings)
    await sweep(quiet.deps)
    assert quiet.deps.publisher.epoch == renewed != before


@on_each_database
async def test_trimming_goes_slice_by_slice(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.sweep.TRIM", 4)
    room, other = await quiet.group(A), await quiet.group(A)
    await quiet.do(*(quiet.say(where, A) for _ in range(9) for where in (room, other)))
    async with quiet.deps.database.write() as db:
        await db.execute(text("UPDATE room_event SET at = 5 WHERE version <= 7"))
    await trim(quiet.deps)
    assert await quiet.rows("SELECT version, COUNT(*) FROM room_event GROUP BY version") == [(8, 2), (9, 2), (10, 2)]


async def test_only_what_is_written_down_takes_its_trace_along(
    house: Any, redis: Redis, spans: list[dict[str, Any]]
) -> None:
    room = await house.group(A, B)
    await eventually(lambda: streamed(house, room, 1))
    traced = f"00-{'a' * 32}-{'b' * 16}-01"
    said = [house.say(room, A, str(number)) for number in range(5)]
    said[2].traceparent = traced
    said[3].traceparent = traced.replace("-01", "-00")
    async with listening(redis, live_channel(house.deps.publisher.epoch, room)) as heard:
        await house.do(*said)
        await house.do(house.say(room, A, "2", client_id=said[2].client_id, traceparent=traced))  # leads no further
        await eventually(lambda: len(heard) == 3)
    lives = [parse_live(message) for message in heard]
    assert [(live.first, live.last, live.flags) for live in lives] == [(3, 4, b"-"), (5, 5, b"-"), (6, 7, b"-")]
    assert [message.partition(b"\n")[0] for message in heard[::2]] == [b"3 4 -", b"6 7 -"]
    [published] = [line for line in spans if line["event.action"] == "publish"]
    commit, _ = [line for line in spans if line["event.action"] == "commit"]
    assert (commit["parent.id"], commit["webchat.batch"], commit["webchat.room"]) == ("b" * 16, 5, room)
    assert published["parent.id"] == commit["span.id"]
    assert lives[1].traceparent == f"00-{'a' * 32}-{published['span.id']}-01"
    assert [len(await streamed(house, room, after)) for after in (2, 4)] == [5, 3]
