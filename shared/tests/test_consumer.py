"""The consumer of another service's stream acknowledges only handled events, whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from redis.exceptions import ResponseError

from shared import metrics
from shared.redis.client import AnyRedis
from shared.streams.consumer import TRIES, Consumer
from shared.streams.names import dead_letters, service_stream
from shared.tasks import background
from shared.testing.fixtures import eventually, on_both_engines
from shared.tracing.context import current_span_context

STREAM, DEAD = service_stream("auth"), dead_letters("auth", "rooms")


class Opened(msgspec.Struct, tag="opened", tag_field="topic"):
    number: int


class Closed(msgspec.Struct, tag="closed", tag_field="topic"):
    number: int


Event = Opened | Closed
Handle = Callable[[Event], Awaitable[None]]


class Handler:
    """Records numbers; fails at those in `bad`, and waits for `free` at those in `slow`."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.taken: list[int] = []
        self.bad: set[int] = set()
        self.slow: set[int] = set()
        self.free = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.began.append(event.number)
        if event.number in self.bad:
            raise ValueError("not this one")
        if event.number in self.slow:
            await self.free.wait()
        self.taken.append(event.number)


def consumer(redis: AnyRedis, handle: Handle, *, name: str = "one", again_ms: int = 3_600_000) -> Consumer[Event]:
    """Return a consumer of the group `rooms` that never blocks and reclaims events after `again_ms`."""
    return Consumer(redis, "auth", "rooms", name, Event, handle, reclaim_after_ms=again_ms, block_ms=1)


async def publish(redis: AnyRedis, *events: msgspec.Struct) -> None:
    for event in events:
        topic = str(event.__struct_config__.tag)
        await redis.xadd(STREAM, {"topic": topic, "payload": msgspec.json.encode(event)})


async def pending(redis: AnyRedis) -> int:
    """Return the number of entries that were delivered and not acknowledged."""
    summary: Any = await redis.xpending(STREAM, "rooms")
    return int(summary["pending"])


async def delivered(redis: AnyRedis) -> int:
    """Return the number of entries that were delivered to the group."""
    [group] = await redis.xinfo_groups(STREAM)
    return int(group["entries-read"] or 0)


async def dead(redis: AnyRedis) -> list[int]:
    return [msgspec.json.decode(fields[b"payload"])["number"] for _, fields in await redis.xrange(DEAD)]


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, {"source": "auth", **labels}) or 0


@on_both_engines
async def test_events_are_handled_in_order_and_acknowledged(redis: AnyRedis) -> None:
    handler = Handler()
    await publish(redis, *map(Opened, range(3)))
    reader = consumer(redis, handler)
    for _ in range(2):  # the first round creates the group, at the beginning of the stream
        await reader.run()
    await publish(redis, *map(Closed, range(3, 250)))
    for _ in range(3):  # a hundred per round
        await reader.run()
    assert handler.taken == list(range(250))
    assert await pending(redis) == 0


async def test_an_event_is_not_acknowledged_before_it_is_handled(redis: AnyRedis) -> None:
    handler = Handler()
    handler.slow = {1}
    await publish(redis, Opened(0), Opened(1), Opened(2))
    async with background("consumer", consumer(redis, handler).run, pause=0):
        await eventually(lambda: handler.began == [0, 1])
        assert await pending(redis) == 2
        handler.free.set()
        await eventually(lambda: handler.taken == [0, 1, 2])
        await eventually(lambda: nothing_pending(redis))


async def nothing_pending(redis: AnyRedis) -> bool:
    return await pending(redis) == 0


@on_both_engines
async def test_events_of_a_dead_consumer_are_handled_by_another(redis: AnyRedis) -> None:
    dying, other = Handler(), Handler()
    dying.slow = {1}
    await publish(redis, *map(Opened, range(4)))
    async with background("consumer", consumer(redis, dying, name="dies").run, pause=0):
        await eventually(lambda: dying.began == [0, 1])
    assert (dying.taken, await pending(redis)) == ([0], 3)
    await consumer(redis, other, name="other").run()
    assert other.taken == []  # the first one may still be running
    await consumer(redis, other, name="other", again_ms=0).run()
    assert (other.taken, await pending(redis)) == ([1, 2, 3], 0)


async def test_a_failed_event_is_retried_and_delays_no_other(redis: AnyRedis) -> None:
    handler = Handler()
    handler.bad = {1}
    reader = consumer(redis, handler, again_ms=0)
    await reader.run()
    before = counted("webchat_stream_events_total", outcome="failed")
    await publish(redis, *map(Opened, range(3)))
    await reader.run()
    assert (handler.taken, await pending(redis)) == ([0, 2], 1)
    handler.bad = set()
    await reader.run()
    assert (handler.taken, await pending(redis)) == ([0, 2, 1], 0)
    assert counted("webchat_stream_events_total", outcome="failed") == before + 1


@on_both_engines
async def test_an_event_that_always_fails_becomes_a_dead_letter(redis: AnyRedis) -> None:
    handler = Handler()
    handler.bad = {1}
    before = counted("webchat_dead_letters_total")
    await publish(redis, Opened(1), Opened(2))
    reader = consumer(redis, handler, again_ms=0)
    await reader.run()
    for tries in range(1, TRIES + 1):
        await reader.run()
        assert (handler.began.count(1), await dead(redis)) == (tries, [])
    await reader.run()
    assert (handler.began.count(1), await dead(redis), await pending(redis)) == (TRIES, [1], 0)
    assert handler.taken == [2]
    assert counted("webchat_dead_letters_total") == before + 1
    await reader.run()
    assert (handler.began.count(1), await dead(redis)) == (TRIES, [1])


