"""The start of a connection: sessions, `ready`, resuming, and unavailable services."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from chat_gateway.timings import Timings
from shared.contracts.limits import MAX_RESUME
from shared.errors import Unavailable
from shared.metrics import REGISTRY
from shared.roomlog.keys import live_channel
from shared.streams.names import presence_key, user_channel
from shared.streams.notifications import SessionsRevoked
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


def started(kind: str) -> float:
    return REGISTRY.get_sample_value("webchat_starts_total", {"kind": kind}) or 0


def errors(code: str) -> float:
    return REGISTRY.get_sample_value("webchat_socket_errors_total", {"code": code}) or 0


def resets() -> float:
    return REGISTRY.get_sample_value("webchat_room_resets_total") or 0


def disconnect_leaves_no_state(harness: GatewayHarness, client: FakeClient) -> bool:
    """Disconnect, and return whether the gateway has no state left."""
    client.disconnect()
    gateway = harness.gateway
    return (
        gateway.connections.users,
        gateway.live_rooms.hub.rooms,
        +gateway.live_rooms.subscriber._wanted,
        gateway.live_rooms.subscriptions._rooms,
    ) == (
        {},
        {},
        {},
        {},
    )


async def test_ready_contains_the_user_friends_and_rooms(harness: GatewayHarness):
    room_id, muted = harness.rooms.create("minji", "junho"), harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "junho")
    harness.rooms.mute(muted, "minji")
    harness.social.follow("minji", "junho")
    before = started("fresh")
    minji = await harness.connect("minji")
    [ready] = minji.frames
    assert ready["op"] == "ready"
    assert ready["user"] == msgspec.to_builtins(harness.auth.sessions[minji.session_id])
    assert (ready["session_id"], ready["epoch"], ready["heartbeat"]) == (minji.session_id, "epoch-1", 25)
    assert [profile["user_id"] for profile in ready["friends"]] == ["junho"]
    assert ready["rooms"] == [msgspec.to_builtins(harness.rooms.room_of(one, "minji")) for one in (room_id, muted)]
    assert started("fresh") == before + 1
    assert minji.transport.woken >= 1  # frames received after `hello` are processed now
    assert disconnect_leaves_no_state(harness, minji)


async def test_a_live_connection_receives_the_events_of_its_rooms(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.connect("minji")
    sent = await minji.request("message.send", room_id=room_id, client_id=room_id, body="hello")
    harness.gateway.live_rooms.feed.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [sent["version"]])
    [created] = minji.received("message.created")
    assert (created["seq"], created["body"]) == (1, "hello")


async def test_a_connection_without_an_active_session_is_closed_without_ready(harness: GatewayHarness):
    minji = harness.client("minji")
    del harness.auth.sessions[minji.session_id]
    minji.send("hello")
    await minji.settle()
    assert (minji.transport.closed, minji.frames) == (4401, [])
    assert minji.connection.closing
    minji.send("ping")
    assert minji.frames == []
    assert (harness.rooms.requests, harness.social.requests) == ([], [])
    assert disconnect_leaves_no_state(harness, minji)


async def test_a_revocation_during_the_session_check_is_not_missed(harness: GatewayHarness):
    """The user's channel is subscribed before the request to auth."""
    minji = harness.client("minji")
    harness.auth.pause()
    minji.send("hello")
    await eventually(lambda: harness.auth.requests)
    harness.deliver(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert (minji.transport.closed, [frame["op"] for frame in minji.frames]) == (4401, ["session.revoked"])
    harness.auth.resume()
    await minji.settle()
    assert disconnect_leaves_no_state(harness, minji)


@pytest.mark.parametrize("unavailable", ["auth", "social", "rooms", "redis"])
async def test_an_unavailable_service_closes_the_connection_with_try_again(harness: GatewayHarness, unavailable: str):
    harness.rooms.create("minji")
    minji = harness.client("minji")
    if unavailable == "redis":
        harness.memory.away = True
    else:
        getattr(harness, unavailable).error = Unavailable("away")
    counted = errors("unavailable")
    frame_id = minji.send("hello")
    await minji.settle()
    [error] = minji.frames
    assert errors("unavailable") == counted + 1
    assert (error["op"], error["id"], error["code"], error["retry_after"]) == ("error", frame_id, "unavailable", 1)
    assert (minji.transport.closed, minji.connection.live) == (1013, False)
    assert disconnect_leaves_no_state(harness, minji)


async def test_a_service_that_does_not_answer_in_time_closes_the_connection_with_try_again():
    harness = GatewayHarness(timings=Timings(start=0.05))
    async with harness.running():
        harness.rooms.pause()
        minji = harness.client("minji")
        minji.send("hello")
        await minji.settle()
        assert [frame["code"] for frame in minji.frames] == ["unavailable"]
        assert minji.transport.closed == 1013
        harness.rooms.resume()


async def test_a_subscription_not_confirmed_in_time_closes_the_connection_with_try_again():
    harness = GatewayHarness(timings=Timings(start=0.05))
    async with harness.running():
        harness.confirms.clear()
        minji = harness.client("minji")
        minji.send("hello")
        await minji.settle()
        assert ([frame["code"] for frame in minji.frames], minji.transport.closed) == (["unavailable"], 1013)


async def test_if_rooms_fails_after_ready_the_connection_is_closed_with_try_again(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "minji")

    def fail(_: Any) -> None:
        raise Unavailable("away")

    harness.rooms.on_events = fail
    minji = harness.client("minji")
    minji.send("hello", cursors={room_id: 1}, epoch="epoch-1")
    await minji.settle()
    assert [frame["op"] for frame in minji.frames] == ["ready", "error"]
    assert (minji.transport.closed, minji.connection.live) == (1013, False)


async def test_missed_events_follow_ready(harness: GatewayHarness):
    room_id, other = harness.rooms.create("minji", "junho"), harness.rooms.create("minji")
    for _ in range(3):
        harness.rooms.add_message(room_id, "junho")
    before = started("resumed")
    minji = await harness.connect("minji", cursors={room_id: 3}, epoch="epoch-1")
    assert [frame["op"] for frame in minji.frames] == ["ready", "message.created", "message.created"]
    assert (minji.versions(room_id), minji.versions(other)) == ([4, 5], [])
    assert started("resumed") == before + 1


@pytest.mark.parametrize(
    "hello",
    [
        {"epoch": "another"},
        {},
        {"epoch": "epoch-1", "cursor": 99},
        {"epoch": "epoch-1", "cursor": 1},
    ],
    ids=["another log", "no log", "past the head", "before joining"],
)
async def test_an_unusable_cursor_is_reset(harness: GatewayHarness, hello: dict[str, Any]):
    room_id = harness.rooms.create("junho", "minji")
    harness.rooms.add_message(room_id, "junho")
    cursor, counted = hello.get("cursor", 2), resets()
    hello = {name: value for name, value in hello.items() if name != "cursor"}
    minji = await harness.connect("minji", cursors={room_id: cursor}, **hello)
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]
    assert (minji.frames[1]["room_id"], resets()) == (room_id, counted + 1)
    harness.rooms.add_message(room_id, "junho")
    harness.gateway.live_rooms.feed.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id) == [4])


