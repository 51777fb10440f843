"""Join rooms: missed events first, then each live event exactly once."""

from collections.abc import AsyncIterator

import pytest

from chat_gateway.driver.joining import ROOMS_AT_ONCE, ROUNDS, join_rooms
from shared.contracts.rooms import EventsRequest
from shared.metrics import REGISTRY
from shared.roomlog.frames import event_frame
from shared.roomlog.keys import live_channel
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    it = GatewayHarness()
    async with it.running():
        yield it


async def placed(harness: GatewayHarness, user_id: str, *room_ids: str) -> FakeClient:
    """Create a connection that is subscribed to rooms but has not joined them."""
    gateway, client = harness.gateway, harness.client(user_id)
    gateway.adopt_epoch(harness.rooms.epoch)
    await gateway.register(client.connection)
    client.connection.epoch, client.connection.handshake_done = harness.rooms.epoch, True
    client.connection.memberships = {room_id: harness.rooms.rooms[room_id].memberships[user_id] for room_id in room_ids}
    await gateway.subscriber.acquire(gateway.subscriber.room_handlers(room_ids))
    return client


def wanted(harness: GatewayHarness, room_id: str) -> int:
    """Return how many subscribers the room's channel has."""
    return harness.gateway.subscriber._wanted[live_channel(harness.rooms.epoch, room_id)]


def publish(harness: GatewayHarness, room_id: str, after: int) -> None:
    """Deliver the events after a version on the room's channel."""
    room = harness.rooms.rooms[room_id]
    data = b"".join(map(event_frame, room.events[after:]))
    harness.hear(live_channel(harness.rooms.epoch, room_id), b"%d %d -\n" % (after + 1, room.version) + data)


async def join(harness: GatewayHarness, client: FakeClient, **rooms: tuple[str, int]) -> None:
    """Join rooms from a cursor each, with the current versions as heads."""
    cursors = dict(rooms.values())
    heads = {room_id: harness.rooms.rooms[room_id].version for room_id in cursors}
    await join_rooms(harness.gateway, client.connection, cursors, heads)


async def test_who_has_everything_joins_without_asking_for_events(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    other = await placed(harness, "minji", room_id)
    await join(harness, other, room=(room_id, 1))
    await eventually(lambda: not harness.gateway.subscriber._dirty)
    asked = len(harness.rooms.of("events"))
    minji = await placed(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 1))
    assert harness.gateway.hub.reads(minji.connection, room_id)
    assert (len(harness.rooms.of("events")), minji.frames) == (asked, [])


