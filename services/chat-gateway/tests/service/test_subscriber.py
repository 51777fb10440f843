"""Subscriptions and repairs on a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.clients.rooms import Rooms
from chat_gateway.event_loader import EventLoader
from chat_gateway.hub import Hub
from chat_gateway.listener import Listener, Message
from chat_gateway.protocol.connection import Connection
from chat_gateway.protocol.limits import Limits
from chat_gateway.subscriber import Subscriber
from chat_gateway.timings import Timings
from shared.ids import new_id
from shared.redis.client import OPEN, AnyRedis, shard_of
from shared.roomlog.frames import TYPING, event_frame, publication_header, split_frames
from shared.roomlog.keys import live_channel
from shared.testing.fixtures import eventually, on_both_engines
from shared.tracing.context import new_span_context
from shared.web.overload import Overload

from ..harness import FakeTransport, RoomsService  # noqa: TID252 - the tests of one service


class FakeReader(Connection):
    """A connection that records frames."""

    def __init__(self, user_id: str) -> None:
        self.recorder = Recorder()
        super().__init__(new_id(), user_id, "session", self.recorder, Limits(), 0.0, copy_context())

    @property
    def frames(self) -> list[bytes]:
        return self.recorder.encoded


class Recorder(FakeTransport):
    """A transport that records encoded frames."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[bytes] = []

    def push(self, data: bytes) -> None:
        self.encoded += split_frames(data)

    push_droppable = push


class SubscriberHarness:
    """A subscriber with its hub. `received` lists messages of channels other than rooms."""

    def __init__(self, redis: AnyRedis, **timings: float) -> None:
        self.redis, self.lost, self.rooms = redis, 0, RoomsService()
        self.received: list[tuple[str, bytes]] = []
        self.resets: list[tuple[str, int]] = []
        self.overload = Overload(ephemeral_at=1, history_at=1)
        self.hub = Hub(lambda: asyncio.get_running_loop().call_soon(self.hub.flush), lambda *_: None)
        rooms: Any = self.rooms
        event_loader = EventLoader(redis, Rooms(rooms))
        self.subscriber = Subscriber(
            redis,
            self.hub,
            event_loader,
            self.overload,
            Timings(housekeeping=0.02, **timings),
            on_reset=lambda room_id, head: self.resets.append((room_id, head)),
            on_lost=self._on_lost,
        )
        self.subscriber.epoch = self.rooms.epoch

    def _on_lost(self) -> None:
        self.lost += 1

    async def acquire(self, *channels: str) -> None:
        await self.subscriber.acquire(
            {channel: lambda data, c=channel: self.received.append((c, data)) for channel in channels}  # type: ignore[misc]
        )

    async def publish(self, channel: str, data: bytes) -> int:
        return int(await self.redis.execute_command("SPUBLISH", channel, data))

    async def join(self, room_id: str, user_id: str = "minji") -> FakeReader:
        """Add a reader to the room at its current version."""
        reader = FakeReader(user_id)
        await self.subscriber.acquire(self.subscriber.room_handlers(self.subscriber.epoch, [room_id]))
        assert self.hub.join(reader, room_id, self.rooms.rooms[room_id].version, 1)
        return reader

    def frames(self, room_id: str, after: int) -> list[bytes]:
        return [event_frame(event) for event in self.rooms.rooms[room_id].events[after:]]

    async def is_unsubscribed(self, channel: str) -> bool:
        return await self.publish(channel, b"") == 0


@asynccontextmanager
async def running_subscriber(redis: AnyRedis, **timings: float) -> AsyncIterator[SubscriberHarness]:
    harness = SubscriberHarness(redis, **timings)
    async with harness.subscriber.running():
        yield harness


@pytest.fixture
async def harness(redis: AnyRedis) -> AsyncIterator[SubscriberHarness]:
    async with running_subscriber(redis) as harness:
        yield harness


async def cut(redis: AnyRedis, channel: str) -> None:
    """Close all subscriptions on a channel's server."""
    host, port = await shard_of(redis, channel)
    async with Redis(host=host, port=port) as server:
        await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


# the client library leaves the writer of a killed connection to the garbage collector
breaks_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


# Subscriptions


@on_both_engines
async def test_many_concurrent_subscriptions_are_all_confirmed(harness: SubscriberHarness):
    async with asyncio.timeout(10):
        await asyncio.gather(*(harness.acquire(*(f"c{n}-{m}" for m in range(40))) for n in range(40)))
    assert await harness.publish("c7-39", b"x") == 1
    await eventually(lambda: harness.received == [("c7-39", b"x")])


@on_both_engines
async def test_a_cancelled_acquire_leaves_no_state(harness: SubscriberHarness):
    for _ in range(20):
        task = asyncio.create_task(harness.acquire("shared"))
        await asyncio.sleep(0)
        task.cancel()
        harness.subscriber.release(["shared"])
    async with asyncio.timeout(10):
        await harness.acquire("shared")
    assert await harness.publish("shared", b"x") == 1


