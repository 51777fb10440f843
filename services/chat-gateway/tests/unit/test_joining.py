"""Joining rooms: missed events first, then each live event exactly once."""

from collections.abc import AsyncIterator

import pytest

from chat_gateway.driver.joining import MAX_ROUNDS, ROOMS_AT_ONCE, RoomJoiner
from shared.contracts.rooms import EventsRequest
from shared.metrics import REGISTRY
from shared.roomlog.frames import event_frame
from shared.roomlog.keys import live_channel
from shared.testing.fixtures import eventually

from ..harness import FakeClient, GatewayHarness  # noqa: TID252 - the tests of one service


@pytest.fixture
async def harness() -> AsyncIterator[GatewayHarness]:
    harness = GatewayHarness()
    async with harness.running():
        yield harness


async def subscribed_client(harness: GatewayHarness, user_id: str, *room_ids: str) -> FakeClient:
    """Create a client whose connection is subscribed to rooms but has not joined them."""
    gateway, client = harness.gateway, harness.client(user_id)
    gateway.live_rooms.adopt_epoch(harness.rooms.epoch)
    await gateway.connections.register(client.connection)
    client.connection.epoch, client.connection.handshake_done = harness.rooms.epoch, True
    memberships = {room_id: harness.rooms.rooms[room_id].memberships[user_id] for room_id in room_ids}
    await gateway.live_rooms.subscriptions.join(client.connection, memberships)
    return client


def wanted(harness: GatewayHarness, room_id: str) -> int:
    """Return how many subscribers the room's channel has."""
    return harness.gateway.live_rooms.subscriber._wanted[live_channel(harness.rooms.epoch, room_id)]


def publish(harness: GatewayHarness, room_id: str, after: int) -> None:
    """Deliver the events after a version on the room's channel."""
    room = harness.rooms.rooms[room_id]
    data = b"".join(map(event_frame, room.events[after:]))
    harness.deliver(live_channel(harness.rooms.epoch, room_id), b"%d %d -\n" % (after + 1, room.version) + data)


async def join(harness: GatewayHarness, client: FakeClient, **rooms: tuple[str, int]) -> None:
    """Join rooms from a cursor each, with the current versions as heads."""
    cursors = dict(rooms.values())
    heads = {room_id: harness.rooms.rooms[room_id].version for room_id in cursors}
    await RoomJoiner(harness.gateway.live_rooms).join(client.connection, cursors, heads)


async def test_a_connection_that_missed_nothing_joins_without_reading_events(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    other = await subscribed_client(harness, "minji", room_id)
    await join(harness, other, room=(room_id, 1))
    await eventually(lambda: not harness.gateway.live_rooms.feed._dirty)
    before = len(harness.rooms.requests_to("events"))
    minji = await subscribed_client(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 1))
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    assert (len(harness.rooms.requests_to("events")), minji.frames) == (before, [])


