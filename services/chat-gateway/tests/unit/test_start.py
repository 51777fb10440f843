"""From `hello` to live: sessions, `ready`, resuming, and unavailable services."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from chat_gateway.driver.run import run_effects
from chat_gateway.driver.sync import check_users
from chat_gateway.settings import Timings
from shared.contracts.rooms import MAX_RESUME
from shared.errors import Unavailable
from shared.metrics import REGISTRY
from shared.roomlog.keys import live_channel
from shared.streams.names import presence_key, user_channel
from shared.streams.notifications import ConnectionsEvicted, SessionsRevoked
from shared.testing.fixtures import eventually

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


def started(kind: str) -> float:
    return REGISTRY.get_sample_value("webchat_starts_total", {"kind": kind}) or 0


def refused(code: str) -> float:
    return REGISTRY.get_sample_value("webchat_socket_errors_total", {"code": code}) or 0


def resets() -> float:
    return REGISTRY.get_sample_value("webchat_room_resets_total") or 0


def leaves_nothing(edge: Edge, person: Person) -> bool:
    """Disconnect, and return whether the gateway has no state left."""
    person.leave()
    gateway = edge.gateway
    return (gateway.users, gateway.hub.rooms, +gateway.subscriber._wanted, person.client.memberships) == (
        {},
        {},
        {},
        {},
    )


async def test_ready_tells_who_one_is_with_friends_and_rooms(edge: Edge):
    room_id, muted = edge.rooms.create("minji", "junho"), edge.rooms.create("minji")
    edge.rooms.say(room_id, "junho")
    edge.rooms.mute(muted, "minji")
    edge.social.follow("minji", "junho")
    before = started("fresh")
    minji = await edge.live("minji")
    [ready] = minji.frames
    assert ready["op"] == "ready"
    assert ready["user"] == msgspec.to_builtins(edge.auth.sessions[minji.session_id])
    assert (ready["session_id"], ready["epoch"], ready["heartbeat"]) == (minji.session_id, "epoch-1", 25)
    assert [profile["user_id"] for profile in ready["friends"]] == ["junho"]
    assert ready["rooms"] == [msgspec.to_builtins(edge.rooms.shown(one, "minji")) for one in (room_id, muted)]
    assert started("fresh") == before + 1
    assert minji.wire.read >= 1  # the frames behind `hello` are read now
    assert leaves_nothing(edge, minji)


async def test_from_then_on_it_hears_its_rooms(edge: Edge):
    room_id = edge.rooms.create("minji")
    minji = await edge.live("minji")
    sent = await minji.ask("message.send", room_id=room_id, client_id=room_id, body="hello")
    edge.gateway.subscriber.tear(room_id)
    await eventually(lambda: minji.versions(room_id)[-1:] == [sent["version"]])
    [created] = minji.of("message.created")
    assert (created["seq"], created["body"]) == (1, "hello")


async def test_a_session_that_is_gone_is_told_so_and_nothing_else(edge: Edge):
    minji = edge.person("minji")
    del edge.auth.sessions[minji.session_id]
    minji.say("hello")
    await minji.settle()
    assert (minji.wire.closed, minji.frames) == (4401, [])
    assert minji.client.connection.closing
    minji.say("ping")
    assert minji.frames == []
    assert (edge.rooms.asked, edge.social.asked) == ([], [])
    assert leaves_nothing(edge, minji)


async def test_a_revocation_is_heard_while_the_session_is_checked(edge: Edge):
    """The user's channel is subscribed before auth is asked, so no revocation is missed."""
    minji = edge.person("minji")
    edge.auth.gate.clear()
    minji.say("hello")
    await eventually(lambda: edge.auth.asked)
    edge.hear(user_channel("minji"), msgspec.json.encode(SessionsRevoked([minji.session_id])))
    assert (minji.wire.closed, [frame["op"] for frame in minji.frames]) == (4401, ["session.revoked"])
    edge.auth.gate.set()
    await minji.settle()
    assert leaves_nothing(edge, minji)


@pytest.mark.parametrize("away", ["auth", "social", "rooms", "redis"])
async def test_where_a_part_is_away_it_is_told_to_come_back(edge: Edge, away: str):
    edge.rooms.create("minji")
    minji = edge.person("minji")
    if away == "redis":
        edge.memory.away = True
    else:
        getattr(edge, away).problem = Unavailable("away")
    counted = refused("unavailable")
    frame_id = minji.say("hello")
    await minji.settle()
    [error] = minji.frames
    assert refused("unavailable") == counted + 1
    assert (error["op"], error["id"], error["code"], error["retry_after"]) == ("error", frame_id, "unavailable", 1)
    assert (minji.wire.closed, minji.client.live) == (1013, False)
    assert leaves_nothing(edge, minji)


async def test_where_a_part_does_not_answer_in_time_it_is_told_to_come_back():
    edge = Edge(timings=Timings(start=0.05))
    async with edge.running():
        edge.rooms.gate.clear()
        minji = edge.person("minji")
        minji.say("hello")
        await minji.settle()
        assert [frame["code"] for frame in minji.frames] == ["unavailable"]
        assert minji.wire.closed == 1013
        edge.rooms.gate.set()


async def test_where_a_subscription_is_not_confirmed_in_time_it_is_told_to_come_back():
    edge = Edge(timings=Timings(start=0.05))
    async with edge.running():
        edge.confirms.clear()
        minji = edge.person("minji")
        minji.say("hello")
        await minji.settle()
        assert ([frame["code"] for frame in minji.frames], minji.wire.closed) == (["unavailable"], 1013)