@on_both_engines
async def test_a_released_channel_is_unsubscribed_and_can_be_acquired_again(harness: SubscriberHarness):
    await harness.acquire("a")
    await harness.acquire("a")
    harness.subscriber.release(["a"])
    assert await harness.publish("a", b"1") == 1
    harness.subscriber.release(["a"])
    await eventually(lambda: harness.is_unsubscribed("a"))
    await harness.acquire("a")
    assert await harness.publish("a", b"3") == 1
    await eventually(lambda: harness.received[-1:] == [("a", b"3")])


@on_both_engines
async def test_no_state_is_kept_of_released_channels(harness: SubscriberHarness):
    """The connection is closed as well."""
    await harness.acquire(*(f"c{n}" for n in range(600)))
    harness.subscriber.release(f"c{n}" for n in range(600))
    subscriber = harness.subscriber
    await eventually(lambda: not subscriber._listeners)
    state = (
        subscriber._wanted,
        subscriber._handlers,
        subscriber._confirmed,
        subscriber._unwanted,
        subscriber._unconfirmed,
        subscriber._listening,
    )
    assert [bool(one) for one in state] == [False] * 6
    assert harness.lost == 0


async def test_a_channel_acquired_again_before_it_is_unsubscribed_stays(harness: SubscriberHarness):
    await harness.acquire("a", "b")
    harness.subscriber.release(["a", "b"])
    await harness.acquire("a")
    await eventually(lambda: harness.is_unsubscribed("b"))
    assert await harness.publish("a", b"x") == 1
    await eventually(lambda: harness.received[-1:] == [("a", b"x")])


