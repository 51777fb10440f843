"""The newest page, cached in a real Valkey: storing, folding, and visibility."""

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
    harness = GatewayHarness(redis)
    async with harness.running():
        yield harness


async def page(client: FakeClient, room_id: str, **choice: Any) -> tuple[list[str], bool, int]:
    reply = await client.request("message.list", room_id=room_id, **choice)
    assert reply["op"] == "ok", reply
    return [message["body"] for message in reply["messages"]], reply["has_more"], reply["version"]


async def publish_message(harness: GatewayHarness, room_id: str, user_id: str, body: str) -> None:
    """Publish a message and wait until the gateway's hub has it."""
    harness.rooms.add_message(room_id, user_id, body)
    version = harness.rooms.rooms[room_id].version
    await harness.rooms.publish(harness.redis, room_id, version - 1)
    await eventually(lambda: harness.gateway.live_rooms.hub.version_of(room_id) in {None, version})


async def test_a_page_is_loaded_once_for_all_gateways(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    async with harness.background_work(harness.new_gateway()) as other:
        minji, junho = await harness.connect("minji"), await harness.connect("junho", other)
        await publish_message(harness, room_id, "junho", "one")
        assert await page(minji, room_id) == (["one"], False, 3)
        assert harness.rooms.requests_to("messages")[0].choice == PageChoice(limit=RECENT_MESSAGES)
        await publish_message(harness, room_id, "minji", "two")
        await eventually(lambda: other.live_rooms.hub.version_of(room_id) == 4)
        for client in (minji, junho):
            assert await page(client, room_id) == (["one", "two"], False, 4)
            assert await page(client, room_id, limit=1) == (["two"], True, 4)
        assert len(harness.rooms.requests_to("messages")) == 1


async def test_a_later_member_sees_no_earlier_messages(harness: GatewayHarness):
    """Neither cache shows earlier messages."""
    room_id = harness.rooms.create("minji")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.connect("minji")
    for body in ("secret 1", "secret 2"):
        await publish_message(harness, room_id, "minji", body)
    harness.rooms.add(room_id, "sora")
    await harness.rooms.publish(harness.redis, room_id, 3)
    sora = await harness.connect("sora")
    await publish_message(harness, room_id, "minji", "welcome")
    for _ in range(2):
        assert await page(minji, room_id) == (["secret 1", "secret 2", "welcome"], False, 5)
        assert await page(sora, room_id) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=1) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=2) == (["welcome"], False, 5)
    assert len(harness.rooms.requests_to("messages")) == 1


async def test_a_page_cached_for_a_later_member_does_not_hide_messages_from_others(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.connect("minji")
    await publish_message(harness, room_id, "minji", "before")
    harness.rooms.add(room_id, "sora")
    await harness.rooms.publish(harness.redis, room_id, 2)
    sora = await harness.connect("sora")
    await publish_message(harness, room_id, "minji", "welcome")
    assert await page(sora, room_id) == (["welcome"], False, 4)
    assert await page(minji, room_id) == (["before", "welcome"], False, 4)
    assert await page(minji, room_id, limit=1) == (["welcome"], True, 4)


async def test_a_page_ahead_of_the_hub_waits_for_the_hub(harness: GatewayHarness):
    """The events up to the page's version are sent before the page."""
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.connect("minji")
    await publish_message(harness, room_id, "junho", "one")
    await page(minji, room_id)
    handlers = harness.gateway.live_rooms.subscriber._handlers
    handlers.update(dict.fromkeys(harness.gateway.live_rooms.feed.handlers("epoch-1", [room_id]), lambda _: None))
    harness.rooms.add_message(room_id, "junho", "two")
    await harness.rooms.publish(harness.redis, room_id, 3)
    assert (await page(minji, room_id, limit=7))[0] == ["one", "two"]
    ops = [frame["op"] for frame in minji.frames if frame["op"] in {"message.created", "ok"}]
    assert ops == ["message.created", "ok", "message.created", "ok"]
    assert len(harness.rooms.requests_to("messages")) == 1


async def test_a_page_older_than_the_hubs_version_is_not_returned(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji = await harness.connect("minji")
    await publish_message(harness, room_id, "junho", "one")
    await page(minji, room_id)
    harness.rooms.add_message(room_id, "junho", "two")  # not published yet
    assert harness.gateway.live_rooms.hub.receive_frames(
        room_id, 4, [event_frame(harness.rooms.rooms[room_id].events[3])]
    )
    assert (await page(minji, room_id))[0] == ["one", "two"]
    assert len(harness.rooms.requests_to("messages")) == 2


async def test_a_user_who_is_not_in_the_room_gets_the_answer_of_rooms(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji, junho, stranger = (
        await harness.connect("minji"),
        await harness.connect("junho"),
        await harness.connect("stranger"),
    )
    await publish_message(harness, room_id, "minji", "one")
    await page(minji, room_id)
    harness.rooms.remove(room_id, "junho")
    await harness.rooms.publish(harness.redis, room_id, 3)
    await eventually(lambda: junho.received("room.removed"))
    harness.rooms.add_message(room_id, "minji", "a secret")
    await harness.rooms.publish(harness.redis, room_id, 4)
    for client in (junho, stranger):
        reply = await client.request("message.list", room_id=room_id)
        assert (reply["op"], reply["code"]) == ("error", "not_found")


async def test_a_page_is_not_returned_to_a_reader_removed_meanwhile(harness: GatewayHarness):
    """The repair before the page delivers the reader's own `member.left`."""
    room_id = harness.rooms.create("minji", "junho")
    await harness.rooms.publish(harness.redis, room_id)
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    await publish_message(harness, room_id, "minji", "one")
    await page(minji, room_id)
    handlers = harness.gateway.live_rooms.subscriber._handlers
    handlers.update(dict.fromkeys(harness.gateway.live_rooms.feed.handlers("epoch-1", [room_id]), lambda _: None))
    harness.rooms.remove(room_id, "junho")
    harness.rooms.add_message(room_id, "minji", "a secret")
    await harness.rooms.publish(harness.redis, room_id, 3)
    reply = await junho.request("message.list", room_id=room_id, limit=7)
    assert (reply["op"], reply["code"]) == ("error", "not_found")
    assert "a secret" not in [frame.get("body") for frame in junho.frames]


async def test_an_empty_room_is_not_cached(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    assert await page(minji, room_id) == ([], False, 1)
    assert not await harness.redis.exists(page_key("epoch-1", room_id))