async def test_malformed_events_become_dead_letters(redis: AnyRedis) -> None:
    handler = Handler()
    await redis.xadd(STREAM, {"topic": "opened", "payload": b'{"topic":"opened","number":"none"}'})
    await publish(redis, Opened(2))
    reader = consumer(redis, handler, again_ms=0)
    for _ in range(TRIES + 2):
        await reader.run()
    assert (handler.taken, await pending(redis), await dead(redis)) == ([2], 0, ["none"])


async def test_events_of_other_types_are_skipped(redis: AnyRedis) -> None:
    handler = Handler()
    reader: Consumer[Opened] = Consumer(redis, "auth", "rooms", "one", Opened, handler, block_ms=1)
    await publish(redis, Closed(1), Opened(2))
    for _ in range(2):
        await reader.run()
    assert (handler.taken, await pending(redis), await delivered(redis)) == ([2], 0, 2)


@on_both_engines
async def test_after_redis_was_emptied_it_reads_from_the_beginning(redis: AnyRedis) -> None:
    handler = Handler()
    reader = consumer(redis, handler)
    await publish(redis, Opened(1))
    for _ in range(2):
        await reader.run()
    await redis.delete(STREAM)
    await publish(redis, Opened(1), Opened(2))  # which the relay of the other service fills in again
    for _ in range(2):
        await reader.run()
    assert handler.taken == [1, 1, 2]


async def test_trimmed_events_do_not_block_later_ones(redis: AnyRedis) -> None:
    handler = Handler()
    handler.bad = {1}
    reader = consumer(redis, handler, again_ms=0)
    await publish(redis, Opened(1))
    for _ in range(2):
        await reader.run()
    assert await pending(redis) == 1
    await redis.xtrim(STREAM, maxlen=0)
    await publish(redis, Opened(2))
    await reader.run()
    assert (handler.taken, handler.began, await pending(redis)) == ([2], [1, 2], 0)


async def test_two_consumers_of_a_group_share_the_events(redis: AnyRedis) -> None:
    handlers = Handler(), Handler()
    readers = [consumer(redis, handler, name=str(number)) for number, handler in enumerate(handlers)]
    for reader in readers:  # both found no group: the second one finds it made
        await reader._create_group()
    for number in range(6):
        await publish(redis, Opened(number))
        await readers[number % 2].run()
    assert [handler.taken for handler in handlers] == [[0, 2, 4], [1, 3, 5]]
    assert await pending(redis) == 0


@pytest.mark.parametrize("failed", [False, True])
async def test_a_traced_event_is_handled_in_a_span_of_its_trace(
    redis: AnyRedis, spans: list[dict[str, Any]], failed: bool
) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    contexts = []

    async def handle(event: Event) -> None:
        contexts.append(current_span_context())
        if failed:
            raise ValueError("no")

    payload = msgspec.json.encode({"topic": "opened", "number": 1, "traceparent": f"00-{trace}-{parent}-01"})
    await redis.xadd(STREAM, {"topic": "opened", "payload": payload})
    reader = consumer(redis, handle)
    for _ in range(2):
        await reader.run()
    [line] = [line for line in spans if line["event.action"] == "consume"]
    assert (line["trace.id"], line["parent.id"], line["event.code"]) == (trace, parent, "opened")
    assert line["event.outcome"] == ("failure" if failed else "success")
    [context] = contexts
    assert context is not None
    assert context.span_id == line["span.id"]


async def test_a_run_handles_at_most_a_hundred_new_events(redis: AnyRedis) -> None:
    handler = Handler()
    reader = consumer(redis, handler)
    await reader.run()
    await publish(redis, *map(Opened, range(102)))
    for handled in (100, 102):
        await reader.run()
        assert len(handler.taken) == handled


async def test_a_run_reclaims_at_most_fifty_events(redis: AnyRedis) -> None:
    handler = Handler()
    handler.bad = set(range(52))
    reader = consumer(redis, handler, again_ms=0)
    await reader.run()
    await publish(redis, *map(Opened, range(52)))
    await reader.run()
    handler.bad = set()
    await reader.run()
    assert handler.taken == list(range(50))


async def test_a_duration_that_is_not_given_is_the_default(redis: AnyRedis) -> None:
    """An event is retried after 30 s. A handler that takes longer than that may run twice."""
    reader: Consumer[Event] = Consumer(redis, "auth", "rooms", "one", Event, Handler())
    assert (reader._reclaim_after_ms, reader._block_ms, TRIES) == (30_000, 1_000, 10)


async def test_other_errors_of_redis_are_raised(redis: AnyRedis) -> None:
    await redis.set(STREAM, "no stream")
    reader = consumer(redis, Handler())
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await reader.run()
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await reader._create_group()


async def test_handled_events_are_counted(redis: AnyRedis) -> None:
    reader = consumer(redis, Handler())
    await reader.run()
    before = counted("webchat_stream_events_total", outcome="handled")
    await publish(redis, Opened(1), Opened(2))
    await reader.run()
    assert counted("webchat_stream_events_total", outcome="handled") == before + 2