async def test_an_invalid_message_does_not_affect_others(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji")
    reader = await harness.join(room_id)
    await harness.publish(live_channel("epoch-1", room_id), b"nonsense")
    harness.rooms.add_message(room_id, "minji")
    await harness.rooms.publish(harness.redis, room_id, 1)
    await eventually(lambda: reader.frames == harness.frames(room_id, 1))


async def test_a_stopped_subscriber_has_no_subscriptions(redis: Redis):
    async with running_subscriber(redis) as harness:
        await harness.acquire("a")
        assert not await harness.is_unsubscribed("a")
    await eventually(lambda: harness.is_unsubscribed("a"))
    assert harness.subscriber._listening == {}


# Lost connections


@on_both_engines
@breaks_connections
async def test_after_a_lost_connection_all_channels_are_subscribed_again(harness: SubscriberHarness):
    await harness.acquire(*(f"c{n}" for n in range(1200)))
    await cut(harness.redis, "c1199")
    await eventually(lambda: harness.lost >= 1)

    async def restored() -> bool:
        return await harness.publish("c1199", b"x") == 1

    await eventually(restored)
    async with asyncio.timeout(10):
        await harness.acquire("new")
    assert await harness.publish("new", b"y") == 1
    await eventually(lambda: harness.lost == 2)  # again when all are confirmed, because publications before were missed


@breaks_connections
async def test_subscribing_is_retried_until_the_server_is_available(redis: Redis, caplog: pytest.LogCaptureFixture):
    """`acquire` waits until the server is back."""
    async with running_subscriber(redis) as harness:
        options = redis.connection_pool.connection_kwargs
        port, options["port"] = options["port"], 1
        waiting = asyncio.create_task(harness.acquire("a"))
        await eventually(lambda: "subscribe failed" in caplog.text)
        assert not waiting.done()
        options["port"] = port
        async with asyncio.timeout(10):
            await waiting
        assert await harness.publish("a", b"x") == 1


@breaks_connections
async def test_the_connection_to_a_silent_server_is_closed(redis: Redis):
    """The connection is open but nothing arrives."""
    async with running_subscriber(redis, ping=0.1) as harness:
        await harness.acquire("a")
        await eventually(lambda: harness.subscriber._listeners)
        await redis.execute_command("CLIENT", "PAUSE", 800, "ALL")
        await eventually(lambda: harness.lost == 2)  # lost, and restored
        assert await harness.publish("a", b"x") == 1


async def test_the_connection_to_a_server_that_answers_pings_stays_open(redis: Redis):
    listener = Listener(await shard_of(redis, "a"), OPEN, by_slot=False, ping_seconds=0.2)
    await listener.connect()
    messages: list[Message] = []
    task = asyncio.create_task(listener.listen(messages.append))
    await listener.subscribe(["a"])
    await eventually(lambda: [message["type"] for message in messages].count("pong") >= 2)
    await redis.execute_command("SPUBLISH", "a", "x")
    await eventually(lambda: messages[-1]["data"] == b"x" or messages[-2]["data"] == b"x")
    assert not task.done()
    task.cancel()
    await listener.aclose()
    with pytest.raises(ConnectionResetError):
        await listener.subscribe(["b"])
    await listener.unsubscribe(["a"])  # no effect after closing


# Rooms


async def test_publications_reach_the_readers_of_a_room(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji")
    reader = await harness.join(room_id)
    for _ in range(3):
        harness.rooms.add_message(room_id, "minji")
    await harness.rooms.publish(harness.redis, room_id, 1)
    await eventually(lambda: reader.frames == harness.frames(room_id, 1))
    assert harness.rooms.requests == []


async def test_cursors_and_typing_reach_the_readers_of_a_room(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.join(room_id), await harness.join(room_id, "junho")
    channel, frame = live_channel("epoch-1", room_id), event_frame(harness.rooms.rooms[room_id].events[0])
    await harness.publish(channel, publication_header(0, 0, TYPING + b":minji") + frame)
    await eventually(lambda: junho.frames == [frame])
    await harness.publish(channel, b'0 0 r\n{"minji":1}')
    await eventually(lambda: harness.hub.rooms[room_id].cursors == {"minji": 1})
    harness.overload.load = 1
    await harness.publish(channel, publication_header(0, 0, TYPING + b":minji") + frame)
    await harness.publish(channel, b'0 0 r\n{"minji":2}')
    await eventually(lambda: harness.hub.rooms[room_id].cursors == {"minji": 2})
    assert (minji.frames, junho.frames) == ([], [frame])


async def test_a_gap_is_read_from_the_log(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji")
    reader = await harness.join(room_id)
    for _ in range(3):
        harness.rooms.add_message(room_id, "minji")
    last = harness.frames(room_id, 3)[0]
    await harness.publish(live_channel("epoch-1", room_id), publication_header(4, 4, b"-") + last)
    await eventually(lambda: reader.frames == harness.frames(room_id, 1))


async def test_a_sampled_event_has_a_span_the_first_time(harness: SubscriberHarness, spans: list[dict[str, Any]]):
    room_id, context = harness.rooms.create("minji"), new_span_context()
    reader = await harness.join(room_id)
    await harness.join(room_id, "junho")
    harness.rooms.add_message(room_id, "minji")
    [frame] = harness.frames(room_id, 1)
    message = publication_header(2, 2, b"- " + context.traceparent.encode()) + frame
    for _ in range(2):  # the second time the hub has it already
        await harness.publish(live_channel("epoch-1", room_id), message)
    harness.rooms.add_message(room_id, "minji")
    await harness.rooms.publish(harness.redis, room_id, 2)
    await eventually(lambda: len(reader.frames) == 2)
    [span] = spans
    assert (span["event.action"], span["trace.id"], span["webchat.receivers"]) == ("deliver", context.trace_id, 2)


async def test_the_head_check_notices_a_stream_past_the_hubs_version(redis: Redis):
    """No gap and no lost subscription reveals the missing event."""
    async with running_subscriber(redis, head_check=0.1) as harness:
        rooms = [harness.rooms.create("minji") for _ in range(20)]
        readers = {room_id: await harness.join(room_id) for room_id in rooms}
        for room_id in rooms:
            harness.subscriber._handlers[live_channel("epoch-1", room_id)] = lambda _: None
            harness.rooms.add_message(room_id, "minji")
            await harness.rooms.publish(harness.redis, room_id, 1)
        await eventually(lambda: all(len(reader.frames) == 1 for reader in readers.values()))
        assert [len(reader.frames) for reader in readers.values()] == [1] * 20


async def test_a_repair_waits_until_the_room_was_read(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji")
    await harness.join(room_id)
    for number in range(300):  # more than one event page
        harness.rooms.add_message(room_id, "minji", f"{number}")
    await harness.rooms.publish(harness.redis, room_id, 1)
    harness.hub.rooms[room_id].version = 1
    async with asyncio.timeout(10):
        await harness.subscriber.repair([room_id])
    assert harness.hub.version_of(room_id) == 301


async def test_many_rooms_are_repaired_in_several_batches(harness: SubscriberHarness):
    rooms = [harness.rooms.create("minji") for _ in range(120)]
    for room_id in rooms:
        await harness.join(room_id)
        harness.rooms.add_message(room_id, "minji")
    async with asyncio.timeout(10):
        await harness.subscriber.repair(rooms)
    assert {harness.hub.version_of(room_id) for room_id in rooms} == {2}
    assert max(len(request.cursors) for request in harness.rooms.requests_to("events")) == 50


async def test_a_repair_is_repeated_after_any_error(harness: SubscriberHarness):
    room_id = harness.rooms.create("minji")
    await harness.join(room_id)
    harness.rooms.add_message(room_id, "minji")
    harness.rooms.errors = [KeyError("a fault"), ValueError("an undecodable response")]
    async with asyncio.timeout(5):
        await harness.subscriber.repair([room_id])
    assert harness.hub.version_of(room_id) == 2
    assert len(harness.rooms.requests_to("events")) == 3


async def test_a_room_whose_missed_events_were_deleted_is_reported(harness: SubscriberHarness):
    room_id, other = harness.rooms.create("minji"), harness.rooms.create("minji")
    reader = await harness.join(room_id)
    for _ in range(2):
        harness.rooms.add_message(room_id, "minji")
    harness.rooms.forget_events(room_id)
    async with asyncio.timeout(5):
        await harness.subscriber.repair([room_id, other])
    assert (harness.resets, reader.frames) == ([(room_id, 3)], [])
