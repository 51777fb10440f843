"""Subscriptions and repairs on a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.clients.rooms import Rooms
from chat_gateway.hub import Hub
from chat_gateway.listener import Listener, Message
from chat_gateway.room_log import RoomLog
from chat_gateway.settings import Timings
from chat_gateway.subscriber import Subscriber
from shared.redis.client import OPEN, AnyRedis, shard_of
from shared.roomlog.frames import TYPING, event_frame, live_header, split_frames
from shared.roomlog.keys import live_channel
from shared.testing.fixtures import eventually, on_both_engines
from shared.tracing.context import new_span_context
from shared.web.overload import Overload

from ..edge import RoomsService  # noqa: TID252 - the tests of one service


class KeepingReader:
    """A reader that records frames."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.frames: list[bytes] = []

    def push(self, data: bytes) -> None:
        self.frames += split_frames(data)

    push_droppable = push

    def removed_from(self, room_id: str) -> None: ...


class Listening:
    """A subscriber with its hub. `heard` lists messages of channels other than rooms."""

    def __init__(self, redis: AnyRedis, **timings: float) -> None:
        self.redis, self.lost, self.rooms = redis, 0, RoomsService()
        self.heard: list[tuple[str, bytes]] = []
        self.resets: list[tuple[str, int]] = []
        self.overload = Overload(ephemeral_at=1, history_at=1)
        self.hub = Hub(lambda: asyncio.get_running_loop().call_soon(self.hub.flush))
        rooms: Any = self.rooms
        self.log = RoomLog(redis, Rooms(rooms))
        self.subscriber = Subscriber(
            redis,
            self.hub,
            self.log,
            self.overload,
            Timings(tidying=0.02, **timings),
            on_reset=lambda room_id, head: self.resets.append((room_id, head)),
            on_lost=self._lose,
        )
        self.subscriber.epoch = self.rooms.epoch

    def _lose(self) -> None:
        self.lost += 1

    async def acquire(self, *channels: str) -> None:
        await self.subscriber.acquire(
            {channel: lambda data, c=channel: self.heard.append((c, data)) for channel in channels}  # type: ignore[misc]
        )

    async def say(self, channel: str, data: bytes) -> int:
        return int(await self.redis.execute_command("SPUBLISH", channel, data))

    async def read(self, room_id: str, user_id: str = "minji") -> KeepingReader:
        """Add a reader to the room at its current version."""
        reader = KeepingReader(user_id)
        await self.subscriber.acquire(self.subscriber.room_handlers([room_id]))
        assert self.hub.join(reader, room_id, self.rooms.rooms[room_id].version, 1)
        return reader

    def frames(self, room_id: str, after: int) -> list[bytes]:
        return [event_frame(event) for event in self.rooms.rooms[room_id].events[after:]]

    async def hears_nothing(self, channel: str) -> bool:
        return await self.say(channel, b"") == 0


@asynccontextmanager
async def listening_to(redis: AnyRedis, **timings: float) -> AsyncIterator[Listening]:
    it = Listening(redis, **timings)
    async with it.subscriber.running():
        yield it


@pytest.fixture
async def listening(redis: AnyRedis) -> AsyncIterator[Listening]:
    async with listening_to(redis) as it:
        yield it


async def cut(redis: AnyRedis, channel: str) -> None:
    """Close all subscriptions on a channel's server."""
    host, port = await shard_of(redis, channel)
    async with Redis(host=host, port=port) as server:
        await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


# the client library leaves the writer of a killed connection to the garbage collector
breaks_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


# Subscriptions


@on_both_engines
async def test_many_at_once_are_all_confirmed_and_heard(listening: Listening):
    async with asyncio.timeout(10):
        await asyncio.gather(*(listening.acquire(*(f"c{n}-{m}" for m in range(40))) for n in range(40)))
    assert await listening.say("c7-39", b"x") == 1
    await eventually(lambda: listening.heard == [("c7-39", b"x")])


@on_both_engines
async def test_one_who_gives_up_waiting_leaves_nothing_behind(listening: Listening):
    for _ in range(20):
        task = asyncio.create_task(listening.acquire("shared"))
        await asyncio.sleep(0)
        task.cancel()
        listening.subscriber.release(["shared"])
    async with asyncio.timeout(10):
        await listening.acquire("shared")
    assert await listening.say("shared", b"x") == 1


@on_both_engines
async def test_a_released_channel_is_left_and_can_be_had_again(listening: Listening):
    await listening.acquire("a")
    await listening.acquire("a")
    listening.subscriber.release(["a"])
    assert await listening.say("a", b"1") == 1
    listening.subscriber.release(["a"])
    await eventually(lambda: listening.hears_nothing("a"))
    await listening.acquire("a")
    assert await listening.say("a", b"3") == 1
    await eventually(lambda: listening.heard[-1:] == [("a", b"3")])


