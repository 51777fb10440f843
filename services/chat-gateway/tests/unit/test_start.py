"""From `hello` to live: sessions, `ready`, resuming, and unavailable services."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from chat_gateway.driver.effects import run_effects
from chat_gateway.driver.sync import check_users
from chat_gateway.settings import Timings
from shared.contracts.rooms import MAX_RESUME
from shared.errors import Unavailable
from shared.metrics import REGISTRY
from shared.roomlog.keys import live_channel
from shared.streams.names import presence_key, user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    it = GatewayHarness()
    async with it.running():
        yield it


def started(kind: str) -> float:
    return REGISTRY.get_sample_value("webchat_starts_total", {"kind": kind}) or 0


def refused(code: str) -> float:
    return REGISTRY.get_sample_value("webchat_socket_errors_total", {"code": code}) or 0


def resets() -> float:
    return REGISTRY.get_sample_value("webchat_room_resets_total") or 0


def leaves_nothing(harness: GatewayHarness, client: FakeClient) -> bool:
    """Disconnect, and return whether the gateway has no state left."""
    client.leave()
    gateway = harness.gateway
    return (gateway.users, gateway.hub.rooms, +gateway.subscriber._wanted, client.connection.memberships) == (
        {},
        {},
        {},
        {},
    )


async def test_ready_tells_who_one_is_with_friends_and_rooms(harness: GatewayHarness):
    room_id, muted = harness.rooms.create("minji", "junho"), harness.rooms.create("minji")
    harness.rooms.say(room_id, "junho")
    harness.rooms.mute(muted, "minji")
    harness.social.follow("minji", "junho")
    before = started("fresh")
    minji = await harness.live("minji")
    [ready] = minji.frames
    assert ready["op"] == "ready"
    assert ready["user"] == msgspec.to_builtins(harness.auth.sessions[minji.session_id])
    assert (ready["session_id"], ready["epoch"], ready["heartbeat"]) == (minji.session_id, "epoch-1", 25)
    assert [profile["user_id"] for profile in ready["friends"]] == ["junho"]
    assert ready["rooms"] == [msgspec.to_builtins(harness.rooms.shown(one, "minji")) for one in (room_id, muted)]
    assert started("fresh") == before + 1
    assert minji.transport.processed >= 1  # the frames behind `hello` are read now
    assert leaves_nothing(harness, minji)


async def test_from_then_on_it_hears_its_rooms(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    minji = await harness.live("minji")
    sent = await minji.ask("message.send", room_id=room_id, client_id=room_id, body="hello")
    harness.gateway.subscriber.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [sent["version"]])
    [created] = minji.of("message.created")
    assert (created["seq"], created["body"]) == (1, "hello")


async def test_a_session_that_is_gone_is_told_so_and_nothing_else(harness: GatewayHarness):
    minji = harness.client("minji")
    del harness.auth.sessions[minji.session_id]
    minji.say("hello")
    await minji.settle()
    assert (minji.transport.closed, minji.frames) == (4401, [])
    assert minji.connection.protocol.closing
    minji.say("ping")
    assert minji.frames == []
    assert (harness.rooms.asked, harness.social.asked) == ([], [])
    assert leaves_nothing(harness, minji)


async def test_a_revocation_is_heard_while_the_session_is_checked(harness: GatewayHarness):
    """The user's channel is subscribed before auth is asked, so no revocation is missed."""
    minji = harness.client("minji")
    harness.auth.gate.clear()
    minji.say("hello")
    await eventually(lambda: harness.auth.asked)
    harness.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert (minji.transport.closed, [frame["op"] for frame in minji.frames]) == (4401, ["session.revoked"])
    harness.auth.gate.set()
    await minji.settle()
    assert leaves_nothing(harness, minji)


@pytest.mark.parametrize("away", ["auth", "social", "rooms", "redis"])
async def test_where_a_part_is_away_it_is_told_to_come_back(harness: GatewayHarness, away: str):
    harness.rooms.create("minji")
    minji = harness.client("minji")
    if away == "redis":
        harness.memory.away = True
    else:
        getattr(harness, away).problem = Unavailable("away")
    counted = refused("unavailable")
    frame_id = minji.say("hello")
    await minji.settle()
    [error] = minji.frames
    assert refused("unavailable") == counted + 1
    assert (error["op"], error["id"], error["code"], error["retry_after"]) == ("error", frame_id, "unavailable", 1)
    assert (minji.transport.closed, minji.connection.live) == (1013, False)
    assert leaves_nothing(harness, minji)


async def test_where_a_part_does_not_answer_in_time_it_is_told_to_come_back():
    harness = GatewayHarness(timings=Timings(start=0.05))
    async with harness.running():
        harness.rooms.gate.clear()
        minji = harness.client("minji")
        minji.say("hello")
        await minji.settle()
        assert [frame["code"] for frame in minji.frames] == ["unavailable"]
        assert minji.transport.closed == 1013
        harness.rooms.gate.set()


async def test_where_a_subscription_is_not_confirmed_in_time_it_is_told_to_come_back():
    harness = GatewayHarness(timings=Timings(start=0.05))
    async with harness.running():
        harness.confirms.clear()
        minji = harness.client("minji")
        minji.say("hello")
        await minji.settle()
        assert ([frame["code"] for frame in minji.frames], minji.transport.closed) == (["unavailable"], 1013)