async def test_rooms_that_go_away_between_ready_and_the_missed_events_close_it_to_come_back(edge: Edge):
    room_id = edge.rooms.create("minji")
    edge.rooms.say(room_id, "minji")

    def go_away(_: Any) -> None:
        raise Unavailable("away")

    edge.rooms.on_events = go_away
    minji = edge.person("minji")
    minji.say("hello", cursors={room_id: 1}, epoch="epoch-1")
    await minji.settle()
    assert [frame["op"] for frame in minji.frames] == ["ready", "error"]
    assert (minji.wire.closed, minji.client.live) == (1013, False)


async def test_what_was_missed_follows_ready(edge: Edge):
    room_id, other = edge.rooms.create("minji", "junho"), edge.rooms.create("minji")
    for _ in range(3):
        edge.rooms.say(room_id, "junho")
    before = started("resumed")
    minji = await edge.live("minji", cursors={room_id: 3}, epoch="epoch-1")
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
async def test_a_cursor_that_leads_nowhere_is_reset(edge: Edge, hello: dict[str, Any]):
    room_id = edge.rooms.create("junho", "minji")
    edge.rooms.say(room_id, "junho")
    cursor, counted = hello.get("cursor", 2), resets()
    hello = {name: value for name, value in hello.items() if name != "cursor"}
    minji = await edge.live("minji", cursors={room_id: cursor}, **hello)
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]
    assert (minji.frames[1]["room_id"], resets()) == (room_id, counted + 1)
    edge.rooms.say(room_id, "junho")
    edge.gateway.subscriber.tear(room_id)
    await eventually(lambda: minji.versions(room_id) == [4])


async def test_a_cursor_too_far_back_is_reset(edge: Edge):
    room_id = edge.rooms.create("minji")
    for _ in range(MAX_RESUME + 1):
        edge.rooms.say(room_id, "minji", "x")
    minji = await edge.live("minji", cursors={room_id: 1}, epoch="epoch-1")
    assert [frame["op"] for frame in minji.frames] == ["ready", "room.reset"]


async def test_a_new_epoch_closes_those_that_have_the_old_one(edge: Edge):
    room_id = edge.rooms.create("minji")
    old = await edge.live("minji")
    edge.rooms.epoch = "epoch-2"
    new = edge.person("junho")
    new.say("hello")
    await new.settle()
    assert (old.wire.closed, new.wire.closed, new.frames) == (4310, 4310, [])
    again = await edge.live("minji")
    assert again.frames[0]["epoch"] == "epoch-2"
    assert edge.gateway.hub.reads(again.client, room_id)
    assert edge.gateway.subscriber._wanted[live_channel("epoch-1", room_id)] == 0


async def test_what_one_connection_learns_of_friends_the_users_others_are_told(edge: Edge):
    first = await edge.live("minji")
    edge.social.follow("minji", "junho")
    second = await edge.live("minji")
    assert [frame["profile"]["user_id"] for frame in first.of("friend.added")] == ["junho"]
    assert second.of("friend.added") == []


async def test_changes_since_the_snapshot_are_looked_for(edge: Edge):
    """A room added during the start is found without a notification."""
    edge.rooms.create("minji")
    minji = edge.person("minji")
    later = edge.rooms.create("junho")
    edge.social.gate.clear()
    minji.say("hello")
    await eventually(lambda: edge.rooms.of("homes") and edge.social.asked)
    edge.rooms.add(later, "minji")
    edge.social.gate.set()
    await minji.settle()
    assert edge.gateway.changed_users == {"minji"}
    assert edge.gateway.users_changed.is_set()


async def test_a_connection_begins_at_the_revision_of_its_snapshot(edge: Edge):
    """The background check finds no change."""
    edge.rooms.create("minji")
    await edge.live("minji")
    edge.gateway.changed_users.clear()
    await check_users(edge.gateway)
    assert edge.gateway.changed_users == set()


async def test_a_connection_is_counted_as_its_users(edge: Edge):
    minji = await edge.live("minji")
    assert list(edge.memory.sets[presence_key("minji")]) == [minji.client.id]


async def test_sockets_beyond_the_allowed_ones_end_the_oldest():
    edge = Edge(limits={"sockets_per_user": 2})
    async with edge.running():
        first, second = await edge.live("minji"), await edge.live("minji")
        other = await edge.live("junho")
        assert edge.memory.published == []
        third = await edge.live("minji")
        hint = msgspec.json.encode(ConnectionsEvicted([first.client.id]))
        assert edge.memory.published == [(user_channel("minji"), hint)]
        assert [one.wire.closed for one in (first, second, third, other)] == [4409, None, None, None]


async def test_who_goes_while_it_starts_leaves_nothing_behind(edge: Edge):
    edge.rooms.create("minji")
    for service in (edge.auth, edge.social, edge.rooms):
        minji = edge.person("minji")
        service.gate.clear()
        minji.say("hello")
        await eventually(lambda service=service: service.asked)
        assert leaves_nothing(edge, minji)
        service.asked.clear()
        service.gate.set()
        await minji.settle()
        assert minji.frames == []


async def test_a_frame_is_not_taken_between_hello_and_ready(edge: Edge):
    minji = edge.person("minji")
    assert minji.client.accepts
    edge.auth.gate.clear()
    minji.say("hello")
    assert not minji.client.accepts
    edge.auth.gate.set()
    await minji.settle()
    assert minji.client.accepts


async def test_no_hello_in_time_closes_through_the_driver(edge: Edge):
    minji = edge.person("minji")
    run_effects(edge.gateway, minji.client, minji.client.connection.hello_overdue())
    assert minji.wire.closed == 4408
