"""Several gateways on a real Valkey: delivery between them, and lost subscriptions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.driver.attaching import UPLOADS_A_MINUTE
from chat_gateway.driver.gateway import Gateway
from chat_gateway.settings import Timings
from shared.ids import new_id
from shared.roomlog.keys import live_channel
from shared.streams.names import user_channel
from shared.streams.notifications import SessionsRevoked, UserChanged, publish_notifications
from shared.testing.fixtures import eventually

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge(redis: Redis) -> AsyncIterator[Edge]:
    it = Edge(redis)
    async with it.running():
        yield it


@pytest.fixture
async def other(edge: Edge) -> AsyncIterator[Gateway]:
    """Run a second gateway."""
    async with edge.working(edge.new_gateway()) as gateway:
        yield gateway


async def cut(redis: Redis) -> None:
    """Break all subscriptions."""
    assert await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1


# the client library leaves the writer of a killed connection to the garbage collector
breaks_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def test_what_is_published_reaches_the_members_on_every_gateway(edge: Edge, other: Gateway):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await edge.live("minji"), await edge.live("junho", other)
    sent = await minji.ask("message.send", room_id=room_id, client_id=new_id(), body="hello")
    await edge.rooms.publish(edge.redis, room_id)
    for person in (minji, junho):
        await eventually(lambda person=person: person.versions(room_id) == [sent["version"]])


async def test_who_types_is_seen_on_every_gateway(edge: Edge, other: Gateway):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho, again = await edge.live("minji"), await edge.live("junho", other), await edge.live("minji", other)
    minji.say("room.typing", room_id=room_id, typing=True)
    await eventually(lambda: len(junho.of("room.typing")) == 1)
    assert minji.of("room.typing") == again.of("room.typing") == []


async def test_sockets_beyond_the_allowed_ones_are_counted_over_all_gateways(edge: Edge, other: Gateway):
    limit = edge.limits.sockets_per_user
    oldest = await edge.live("minji")
    people = [await edge.live("minji", (edge.gateway, other)[number % 2]) for number in range(limit)]
    await eventually(lambda: oldest.wire.closed)
    assert [oldest.wire.closed, *(person.wire.closed for person in people)] == [4409] + [None] * limit


async def test_a_session_is_ended_on_every_gateway(edge: Edge, other: Gateway):
    session_id = f"session-{new_id()}"
    first, second = edge.person("minji", session_id=session_id), edge.person("minji", other, session_id)
    for person in (first, second):
        person.say("hello")
        await person.settle()
    await publish_notifications(edge.redis, [("minji", SessionsRevoked([session_id]))])
    for person in (first, second):
        await eventually(lambda person=person: person.wire.closed == 4401)
        assert [frame["op"] for frame in person.frames] == ["ready", "session.revoked"]


@breaks_connections
async def test_what_is_published_while_a_subscription_is_lost_is_read(edge: Edge):
    """No later event and no head check reveals the gap."""
    room_id = edge.rooms.create("minji", "junho")
    minji = await edge.live("minji")
    await eventually(lambda: not edge.gateway.subscriber._torn)
    await cut(edge.redis)
    edge.rooms.say(room_id, "junho", "unheard")
    await edge.rooms.publish(edge.redis, room_id)
    await eventually(lambda: minji.versions(room_id) == [3])
    edge.rooms.say(room_id, "junho", "heard again")
    await edge.rooms.publish(edge.redis, room_id, 3)
    await eventually(lambda: minji.versions(room_id) == [3, 4])


@breaks_connections
async def test_what_was_hinted_while_a_subscription_is_lost_is_found(redis: Redis):
    """The background check restarts at once."""
    edge = Edge(redis, timings=Timings(user_check=600))
    async with edge.running():
        room_id = edge.rooms.create("junho")
        minji, gone = await edge.live("minji"), await edge.live("gone")
        await eventually(lambda: not edge.gateway.users_changed.is_set() and not edge.gateway.check_now.is_set())
        await cut(redis)
        edge.rooms.add(room_id, "minji")
        del edge.auth.sessions[gone.session_id]
        await publish_notifications(redis, [("minji", UserChanged("rooms", 1)), ("gone", SessionsRevoked([]))])
        await eventually(lambda: minji.of("room.added") and gone.wire.closed == 4401)


async def test_a_room_that_nobody_here_is_in_any_more_is_not_listened_to(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    minji, junho = await edge.live("minji"), await edge.live("junho")
    channel = live_channel("epoch-1", room_id)

    async def receivers(channel: str) -> int:
        return int(await edge.redis.execute_command("SPUBLISH", channel, b"0 0 -\n"))

    minji.leave()
    assert await receivers(channel) == 1
    junho.leave()

    async def nobody() -> bool:
        return [await receivers(one) for one in (channel, user_channel("minji"), user_channel("junho"))] == [0, 0, 0]

    await eventually(nobody)


async def test_uploads_are_counted_for_a_minute_over_all_gateways(redis: Redis):
    edge = Edge(redis, limits={"rates": True})
    async with edge.running(), edge.working(edge.new_gateway()) as other:
        room_id = edge.rooms.create("minji")
        first, second = await edge.live("minji"), await edge.live("minji", other)

        async def upload(person: Person) -> dict[str, Any]:
            file = {"client_id": new_id(), "filename": "a.png", "data": "AAAA"}
            return await person.ask("file.upload", room_id=room_id, **file)

        for number in range(UPLOADS_A_MINUTE):
            assert (await upload((first, second)[number % 2]))["op"] == "ok"
        refused = await upload(first)
        assert (refused["code"], 0 < refused["retry_after"] <= 60) == ("rate_limited", True)
        assert await redis.pexpire("uploads:{minji}", 1)
        await eventually(lambda: _is_gone(redis, "uploads:{minji}"))
        assert (await upload(second))["op"] == "ok"


async def _is_gone(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)
