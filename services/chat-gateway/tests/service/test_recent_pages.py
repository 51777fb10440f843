"""The newest page, cached in a real Valkey: filling, folding, and visibility."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.contracts.rooms import PageChoice
from shared.roomlog.frames import event_frame
from shared.roomlog.keys import page_key
from shared.roomlog.page import RECENT_MESSAGES
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness(redis: Redis) -> AsyncIterator[GatewayHarness]:
    it = GatewayHarness(redis)
    async with it.running():
        yield it


async def page(client: FakeClient, room_id: str, **choice: Any) -> tuple[list[str], bool, int]:
    reply = await client.ask("message.list", room_id=room_id, **choice)
    assert reply["op"] == "ok", reply
    return [message["body"] for message in reply["messages"]], reply["has_more"], reply["version"]


async def say(harness: GatewayHarness, room_id: str, user_id: str, body: str) -> None:
    """Publish a message and wait until the gateway's hub has it."""
    harness.rooms.say(room_id, user_id, body)
    version = harness.rooms.rooms[room_id].version
    await harness.rooms.publish(harness.redis, room_id, version - 1)
    await eventually(lambda: harness.gateway.hub.version_of(room_id) in {None, version})


async def test_a_page_is_asked_of_rooms_once_for_all_gateways(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    async with harness.working(harness.new_gateway()) as other:
        minji, junho = await harness.live("minji"), await harness.live("junho", other)
        await say(harness, room_id, "junho", "one")
        assert await page(minji, room_id) == (["one"], False, 3)
        assert harness.rooms.of("messages")[0].choice == PageChoice(limit=RECENT_MESSAGES)
        await say(harness, room_id, "minji", "two")
        await eventually(lambda: other.hub.version_of(room_id) == 4)
        for client in (minji, junho):
            assert await page(client, room_id) == (["one", "two"], False, 4)
            assert await page(client, room_id, limit=1) == (["two"], True, 4)
        assert len(harness.rooms.of("messages")) == 1


async def test_who_joined_later_sees_nothing_of_before(harness: GatewayHarness):
    """Neither cache shows earlier messages."""
    room_id = harness.rooms.create("minji")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.live("minji")
    for body in ("secret 1", "secret 2"):
        await say(harness, room_id, "minji", body)
    harness.rooms.add(room_id, "sora")
    await harness.rooms.publish(harness.redis, room_id, 3)
    sora = await harness.live("sora")
    await say(harness, room_id, "minji", "welcome")
    for _ in range(2):
        assert await page(minji, room_id) == (["secret 1", "secret 2", "welcome"], False, 5)
        assert await page(sora, room_id) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=1) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=2) == (["welcome"], False, 5)
    assert len(harness.rooms.of("messages")) == 1


async def test_a_page_that_a_latecomer_filled_is_not_all_that_others_see(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.live("minji")
    await say(harness, room_id, "minji", "before")
    harness.rooms.add(room_id, "sora")
    await harness.rooms.publish(harness.redis, room_id, 2)
    sora = await harness.live("sora")
    await say(harness, room_id, "minji", "welcome")
    assert await page(sora, room_id) == (["welcome"], False, 4)
    assert await page(minji, room_id) == (["before", "welcome"], False, 4)
    assert await page(minji, room_id, limit=1) == (["welcome"], True, 4)


async def test_a_page_that_is_ahead_of_the_hub_waits_for_it(harness: GatewayHarness):
    """The events up to the page's version are sent before the page."""
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.live("minji")
    await say(harness, room_id, "junho", "one")
    await page(minji, room_id)
    handlers = harness.gateway.subscriber._handlers
    handlers.update(dict.fromkeys(harness.gateway.subscriber.room_handlers([room_id]), lambda _: None))
    harness.rooms.say(room_id, "junho", "two")
    await harness.rooms.publish(harness.redis, room_id, 3)
    assert (await page(minji, room_id, limit=7))[0] == ["one", "two"]
    ops = [frame["op"] for frame in minji.frames if frame["op"] in {"message.created", "ok"}]
    assert ops == ["message.created", "ok", "message.created", "ok"]
    assert len(harness.rooms.of("messages")) == 1


async def test_a_page_that_is_behind_the_hub_is_not_answered(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.live("minji")
    await say(harness, room_id, "junho", "one")
    await page(minji, room_id)
    harness.rooms.say(room_id, "junho", "two")  # which rooms has not published yet
    assert harness.gateway.hub.receive_frames(room_id, 4, [event_frame(harness.rooms.rooms[room_id].events[3])])
    assert (await page(minji, room_id))[0] == ["one", "two"]
    assert len(harness.rooms.of("messages")) == 2


async def test_who_is_out_of_the_room_is_answered_by_rooms_alone(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji, junho, stranger = await harness.live("minji"), await harness.live("junho"), await harness.live("stranger")
    await say(harness, room_id, "minji", "one")
    await page(minji, room_id)
    harness.rooms.remove(room_id, "junho")
    await harness.rooms.publish(harness.redis, room_id, 3)
    await eventually(lambda: junho.of("room.removed"))
    harness.rooms.say(room_id, "minji", "a secret")
    await harness.rooms.publish(harness.redis, room_id, 4)
    for client in (junho, stranger):
        reply = await client.ask("message.list", room_id=room_id)
        assert (reply["op"], reply["code"]) == ("error", "not_found")


async def test_a_page_whose_reader_is_removed_on_the_way_is_not_answered(harness: GatewayHarness):
    """The repair before the page delivers the reader's own `member.left`."""
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji, junho = await harness.live("minji"), await harness.live("junho")
    await say(harness, room_id, "minji", "one")
    await page(minji, room_id)
    handlers = harness.gateway.subscriber._handlers
    handlers.update(dict.fromkeys(harness.gateway.subscriber.room_handlers([room_id]), lambda _: None))
    harness.rooms.remove(room_id, "junho")
    harness.rooms.say(room_id, "minji", "a secret")
    await harness.rooms.publish(harness.redis, room_id, 3)
    reply = await junho.ask("message.list", room_id=room_id, limit=7)
    assert (reply["op"], reply["code"]) == ("error", "not_found")
    assert "a secret" not in [frame.get("body") for frame in junho.frames]


async def test_an_empty_room_is_not_cached(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.live("minji")
    assert await page(minji, room_id) == ([], False, 1)
    assert not await harness.redis.exists(page_key("epoch-1", room_id))