async def test_rooms_that_go_away_between_ready_and_the_missed_events_close_it_to_come_back(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    harness.rooms.say(room_id, "minji")

    def go_away(_: Any) -> None:
        raise Unavailable("away")

    harness.rooms.on_events = go_away
    minji = harness.client("minji")
    minji.say("hello", cursors={room_id: 1}, epoch="epoch-1")
    await minji.settle()
    assert [frame["op"] for frame in minji.frames] == ["ready", "error"]
    assert (minji.transport.closed, minji.connection.live) == (1013, False)


async def test_what_was_missed_follows_ready(harness: GatewayHarness):
    room_id, other = harness.rooms.create("minji", "junho"), harness.rooms.create("minji")
    for _ in range(3):
        harness.rooms.say(room_id, "junho")
    before = started("resumed")
    minji = await harness.live("minji", cursors={room_id: 3}, epoch="epoch-1")
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
async def test_a_cursor_that_leads_nowhere_is_reset(harness: GatewayHarness, hello: dict[str, Any]):
    room_id = harness.rooms.create("junho", "minji")
    harness.rooms.say(room_id, "junho")
    cursor, counted = hello.get("cursor", 2), resets()
    hello = {name: value for name, value in hello.items() if name != "cursor"}
    minji = await harness.live("minji", cursors={room_id: cursor}, **hello)
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]
    assert (minji.frames[1]["room_id"], resets()) == (room_id, counted + 1)
    harness.rooms.say(room_id, "junho")
    harness.gateway.subscriber.mark_dirty(room_id)
    await eventually(lambda: minji.versions(room_id) == [4])


async def test_a_cursor_too_far_back_is_reset(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    for _ in range(MAX_RESUME + 1):
        harness.rooms.say(room_id, "minji", "x")
    minji = await harness.live("minji", cursors={room_id: 1}, epoch="epoch-1")
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]


async def test_a_new_epoch_closes_those_that_have_the_old_one(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    old = await harness.live("minji")
    harness.rooms.epoch = "epoch-2"
    new = harness.client("junho")
    new.say("hello")
    await new.settle()
    assert (old.transport.closed, new.transport.closed, new.frames) == (4310, 4310, [])
    again = await harness.live("minji")
    assert again.frames[0]["epoch"] == "epoch-2"
    assert harness.gateway.hub.reads(again.connection, room_id)
    assert harness.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_what_one_connection_learns_of_friends_the_users_others_are_told(harness: GatewayHarness):
    first = await harness.live("minji")
    harness.social.follow("minji", "junho")
    second = await harness.live("minji")
    assert [frame["profile"]["user_id"] for frame in first.of("friend.added")] == ["junho"]
    assert second.of("friend.added") == []


async def test_changes_since_the_snapshot_are_looked_for(harness: GatewayHarness):
    """A room added during the start is found without a notification."""
    harness.rooms.create("minji")
    minji = harness.client("minji")
    later = harness.rooms.create("junho")
    harness.social.gate.clear()
    minji.say("hello")
    await eventually(lambda: harness.rooms.of("homes") and harness.social.asked)
    harness.rooms.add(later, "minji")
    harness.social.gate.set()
    await minji.settle()
    assert harness.gateway.changed_users == {"minji"}
    assert harness.gateway.users_changed.is_set()


async def test_a_connection_begins_at_the_revision_of_its_snapshot(harness: GatewayHarness):
    """The background check finds no change."""
    harness.rooms.create("minji")
    await harness.live("minji")
    harness.gateway.changed_users.clear()
    await check_users(harness.gateway)
    assert harness.gateway.changed_users == set()


async def test_a_connection_is_counted_as_its_users(harness: GatewayHarness):
    minji = await harness.live("minji")
    assert list(harness.memory.sets[presence_key("minji")]) == [minji.connection.id]


async def test_sockets_beyond_the_allowed_ones_end_the_oldest():
    harness = GatewayHarness(limits={"sockets_per_user": 2})
    async with harness.running():
        first, second = await harness.live("minji"), await harness.live("minji")
        other = await harness.live("junho")
        assert harness.memory.published == []
        third = await harness.live("minji")
        hint = msgspec.json.encode(ConnectionsEvicted([first.connection.id]))
        assert harness.memory.published == [(user_channel("minji"), hint)]
        assert [one.transport.closed for one in (first, second, third, other)] == [4409, None, None, None]


async def test_who_goes_while_it_starts_leaves_nothing_behind(harness: GatewayHarness):
    harness.rooms.create("minji")
    for service in (harness.auth, harness.social, harness.rooms):
        minji = harness.client("minji")
        service.gate.clear()
        minji.say("hello")
        await eventually(lambda service=service: service.asked)
        assert leaves_nothing(harness, minji)
        service.asked.clear()
        service.gate.set()
        await minji.settle()
        assert minji.frames == []


async def test_a_frame_is_not_taken_between_hello_and_ready(harness: GatewayHarness):
    minji = harness.client("minji")
    assert minji.connection.accepts
    harness.auth.gate.clear()
    minji.say("hello")
    assert not minji.connection.accepts
    harness.auth.gate.set()
    await minji.settle()
    assert minji.connection.accepts


async def test_no_hello_in_time_closes_through_the_driver(harness: GatewayHarness):
    minji = harness.client("minji")
    run_effects(harness.gateway, minji.connection, minji.connection.protocol.hello_overdue())
    assert minji.transport.closed == 4408