async def test_missed_events_are_sent_before_live_events(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    for body in ("one", "two", "three"):
        harness.rooms.add_message(room_id, "junho", body)
    minji = await subscribed_client(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    observed = REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") or 0
    harness.rooms.add_message(room_id, "junho", "four")
    publish(harness, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [3, 4, 5, 6])
    assert minji.transport.sent == 1  # in one call of `send`
    assert REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") == observed + 1


async def test_events_published_while_missed_events_are_sent_arrive_once(harness: GatewayHarness):
    """The hub advances while missed events are read."""
    room_id = harness.rooms.create("minji", "junho")
    junho = await subscribed_client(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    harness.rooms.add_message(room_id, "junho", "one")
    minji = await subscribed_client(harness, "minji", room_id)
    later = iter(("two", "three"))

    def meanwhile(_: EventsRequest) -> None:
        if (body := next(later, None)) is not None:
            harness.rooms.add_message(room_id, "junho", body)
            publish(harness, room_id, harness.rooms.rooms[room_id].version - 1)

    harness.rooms.on_events = meanwhile
    await join(harness, minji, room=(room_id, 2))
    harness.rooms.add_message(room_id, "junho", "four")
    publish(harness, room_id, 5)
    await eventually(lambda: len(junho.versions(room_id)) == 4)
    assert minji.versions(room_id) == junho.versions(room_id) == [3, 4, 5, 6]
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)


async def test_missed_events_may_take_several_pages(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    for _ in range(5):
        harness.rooms.add_message(room_id, "minji")
    harness.rooms.events_at_once = 2
    minji = await subscribed_client(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 1))
    assert minji.versions(room_id) == [2, 3, 4, 5, 6]
    assert harness.gateway.live_rooms.hub.version_of(room_id) == 6


async def test_a_user_who_leaves_during_the_repair_does_not_join(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    junho = await subscribed_client(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    await eventually(lambda: not harness.gateway.live_rooms.feed._dirty)
    harness.rooms.add_message(room_id, "junho")
    minji = await subscribed_client(harness, "minji", room_id)
    requests: list[EventsRequest] = []

    def leave_at_the_repair(request: EventsRequest) -> None:
        requests.append(request)
        if len(requests) == 2:
            harness.gateway.live_rooms.subscriptions.leave(minji.connection, room_id)

    harness.rooms.on_events = leave_at_the_repair
    await join(harness, minji, room=(room_id, 2))
    assert len(requests) == 2
    assert not harness.gateway.live_rooms.hub.reads(minji.connection, room_id)


async def test_a_lagging_hub_is_repaired_and_then_joined(harness: GatewayHarness):
    """Unpublished events also reach the readers that have joined already."""
    room_id = harness.rooms.create("minji", "junho")
    junho = await subscribed_client(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    await eventually(lambda: not harness.gateway.live_rooms.feed._dirty)
    harness.rooms.add_message(room_id, "junho")
    minji = await subscribed_client(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    assert harness.gateway.live_rooms.hub.version_of(room_id) == 3
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    assert minji.versions(room_id) == [3]
    await eventually(lambda: junho.versions(room_id) == [3])


async def test_a_room_without_other_readers_is_read_again_after_the_join(harness: GatewayHarness):
    """The hub had no such room, so events published before the join are only in the log."""
    room_id = harness.rooms.create("minji", "junho")
    minji = await subscribed_client(harness, "minji", room_id)
    harness.rooms.add_message(room_id, "junho")
    publish(harness, room_id, 2)  # the room has no readers
    await RoomJoiner(harness.gateway.live_rooms).join(minji.connection, {room_id: 2}, {room_id: 2})
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_if_the_log_does_not_reach_back_the_room_is_reset_and_joined_at_its_head(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    for _ in range(3):
        harness.rooms.add_message(room_id, "junho")
    harness.rooms.forget_events(room_id)
    minji = await subscribed_client(harness, "minji", room_id)
    counted = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await join(harness, minji, room=(room_id, 2))
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == counted + 1
    harness.rooms.add_message(room_id, "junho")
    publish(harness, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [6])
    assert minji.frames[0] == {"op": "room.reset", "room_id": room_id}


async def test_no_missed_events_are_sent_after_the_users_own_departure(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    minji = await subscribed_client(harness, "minji", room_id)
    harness.rooms.add_message(room_id, "junho")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add_message(room_id, "junho", "a secret")
    await join(harness, minji, room=(room_id, 2))
    ops = [frame["op"] for frame in minji.frames]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert not harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    assert (harness.gateway.live_rooms.subscriptions.of(minji.connection), wanted(harness, room_id)) == ({}, 0)


async def test_a_departure_before_rejoining_does_not_count(harness: GatewayHarness):
    room_id = harness.rooms.create("junho", "minji")
    harness.rooms.remove(room_id, "minji")
    harness.rooms.add(room_id, "minji")
    minji = await subscribed_client(harness, "minji", room_id)
    await join(harness, minji, room=(room_id, 2))
    assert minji.versions(room_id) == [3, 4]
    assert harness.gateway.live_rooms.hub.reads(minji.connection, room_id)


async def test_a_deleted_room_does_not_prevent_joining_others(harness: GatewayHarness):
    deleted, remaining = harness.rooms.create("minji"), harness.rooms.create("minji")
    minji = await subscribed_client(harness, "minji", deleted, remaining)
    harness.rooms.add_message(remaining, "minji")
    cursors, heads = {deleted: 0, remaining: 1}, {deleted: 1, remaining: 2}
    del harness.rooms.rooms[deleted]
    await RoomJoiner(harness.gateway.live_rooms).join(minji.connection, cursors, heads)
    assert not harness.gateway.live_rooms.hub.reads(minji.connection, deleted)
    assert harness.gateway.live_rooms.hub.reads(minji.connection, remaining)
    assert (minji.versions(remaining), minji.transport.closed) == ([2], None)


async def test_a_room_left_while_events_are_read_is_neither_sent_nor_joined(harness: GatewayHarness):
    room_id = harness.rooms.create("minji")
    harness.rooms.add_message(room_id, "minji")
    minji = await subscribed_client(harness, "minji", room_id)

    def leave(_: EventsRequest) -> None:
        harness.gateway.live_rooms.subscriptions.leave(minji.connection, room_id)

    harness.rooms.on_events = leave
    await join(harness, minji, room=(room_id, 1))
    assert (minji.frames, harness.gateway.live_rooms.hub.reads(minji.connection, room_id)) == ([], False)


async def test_many_rooms_are_read_a_few_at_a_time(harness: GatewayHarness):
    room_ids = [harness.rooms.create("minji") for _ in range(2 * ROOMS_AT_ONCE + 1)]
    for room_id in room_ids:
        harness.rooms.add_message(room_id, "minji")
    minji = await subscribed_client(harness, "minji", *room_ids)
    await join(harness, minji, **{room_id: (room_id, 1) for room_id in room_ids})
    assert [
        room_id for room_id in room_ids if not harness.gateway.live_rooms.hub.reads(minji.connection, room_id)
    ] == []
    assert {room_id: minji.versions(room_id) for room_id in room_ids} == {room_id: [2] for room_id in room_ids}
    assert max(len(request.cursors) for request in harness.rooms.requests_to("events")) == ROOMS_AT_ONCE


async def test_a_room_that_is_faster_than_the_connection_closes_it(harness: GatewayHarness):
    room_id = harness.rooms.create("minji", "junho")
    junho = await subscribed_client(harness, "junho", room_id)
    await join(harness, junho, room=(room_id, 2))
    harness.rooms.add_message(room_id, "junho")
    minji = await subscribed_client(harness, "minji", room_id)
    rounds = 0

    def faster(request: EventsRequest) -> None:
        """Deliver two events for each event that is read."""
        nonlocal rounds
        rounds += 1
        version = harness.rooms.rooms[room_id].version
        for _ in range(2):
            harness.rooms.add_message(room_id, "junho")
        publish(harness, room_id, version)
        assert request.cursors[room_id] < version

    harness.rooms.on_events, harness.rooms.events_at_once = faster, 1
    await join(harness, minji, room=(room_id, 2))
    assert minji.transport.closed == 4308
    assert rounds >= MAX_ROUNDS
