"""Several gateways on a real Valkey: delivery between them, and lost subscriptions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.driver.gateway import Gateway
from chat_gateway.timings import Timings
from shared.errors import RateLimited
from shared.ids import new_id
from shared.redis.circuit_breaker import CircuitBreaker
from shared.redis.person_rate import UPLOADS_OF_ONE, upload_rate
from shared.roomlog.keys import live_channel
from shared.streams.names import gateway_lease, presence_key, user_channel
from shared.streams.notifications import SessionsRevoked, UserChanged, publish_notifications
from shared.testing.fixtures import eventually

from ..harness import QUICK, FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness(redis: Redis) -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness(redis)
    async with harness.running():
        yield harness


@pytest.fixture
async def other(harness: GatewayHarness) -> AsyncIterator[Gateway]:
    """Run a second gateway."""
    async with harness.background_work(harness.new_gateway()) as gateway:
        yield gateway


async def cut(redis: Redis) -> None:
    """Close the connections of all subscriptions."""
    assert await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1


# the client library leaves the writer of a killed connection to the garbage collector
breaks_connections = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


async def test_events_reach_the_members_on_every_gateway(harness: GatewayHarness, other: Gateway):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho", other)
    sent = await minji.request("message.send", room_id=room_id, client_id=new_id(), body="hello")
    await harness.rooms.publish(harness.redis, room_id)
    for client in (minji, junho):
        await eventually(lambda client=client: client.versions(room_id) == [sent["version"]])


async def test_typing_is_delivered_on_every_gateway(harness: GatewayHarness, other: Gateway):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho, again = (
        await harness.connect("minji"),
        await harness.connect("junho", other),
        await harness.connect("minji", other),
    )
    minji.send("room.typing", room_id=room_id, typing=True)
    await eventually(lambda: len(junho.received("room.typing")) == 1)
    assert minji.received("room.typing") == again.received("room.typing") == []


async def test_connections_of_a_user_are_counted_over_all_gateways(harness: GatewayHarness, other: Gateway):
    limit = harness.limits.sockets_per_user
    oldest = await harness.connect("minji")
    clients = [await harness.connect("minji", (harness.gateway, other)[number % 2]) for number in range(limit)]
    await eventually(lambda: oldest.transport.closed)
    assert [oldest.transport.closed, *(client.transport.closed for client in clients)] == [4409] + [None] * limit


async def test_connections_of_a_killed_gateway_close_no_living_one(harness: GatewayHarness):
    """They count until its lease expires. Some of them are younger than the living connection."""
    killed, lease_ms = harness.new_gateway(), round(QUICK.gateway_lease * 1000)
    living = await harness.connect("minji")
    async with harness.background_work(killed):
        for _ in range(harness.limits.sockets_per_user - 1):
            await harness.connect("minji", killed)
    await harness.redis.set(gateway_lease(killed.presence._gateway_id), "", px=lease_ms)  # the end removed it
    again = await harness.connect("minji")

    async def forgotten() -> bool:
        return await harness.redis.zcard(presence_key("minji")) == 2

    await eventually(forgotten)
    assert [living.transport.closed, again.transport.closed] == [None, None]


async def test_a_revoked_session_is_ended_on_every_gateway(harness: GatewayHarness, other: Gateway):
    session_id = f"session-{new_id()}"
    first, second = harness.client("minji", session_id=session_id), harness.client("minji", other, session_id)
    for client in (first, second):
        client.send("hello")
        await client.settle()
    await publish_notifications(harness.redis, [("minji", SessionsRevoked([session_id]))])
    for client in (first, second):
        await eventually(lambda client=client: client.transport.closed == 4401)
        assert [frame["op"] for frame in client.frames] == ["ready", "session.revoked"]


@breaks_connections
async def test_events_published_while_a_subscription_is_lost_are_read(harness: GatewayHarness):
    """No later event and no head check reveals the gap."""
    room_id = harness.rooms.create("minji", "junho")
    minji = await harness.connect("minji")
    await eventually(lambda: not harness.gateway.live_rooms.feed._dirty)
    await cut(harness.redis)
    harness.rooms.add_message(room_id, "junho", "missed")
    await harness.rooms.publish(harness.redis, room_id)
    await eventually(lambda: minji.versions(room_id) == [3])
    harness.rooms.add_message(room_id, "junho", "received")
    await harness.rooms.publish(harness.redis, room_id, 3)
    await eventually(lambda: minji.versions(room_id) == [3, 4])


@breaks_connections
async def test_changes_notified_while_a_subscription_is_lost_are_found(redis: Redis):
    """The background check restarts at once."""
    harness = GatewayHarness(redis, timings=Timings(user_check=600))
    async with harness.running():
        room_id = harness.rooms.create("junho")
        minji, sora = await harness.connect("minji"), await harness.connect("sora")
        await eventually(
            lambda: not harness.gateway.user_sync.changed and not harness.gateway.user_sync.check_now.is_set()
        )
        await cut(redis)
        harness.rooms.add(room_id, "minji")
        del harness.auth.sessions[sora.session_id]
        await publish_notifications(redis, [("minji", UserChanged("rooms", 1)), ("sora", SessionsRevoked([]))])
        await eventually(lambda: minji.received("room.added") and sora.transport.closed == 4401)


async def test_channels_of_rooms_without_readers_are_unsubscribed(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    minji, junho = await harness.connect("minji"), await harness.connect("junho")
    channel = live_channel("epoch-1", room_id)

    async def subscribers(channel: str) -> int:
        return int(await harness.redis.execute_command("SPUBLISH", channel, b"0 0 -\n"))

    minji.disconnect()
    assert await subscribers(channel) == 1
    junho.disconnect()

    async def unsubscribed() -> bool:
        return [await subscribers(one) for one in (channel, user_channel("minji"), user_channel("junho"))] == [0, 0, 0]

    await eventually(unsubscribed)


async def test_uploads_are_counted_over_all_gateways_and_media(redis: Redis):
    harness = GatewayHarness(redis, limits={"rates": True})
    async with harness.running(), harness.background_work(harness.new_gateway()) as other:
        room_id = harness.rooms.create("minji")
        first, second = await harness.connect("minji"), await harness.connect("minji", other)
        media = upload_rate(CircuitBreaker(redis), on=True)

        async def upload(client: FakeClient) -> dict[str, Any]:
            file = {"client_id": new_id(), "filename": "a.png", "data": "AAAA"}
            return await client.request("file.upload", room_id=room_id, **file)

        for client in (first, second):
            assert (await upload(client))["op"] == "ok"
        for _ in range(UPLOADS_OF_ONE.burst - 2):
            await media.count("minji")

        async def is_rejected(client: FakeClient) -> bool:
            return (await upload(client)).get("code") == "rate_limited"

        for client in (first, second):  # while the test ran, a token or two came
            await eventually(lambda client=client: is_rejected(client))
        with pytest.raises(RateLimited) as raised:
            await media.count("minji")
        assert 1 <= (raised.value.retry_after or 0) <= UPLOADS_OF_ONE.every_ms / 1000
