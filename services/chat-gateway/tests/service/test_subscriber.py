"""Subscriptions on a real Valkey: confirmed whatever comes at once, repaired whatever breaks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from chat_gateway.hub import Hub
from chat_gateway.subscriber import Subscriber
from shared.service.overload import Overload
from shared.service.redis import AnyRedis, shard_of
from shared.testing.fixtures import eventually, on_both_engines

pytestmark = on_both_engines

CALM = Overload(hints_at=1, history_at=1)


class Listening:
    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.lost = redis, 0
        self.heard: list[tuple[str, bytes]] = []
        hub = Hub(lambda: None)
        self.subscriber = Subscriber(redis, hub, None, CALM, on_reset=lambda *_: None, on_lost=self._lose)  # type: ignore[arg-type]

    def _lose(self) -> None:
        self.lost += 1

    async def acquire(self, *channels: str) -> None:
        await self.subscriber.acquire(
            {channel: lambda data, c=channel: self.heard.append((c, data)) for channel in channels}  # type: ignore[misc]
        )

    async def say(self, channel: str, data: bytes) -> int:
        return int(await self.redis.execute_command("SPUBLISH", channel, data))


@pytest.fixture
async def listening(redis: AnyRedis) -> AsyncIterator[Listening]:
    it = Listening(redis)
    async with it.subscriber.running():
        yield it


async def test_many_at_once_are_all_confirmed_and_heard(listening: Listening):
    async with asyncio.timeout(10):
        await asyncio.gather(*(listening.acquire(*(f"c{n}-{m}" for m in range(40))) for n in range(40)))
    assert await listening.say("c7-39", b"x") == 1
    await eventually(lambda: listening.heard == [("c7-39", b"x")])


async def test_one_who_gives_up_waiting_leaves_nothing_behind(listening: Listening):
    for _ in range(20):
        task = asyncio.create_task(listening.acquire("shared"))
        await asyncio.sleep(0)
        task.cancel()
        listening.subscriber.release(["shared"])
    async with asyncio.timeout(10):
        await listening.acquire("shared")
    assert await listening.say("shared", b"x") == 1


async def test_a_released_channel_is_left_and_can_be_had_again(listening: Listening):
    await listening.acquire("a")
    await listening.acquire("a")
    listening.subscriber.release(["a"])
    assert await listening.say("a", b"1") == 1
    listening.subscriber.release(["a"])

    async def left() -> bool:
        return await listening.say("a", b"2") == 0

    await eventually(left)
    await listening.acquire("a")
    assert await listening.say("a", b"3") == 1
    await eventually(lambda: listening.heard[-1:] == [("a", b"3")])


async def test_who_waits_for_a_repair_outlives_any_error(redis: Redis):
    hub = Hub(lambda: None)
    hub.join(KeepingReader("minji"), "room", 1, 0)
    log = FailingLog()
    subscriber = Subscriber(redis, hub, log, CALM, on_reset=lambda *_: None, on_lost=lambda: None)  # type: ignore[arg-type]
    async with subscriber.running(), asyncio.timeout(5):
        await subscriber.repair(["room"])
    assert log.asked == 2


class FailingLog:
    asked = 0

    async def read_after(self, *_: object) -> dict[str, object]:
        self.asked += 1
        if self.asked == 1:
            raise ValueError("an answer that nobody understands")
        return {}

    async def behind(self, *_: object) -> dict[str, object]:
        return {}


class KeepingReader:
    def __init__(self, user_id: str) -> None:
        self.user_id = user_id

    def push(self, data: bytes) -> None: ...

    push_droppable = push

    def removed_from(self, room_id: str) -> None: ...


# the client library leaves the writer of the killed connection to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broken_connection_is_noticed_and_everything_subscribed_again(listening: Listening):
    await listening.acquire(*(f"c{n}" for n in range(1200)))
    host, port = await shard_of(listening.redis, "c1199")
    async with Redis(host=host, port=port) as server:
        await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await eventually(lambda: listening.lost >= 1)

    async def back() -> bool:
        return await listening.say("c1199", b"x") == 1

    await eventually(back)
    async with asyncio.timeout(10):
        await listening.acquire("new")
    assert await listening.say("new", b"y") == 1
    await eventually(lambda: listening.lost == 2)  # told once more: nothing was heard until all were back
