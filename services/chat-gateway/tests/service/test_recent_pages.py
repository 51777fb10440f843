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

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge(redis: Redis) -> AsyncIterator[Edge]:
    it = Edge(redis)
    async with it.running():
        yield it


async def page(person: Person, room_id: str, **choice: Any) -> tuple[list[str], bool, int]:
    reply = await person.ask("message.list", room_id=room_id, **choice)
    assert reply["op"] == "ok", reply
    return [message["body"] for message in reply["messages"]], reply["has_more"], reply["version"]


async def say(edge: Edge, room_id: str, user_id: str, body: str) -> None:
    """Publish a message and wait until the gateway's hub has it."""
    edge.rooms.say(room_id, user_id, body)
    version = edge.rooms.rooms[room_id].version
    await edge.rooms.publish(edge.redis, room_id, version - 1)
    await eventually(lambda: edge.gateway.hub.version_of(room_id) in {None, version})


async def test_a_page_is_asked_of_rooms_once_for_all_gateways(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    await edge.rooms.publish(edge.redis, room_id)
    async with edge.working(edge.new_gateway()) as other:
        minji, junho = await edge.live("minji"), await edge.live("junho", other)
        await say(edge, room_id, "junho", "one")
        assert await page(minji, room_id) == (["one"], False, 3)
        assert edge.rooms.of("messages")[0].choice == PageChoice(limit=RECENT_MESSAGES)
        await say(edge, room_id, "minji", "two")
        await eventually(lambda: other.hub.version_of(room_id) == 4)
        for person in (minji, junho):
            assert await page(person, room_id) == (["one", "two"], False, 4)
            assert await page(person, room_id, limit=1) == (["two"], True, 4)
        assert len(edge.rooms.of("messages")) == 1


async def test_who_joined_later_sees_nothing_of_before(edge: Edge):
    """Neither cache shows earlier messages."""
    room_id = edge.rooms.create("minji")
    await edge.rooms.publish(edge.redis, room_id)
    minji = await edge.live("minji")
    for body in ("secret 1", "secret 2"):
        await say(edge, room_id, "minji", body)
    edge.rooms.add(room_id, "sora")
    await edge.rooms.publish(edge.redis, room_id, 3)
    sora = await edge.live("sora")
    await say(edge, room_id, "minji", "welcome")
    for _ in range(2):
        assert await page(minji, room_id) == (["secret 1", "secret 2", "welcome"], False, 5)
        assert await page(sora, room_id) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=1) == (["welcome"], False, 5)
        assert await page(sora, room_id, limit=2) == (["welcome"], False, 5)
    assert len(edge.rooms.of("messages")) == 1


async def test_a_page_that_a_latecomer_filled_is_not_all_that_others_see(edge: Edge):
    room_id = edge.rooms.create("minji")
    await edge.rooms.publish(edge.redis, room_id)
    minji = await edge.live("minji")
    await say(edge, room_id, "minji", "before")
    edge.rooms.add(room_id, "sora")
    await edge.rooms.publish(edge.redis, room_id, 2)
    sora = await edge.live("sora")
    await say(edge, room_id, "minji", "welcome")
    assert await page(sora, room_id) == (["welcome"], False, 4)
    assert await page(minji, room_id) == (["before", "welcome"], False, 4)
    assert await page(minji, room_id, limit=1) == (["welcome"], True, 4)


async def test_a_page_that_is_ahead_of_the_hub_waits_for_it(edge: Edge):
    """The events up to the page's version are sent before the page."""
    room_id = edge.rooms.create("minji", "junho")
    await edge.rooms.publish(edge.redis, room_id)
    minji = await edge.live("minji")
    await say(edge, room_id, "junho", "one")
    await page(minji, room_id)
    handlers = edge.gateway.subscriber._handlers
    handlers.update(dict.fromkeys(edge.gateway.subscriber.room_handlers([room_id]), lambda _: None))
    edge.rooms.say(room_id, "junho", "two")
    await edge.rooms.publish(edge.redis, room_id, 3)
    assert (await page(minji, room_id, limit=7))[0] == ["one", "two"]
    ops = [frame["op"] for frame in minji.frames if frame["op"] in {"message.created", "ok"}]
    assert ops == ["message.created", "ok", "message.created", "ok"]
    assert len(edge.rooms.of("messages")) == 1


async def test_a_page_that_is_behind_the_hub_is_not_answered(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    await edge.rooms.publish(edge.redis, room_id)
    minji = await edge.live("minji")
    await say(edge, room_id, "junho", "one")
    await page(minji, room_id)
    edge.rooms.say(room_id, "junho", "two")  # which rooms has not published yet
    assert edge.gateway.hub.receive_frames(room_id, 4, [event_frame(edge.rooms.rooms[room_id].events[3])])
    assert (await page(minji, room_id))[0] == ["one", "two"]
    assert len(edge.rooms.of("messages")) == 2


async def test_who_is_out_of_the_room_is_answered_by_rooms_alone(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    await edge.rooms.publish(edge.redis, room_id)
    minji, junho, stranger = await edge.live("minji"), await edge.live("junho"), await edge.live("stranger")
    await say(edge, room_id, "minji", "one")
    await page(minji, room_id)
    edge.rooms.remove(room_id, "junho")
    await edge.rooms.publish(edge.redis, room_id, 3)
    await eventually(lambda: junho.of("room.removed"))
    edge.rooms.say(room_id, "minji", "a secret")
    await edge.rooms.publish(edge.redis, room_id, 4)
    for person in (junho, stranger):
        reply = await person.ask("message.list", room_id=room_id)
        assert (reply["op"], reply["code"]) == ("error", "not_found")


async def test_a_page_whose_reader_is_removed_on_the_way_is_not_answered(edge: Edge):
    """The repair before the page delivers the reader's own `member.left`."""
    room_id = edge.rooms.create("minji", "junho")
    await edge.rooms.publish(edge.redis, room_id)
    minji, junho = await edge.live("minji"), await edge.live("junho")
    await say(edge, room_id, "minji", "one")
    await page(minji, room_id)
    handlers = edge.gateway.subscriber._handlers
    handlers.update(dict.fromkeys(edge.gateway.subscriber.room_handlers([room_id]), lambda _: None))
    edge.rooms.remove(room_id, "junho")
    edge.rooms.say(room_id, "minji", "a secret")
    await edge.rooms.publish(edge.redis, room_id, 3)
    reply = await junho.ask("message.list", room_id=room_id, limit=7)
    assert (reply["op"], reply["code"]) == ("error", "not_found")
    assert "a secret" not in [frame.get("body") for frame in junho.frames]


async def test_an_empty_room_is_not_cached(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    assert await page(minji, room_id) == ([], False, 1)
    assert not await edge.redis.exists(page_key("epoch-1", room_id))