@on_both_engines
async def test_nothing_is_kept_of_channels_that_nobody_wants(listening: Listening):
    """The connection is closed as well."""
    await listening.acquire(*(f"c{n}" for n in range(600)))
    listening.subscriber.release(f"c{n}" for n in range(600))
    it = listening.subscriber
    await eventually(lambda: not it._listeners)
    kept = (it._wanted, it._handlers, it._confirmed, it._unwanted, it._doubted, it._listening)
    assert [bool(one) for one in kept] == [False] * 6
    assert listening.lost == 0


async def test_a_channel_that_is_wanted_again_before_it_is_left_stays(listening: Listening):
    await listening.acquire("a", "b")
    listening.subscriber.release(["a", "b"])
    await listening.acquire("a")
    await eventually(lambda: listening.hears_nothing("b"))
    assert await listening.say("a", b"x") == 1
    await eventually(lambda: listening.heard[-1:] == [("a", b"x")])


async def test_a_message_that_cannot_be_read_harms_no_other(listening: Listening):
    room_id = listening.rooms.create("minji")
    reader = await listening.read(room_id)
    await listening.say(live_channel("epoch-1", room_id), b"nonsense")
    listening.rooms.say(room_id, "minji")
    await listening.rooms.publish(listening.redis, room_id, 1)
    await eventually(lambda: reader.frames == listening.frames(room_id, 1))


async def test_at_its_end_it_listens_to_nothing(redis: Redis):
    async with listening_to(redis) as listening:
        await listening.acquire("a")
        assert not await listening.hears_nothing("a")
    await eventually(lambda: listening.hears_nothing("a"))
    assert listening.subscriber._listening == {}


# What breaks


@on_both_engines
@breaks_connections
async def test_a_broken_connection_is_noticed_and_everything_subscribed_again(listening: Listening):
    await listening.acquire(*(f"c{n}" for n in range(1200)))
    await cut(listening.redis, "c1199")
    await eventually(lambda: listening.lost >= 1)

    async def back() -> bool:
        return await listening.say("c1199", b"x") == 1

    await eventually(back)
    async with asyncio.timeout(10):
        await listening.acquire("new")
    assert await listening.say("new", b"y") == 1
    await eventually(lambda: listening.lost == 2)  # told once more: nothing was heard until all were back


@breaks_connections
async def test_a_server_that_is_away_when_it_is_asked_first_is_asked_again(
    redis: Redis, caplog: pytest.LogCaptureFixture
):
    """`acquire` waits until the server is back."""
    async with listening_to(redis) as listening:
        options = redis.connection_pool.connection_kwargs
        port, options["port"] = options["port"], 1
        waiting = asyncio.create_task(listening.acquire("a"))
        await eventually(lambda: "subscribe failed" in caplog.text)
        assert not waiting.done()
        options["port"] = port
        async with asyncio.timeout(10):
            await waiting
        assert await listening.say("a", b"x") == 1


@breaks_connections
async def test_a_server_that_falls_silent_is_given_up(redis: Redis):
    """The connection is open but nothing arrives."""
    async with listening_to(redis, ping=0.1) as listening:
        await listening.acquire("a")
        await eventually(lambda: listening.subscriber._listeners)
        await redis.execute_command("CLIENT", "PAUSE", 800, "ALL")
        await eventually(lambda: listening.lost == 2)  # lost, and back
        assert await listening.say("a", b"x") == 1


async def test_a_server_that_answers_pings_is_not_given_up(redis: Redis):
    listener = Listener(await shard_of(redis, "a"), OPEN, by_slot=False, ping_seconds=0.2)
    await listener.connect()
    heard: list[Message] = []
    task = asyncio.create_task(listener.listen(heard.append))
    await listener.subscribe(["a"])
    await eventually(lambda: [one["type"] for one in heard].count("pong") >= 2)
    await redis.execute_command("SPUBLISH", "a", "x")
    await eventually(lambda: heard[-1]["data"] == b"x" or heard[-2]["data"] == b"x")
    assert not task.done()
    task.cancel()
    await listener.aclose()
    with pytest.raises(ConnectionResetError):
        await listener.subscribe(["b"])
    await listener.unsubscribe(["a"])  # which is nothing any more


# Rooms


async def test_what_is_published_reaches_the_readers_of_a_room(listening: Listening):
    room_id = listening.rooms.create("minji")
    reader = await listening.read(room_id)
    for _ in range(3):
        listening.rooms.say(room_id, "minji")
    await listening.rooms.publish(listening.redis, room_id, 1)
    await eventually(lambda: reader.frames == listening.frames(room_id, 1))
    assert listening.rooms.asked == []