async def test_what_was_missed_comes_before_what_happens_now(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    for body in ("one", "two", "three"):
        harness.rooms.say(room_id, "junho", body)
    minji = await placed(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    late = REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") or 0
    harness.rooms.say(room_id, "junho", "four")
    publish(harness, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [3, 4, 5, 6])
    assert minji.transport.sent == 1  # in one piece, and waited for
    assert REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") == late + 1


async def test_what_happens_while_the_missed_is_written_is_there_once(harness: GatewayHarness):
    """The hub advances while missed events are read."""
    room_id = harness.rooms.create("minji", "junho")
    junho = await placed(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    harness.rooms.say(room_id, "junho", "one")
    minji = await placed(harness, "minji", room_id)
    later = iter(("two", "three"))

    def meanwhile(_: EventsRequest) -> None:
        if (body := next(later, None)) is not None:
            harness.rooms.say(room_id, "junho", body)
            publish(harness, room_id, harness.rooms.rooms[room_id].version - 1)

    harness.rooms.on_events = meanwhile
    await join(harness, minji, room=(room_id, 2))
    harness.rooms.say(room_id, "junho", "four")
    publish(harness, room_id, 5)
    await eventually(lambda: len(junho.versions(room_id)) == 4)
    assert minji.versions(room_id) == junho.versions(room_id) == [3, 4, 5, 6]
    assert harness.gateway.hub.reads(minji.connection, room_id)


async def test_what_was_missed_may_take_several_answers(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    for _ in range(5):
        harness.rooms.say(room_id, "minji")
    harness.rooms.events_at_once = 2
    minji = await placed(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 1))
    assert minji.versions(room_id) == [2, 3, 4, 5, 6]
    assert harness.gateway.hub.version_of(room_id) == 6


async def test_who_is_out_while_the_hub_is_repaired_does_not_join(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    junho = await placed(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    await eventually(lambda: not harness.gateway.subscriber._dirty)
    harness.rooms.say(room_id, "junho")
    minji = await placed(harness, "minji", room_id)
    asked: list[EventsRequest] = []

    def leave_at_the_repair(request: EventsRequest) -> None:
        asked.append(request)
        if len(asked) == 2:
            harness.gateway.forget_membership(minji.connection, room_id)

    harness.rooms.on_events = leave_at_the_repair
    await join(harness, minji, room=(room_id, 2))
    assert len(asked) == 2
    assert not harness.gateway.hub.reads(minji.connection, room_id)


async def test_where_the_hub_is_behind_it_is_repaired_and_then_joined(harness: GatewayHarness):
    """Unpublished events also reach the readers that have joined already."""
    room_id = harness.rooms.create("minji", "junho")
    junho = await placed(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    await eventually(lambda: not harness.gateway.subscriber._dirty)
    harness.rooms.say(room_id, "junho")
    minji = await placed(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    assert harness.gateway.hub.version_of(room_id) == 3
    assert harness.gateway.hub.reads(minji.connection, room_id)
    assert minji.versions(room_id) == [3]
    await eventually(lambda: junho.versions(room_id) == [3])


async def test_a_room_that_a_join_opens_is_read_once_more(harness: GatewayHarness):
    """The hub had no such room, so events published before the join are only in the log."""
    room_id = harness.rooms.create("minji", "junho")
    minji = await placed(harness, "minji", room_id)
    harness.rooms.say(room_id, "junho")
    publish(harness, room_id, 2)  # nobody is there to take it
    await join_rooms(harness.gateway, minji.connection, {room_id: 2}, {room_id: 2})
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_a_log_that_does_not_reach_back_is_reset_and_joined_at_its_head(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    for _ in range(3):
        harness.rooms.say(room_id, "junho")
    harness.rooms.forget_events(room_id)
    minji = await placed(harness, "minji", room_id)
    counted = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await join(harness, minji, room=(room_id, 2))
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == counted + 1
    harness.rooms.say(room_id, "junho")
    publish(harness, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [6])
    assert minji.frames[0] == {"op": "room.reset", "room_id": room_id}


async def test_ones_own_leaving_among_the_missed_is_the_last_that_is_sent(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    minji = await placed(harness, "minji", room_id)
    harness.rooms.say(room_id, "junho")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.say(room_id, "junho", "a secret")
    await join(harness, minji, room=(room_id, 2))
    ops = [frame["op"] for frame in minji.frames]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert not harness.gateway.hub.reads(minji.connection, room_id)
    assert (minji.connection.memberships, wanted(harness, room_id)) == ({}, 0)


async def test_an_earlier_leaving_of_who_is_back_does_not_count(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add(room_id, "minji")
    minji = await placed(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    assert minji.versions(room_id) == [3, 4]
    assert harness.gateway.hub.reads(minji.connection, room_id)


async def test_a_room_that_is_gone_keeps_nobody_from_the_others(harness: GatewayHarness):
    gone, stays = harness.rooms.create("minji"), harness.rooms.create("minji")
    minji = await placed(harness, "minji", gone, stays)
    harness.rooms.say(stays, "minji")
    cursors, heads = {gone: 0, stays: 1}, {gone: 1, stays: 2}
    del harness.rooms.rooms[gone]
    await join_rooms(harness.gateway, minji.connection, cursors, heads)
    assert not harness.gateway.hub.reads(minji.connection, gone)
    assert harness.gateway.hub.reads(minji.connection, stays)
    assert (minji.versions(stays), minji.transport.closed) == ([2], None)


async def test_a_room_that_was_left_meanwhile_is_neither_written_nor_joined(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    harness.rooms.say(room_id, "minji")
    minji = await placed(harness, "minji", room_id)

    def leave(_: EventsRequest) -> None:
        harness.gateway.forget_membership(minji.connection, room_id)

    harness.rooms.on_events = leave
    await join(harness, minji, room=(room_id, 1))
    assert (minji.frames, harness.gateway.hub.reads(minji.connection, room_id)) == ([], False)


async def test_many_rooms_are_read_a_few_at_a_time(harness: GatewayHarness):
    room_ids = [harness.rooms.create("minji") for _ in range(2 * ROOMS_AT_ONCE + 1)]
    for room_id in room_ids:
        harness.rooms.say(room_id, "minji")
    minji = await placed(harness, "minji", *room_ids)
    await join(harness, minji, **{room_id: (room_id, 1) for room_id in room_ids})
    assert [room_id for room_id in room_ids if not harness.gateway.hub.reads(minji.connection, room_id)] == []
    assert {room_id: minji.versions(room_id) for room_id in room_ids} == {room_id: [2] for room_id in room_ids}
    assert max(len(asked.cursors) for asked in harness.rooms.of("events")) == ROOMS_AT_ONCE


async def test_a_room_that_is_never_caught_up_with_ends_the_connection(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    junho = await placed(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    harness.rooms.say(room_id, "junho")
    minji = await placed(harness, "minji", room_id)
    rounds = 0

    def faster(request: EventsRequest) -> None:
        """Deliver two events for each event that is read."""
        nonlocal rounds
        rounds += 1
        version = harness.rooms.rooms[room_id].version
        for _ in range(2):
            harness.rooms.say(room_id, "junho")
        publish(harness, room_id, version)
        assert request.cursors[room_id] < version

    harness.rooms.on_events, harness.rooms.events_at_once = faster, 1
    await join(harness, minji, room=(room_id, 2))
    assert minji.transport.closed == 4308
    assert rounds >= ROUNDS