async def test_a_cursor_too_far_back_is_reset(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    for _ in range(MAX_RESUME + 1):
        harness.rooms.add_message(room_id, "minji", "x")
    minji = await harness.connect("minji", cursors={room_id: 1}, epoch="epoch-1")
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]


async def test_a_new_epoch_closes_connections_of_the_old_one(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    old = await harness.connect("minji")
    harness.rooms.epoch = "epoch-2"
    new = harness.client("junho")
    new.send("hello")
    await new.settle()
    assert (old.transport.closed, new.transport.closed, new.frames) == (4310, 4310, [])
    again = await harness.connect("minji")
    assert again.frames[0]["epoch"] == "epoch-2"
    assert harness.gateway.live_rooms.hub.reads(again.connection, room_id)
    assert harness.gateway.live_rooms.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_changed_friends_found_by_one_connection_are_sent_to_the_users_others(harness: GatewayHarness):
    first = await harness.connect("minji")
    harness.social.follow("minji", "junho")
    second = await harness.connect("minji")
    assert [frame["profile"]["user_id"] for frame in first.received("friend.added")] == ["junho"]
    assert second.received("friend.added") == []


async def test_changes_since_the_snapshot_are_looked_for(harness: GatewayHarness):
    """A room added during the start is found without a notification."""
    harness.rooms.create("minji")
    minji = harness.client("minji")
    later = harness.rooms.create("junho")
    harness.social.pause()
    minji.send("hello")
    await eventually(lambda: harness.rooms.requests_to("homes") and harness.social.requests)
    harness.rooms.add(later, "minji")
    harness.social.resume()
    await minji.settle()
    await harness.gateway.user_sync.started.drain()
    assert set(harness.gateway.user_sync.changed) == {"minji"}


async def test_a_connection_starts_at_the_revision_of_its_snapshot(harness: GatewayHarness):
    """The background check finds no change."""
    harness.rooms.create("minji")
    await harness.connect("minji")
    await harness.gateway.user_sync.started.drain()
    await harness.gateway.user_sync.check()
    assert set(harness.gateway.user_sync.changed) == set()


async def test_a_connection_is_registered_for_its_user(harness: GatewayHarness):
    minji = await harness.connect("minji")
    assert list(harness.memory.sets[presence_key("minji")]) == [minji.presence_entry]


async def test_too_many_connections_of_a_user_close_the_oldest():
    harness = GatewayHarness(limits={"sockets_per_user": 2})
    async with harness.running():
        first, second = await harness.connect("minji"), await harness.connect("minji")
        other = await harness.connect("junho")
        third = await harness.connect("minji")
        assert [one.transport.closed for one in (first, second, third, other)] == [4409, None, None, None]


async def test_a_connection_lost_during_the_start_leaves_no_state(harness: GatewayHarness):
    harness.rooms.create("minji")
    for service in (harness.auth, harness.social, harness.rooms):
        minji = harness.client("minji")
        service.pause()
        minji.send("hello")
        await eventually(lambda service=service: service.requests)
        assert disconnect_leaves_no_state(harness, minji)
        service.requests.clear()
        service.resume()
        await minji.settle()
        assert minji.frames == []


async def test_frames_are_not_accepted_between_hello_and_ready(harness: GatewayHarness):
    minji = harness.client("minji")
    assert minji.connection.accepts_frames
    harness.auth.pause()
    minji.send("hello")
    assert not minji.connection.accepts_frames
    harness.auth.resume()
    await minji.settle()
    assert minji.connection.accepts_frames


async def test_the_driver_closes_a_connection_without_hello(harness: GatewayHarness):
    minji = harness.client("minji")
    harness.gateway.effects.run(minji.connection, minji.connection.hello_overdue())
    assert minji.transport.closed == 4408