async def test_cursors_and_typing_reach_the_readers_of_a_room(listening: Listening):
    room_id = listening.rooms.create("minji", "junho")
    minji, junho = await listening.read(room_id), await listening.read(room_id, "junho")
    channel, frame = live_channel("epoch-1", room_id), event_frame(listening.rooms.rooms[room_id].events[0])
    await listening.say(channel, live_header(0, 0, TYPING + b":minji") + frame)
    await eventually(lambda: junho.frames == [frame])
    await listening.say(channel, b'0 0 r\n{"minji":1}')
    await eventually(lambda: listening.hub.rooms[room_id].cursors == {"minji": 1})
    listening.overload.load = 1
    await listening.say(channel, live_header(0, 0, TYPING + b":minji") + frame)
    await listening.say(channel, b'0 0 r\n{"minji":2}')
    await eventually(lambda: listening.hub.rooms[room_id].cursors == {"minji": 2})
    assert (minji.frames, junho.frames) == ([], [frame])


async def test_a_version_that_skips_is_read_from_the_log(listening: Listening):
    room_id = listening.rooms.create("minji")
    reader = await listening.read(room_id)
    for _ in range(3):
        listening.rooms.say(room_id, "minji")
    last = listening.frames(room_id, 3)[0]
    await listening.say(live_channel("epoch-1", room_id), live_header(4, 4, b"-") + last)
    await eventually(lambda: reader.frames == listening.frames(room_id, 1))


async def test_a_sampled_event_has_a_span_where_it_is_new(listening: Listening, spans: list[dict[str, Any]]):
    room_id, context = listening.rooms.create("minji"), new_span_context()
    reader = await listening.read(room_id)
    await listening.read(room_id, "junho")
    listening.rooms.say(room_id, "minji")
    [frame] = listening.frames(room_id, 1)
    message = live_header(2, 2, b"- " + context.traceparent.encode()) + frame
    for _ in range(2):  # the second time it is known
        await listening.say(live_channel("epoch-1", room_id), message)
    listening.rooms.say(room_id, "minji")
    await listening.rooms.publish(listening.redis, room_id, 2)
    await eventually(lambda: len(reader.frames) == 2)
    [span] = spans
    assert (span["event.action"], span["trace.id"], span["webchat.receivers"]) == ("deliver", context.trace_id, 2)


async def test_a_stream_past_what_was_delivered_is_noticed(redis: Redis):
    """No version gap and no lost subscription reveals the missing event."""
    async with listening_to(redis, head_check=0.1) as listening:
        rooms = [listening.rooms.create("minji") for _ in range(20)]
        readers = {room_id: await listening.read(room_id) for room_id in rooms}
        for room_id in rooms:
            listening.subscriber._handlers[live_channel("epoch-1", room_id)] = lambda _: None
            listening.rooms.say(room_id, "minji")
            await listening.rooms.publish(listening.redis, room_id, 1)
        await eventually(lambda: all(len(reader.frames) == 1 for reader in readers.values()))
        assert [len(reader.frames) for reader in readers.values()] == [1] * 20


async def test_a_repair_waits_until_the_room_was_read(listening: Listening):
    room_id = listening.rooms.create("minji")
    await listening.read(room_id)
    for number in range(300):  # more than one answer holds
        listening.rooms.say(room_id, "minji", f"{number}")
    await listening.rooms.publish(listening.redis, room_id, 1)
    listening.hub.rooms[room_id].version = 1
    async with asyncio.timeout(10):
        await listening.subscriber.repair([room_id])
    assert listening.hub.version_of(room_id) == 301


async def test_rooms_beyond_what_is_repaired_at_once_are_repaired_too(listening: Listening):
    rooms = [listening.rooms.create("minji") for _ in range(120)]
    for room_id in rooms:
        await listening.read(room_id)
        listening.rooms.say(room_id, "minji")
    async with asyncio.timeout(10):
        await listening.subscriber.repair(rooms)
    assert {listening.hub.version_of(room_id) for room_id in rooms} == {2}
    assert max(len(asked.cursors) for asked in listening.rooms.of("events")) == 50


async def test_who_waits_for_a_repair_outlives_any_error(listening: Listening):
    room_id = listening.rooms.create("minji")
    await listening.read(room_id)
    listening.rooms.say(room_id, "minji")
    listening.rooms.problems = [KeyError("a fault"), ValueError("an answer that nobody understands")]
    async with asyncio.timeout(5):
        await listening.subscriber.repair([room_id])
    assert listening.hub.version_of(room_id) == 2
    assert len(listening.rooms.of("events")) == 3


async def test_a_room_whose_events_are_not_kept_is_told_of(listening: Listening):
    room_id, other = listening.rooms.create("minji"), listening.rooms.create("minji")
    reader = await listening.read(room_id)
    for _ in range(2):
        listening.rooms.say(room_id, "minji")
    listening.rooms.forget_events(room_id)
    async with asyncio.timeout(5):
        await listening.subscriber.repair([room_id, other])
    assert (listening.resets, reader.frames) == ([(room_id, 3)], [])
