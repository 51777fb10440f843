"""Join rooms: missed events first, then each live event exactly once."""

from collections.abc import AsyncIterator

import pytest

from chat_gateway.driver.joining import ROOMS_AT_ONCE, ROUNDS, join_rooms
from shared.contracts.rooms import EventsRequest
from shared.metrics import REGISTRY
from shared.roomlog.frames import event_frame
from shared.roomlog.keys import live_channel
from shared.testing.fixtures import eventually

from ..edge import Edge, Person  # noqa: TID252 - the tests of one service


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    it = Edge()
    async with it.running():
        yield it


async def placed(edge: Edge, user_id: str, *room_ids: str) -> Person:
    """Create a connection that is subscribed to rooms but has not joined them."""
    gateway, person = edge.gateway, edge.person(user_id)
    gateway.adopt_epoch(edge.rooms.epoch)
    await gateway.enter(person.client)
    person.client.epoch, person.client.greeted = edge.rooms.epoch, True
    person.client.memberships = {room_id: edge.rooms.rooms[room_id].memberships[user_id] for room_id in room_ids}
    await gateway.subscriber.acquire(gateway.subscriber.room_handlers(room_ids))
    return person


def wanted(edge: Edge, room_id: str) -> int:
    """Return how many subscribers the room's channel has."""
    return edge.gateway.subscriber._wanted[live_channel(edge.rooms.epoch, room_id)]


def publish(edge: Edge, room_id: str, after: int) -> None:
    """Deliver the events after a version on the room's channel."""
    room = edge.rooms.rooms[room_id]
    data = b"".join(map(event_frame, room.events[after:]))
    edge.hear(live_channel(edge.rooms.epoch, room_id), b"%d %d -\n" % (after + 1, room.version) + data)


async def join(edge: Edge, person: Person, **rooms: tuple[str, int]) -> None:
    """Join rooms from a cursor each, with the current versions as heads."""
    cursors = dict(rooms.values())
    heads = {room_id: edge.rooms.rooms[room_id].version for room_id in cursors}
    await join_rooms(edge.gateway, person.client, cursors, heads)


async def test_who_has_everything_joins_without_asking_for_events(edge: Edge):
    room_id = edge.rooms.create("minji")
    other = await placed(edge, "minji", room_id)
    await join(edge, other, room=(room_id, 1))
    await eventually(lambda: not edge.gateway.subscriber._torn)
    asked = len(edge.rooms.of("events"))
    minji = await placed(edge, "minji", room_id)
    await join(edge, minji, room=(room_id, 1))
    assert edge.gateway.hub.reads(minji.client, room_id)
    assert (len(edge.rooms.of("events")), minji.frames) == (asked, [])


async def test_what_was_missed_comes_before_what_happens_now(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    for body in ("one", "two", "three"):
        edge.rooms.say(room_id, "junho", body)
    minji = await placed(edge, "minji", room_id)
    await join(edge, minji, room=(room_id, 2))
    late = REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") or 0
    edge.rooms.say(room_id, "junho", "four")
    publish(edge, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [3, 4, 5, 6])
    assert minji.wire.sent == 1  # in one piece, and waited for
    assert REGISTRY.get_sample_value("webchat_fanout_lag_seconds_count") == late + 1


async def test_what_happens_while_the_missed_is_written_is_there_once(edge: Edge):
    """The hub advances while missed events are read."""
    room_id = edge.rooms.create("minji", "junho")
    junho = await placed(edge, "junho", room_id)
    await join(edge, junho, room=(room_id, 2))
    edge.rooms.say(room_id, "junho", "one")
    minji = await placed(edge, "minji", room_id)
    later = iter(("two", "three"))

    def meanwhile(_: EventsRequest) -> None:
        if (body := next(later, None)) is not None:
            edge.rooms.say(room_id, "junho", body)
            publish(edge, room_id, edge.rooms.rooms[room_id].version - 1)

    edge.rooms.on_events = meanwhile
    await join(edge, minji, room=(room_id, 2))
    edge.rooms.say(room_id, "junho", "four")
    publish(edge, room_id, 5)
    await eventually(lambda: len(junho.versions(room_id)) == 4)
    assert minji.versions(room_id) == junho.versions(room_id) == [3, 4, 5, 6]
    assert edge.gateway.hub.reads(minji.client, room_id)


async def test_what_was_missed_may_take_several_answers(edge: Edge):
    room_id = edge.rooms.create("minji")
    for _ in range(5):
        edge.rooms.say(room_id, "minji")
    edge.rooms.events_at_once = 2
    minji = await placed(edge, "minji", room_id)
    await join(edge, minji, room=(room_id, 1))
    assert minji.versions(room_id) == [2, 3, 4, 5, 6]
    assert edge.gateway.hub.version_of(room_id) == 6


async def test_who_is_out_while_the_hub_is_repaired_does_not_join(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    junho = await placed(edge, "junho", room_id)
    await join(edge, junho, room=(room_id, 2))
    await eventually(lambda: not edge.gateway.subscriber._torn)
    edge.rooms.say(room_id, "junho")
    minji = await placed(edge, "minji", room_id)
    asked: list[EventsRequest] = []

    def leave_at_the_repair(request: EventsRequest) -> None:
        asked.append(request)
        if len(asked) == 2:
            edge.gateway.forget_place(minji.client, room_id)

    edge.rooms.on_events = leave_at_the_repair
    await join(edge, minji, room=(room_id, 2))
    assert len(asked) == 2
    assert not edge.gateway.hub.reads(minji.client, room_id)


async def test_where_the_hub_is_behind_it_is_repaired_and_then_joined(edge: Edge):
    """Unpublished events also reach the readers that have joined already."""
    room_id = edge.rooms.create("minji", "junho")
    junho = await placed(edge, "junho", room_id)
    await join(edge, junho, room=(room_id, 2))
    await eventually(lambda: not edge.gateway.subscriber._torn)
    edge.rooms.say(room_id, "junho")
    minji = await placed(edge, "minji", room_id)
    await join(edge, minji, room=(room_id, 2))
    assert edge.gateway.hub.version_of(room_id) == 3
    assert edge.gateway.hub.reads(minji.client, room_id)
    assert minji.versions(room_id) == [3]
    await eventually(lambda: junho.versions(room_id) == [3])


async def test_a_room_that_a_join_opens_is_read_once_more(edge: Edge):
    """The hub had no such room, so events published before the join are only in the log."""
    room_id = edge.rooms.create("minji", "junho")
    minji = await placed(edge, "minji", room_id)
    edge.rooms.say(room_id, "junho")
    publish(edge, room_id, 2)  # nobody is there to take it
    await join_rooms(edge.gateway, minji.client, {room_id: 2}, {room_id: 2})
    await eventually(lambda: minji.versions(room_id) == [3])


async def test_a_log_that_does_not_reach_back_is_reset_and_joined_at_its_head(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    for _ in range(3):
        edge.rooms.say(room_id, "junho")
    edge.rooms.forget_events(room_id)
    minji = await placed(edge, "minji", room_id)
    counted = REGISTRY.get_sample_value("webchat_room_resets_total") or 0
    await join(edge, minji, room=(room_id, 2))
    assert REGISTRY.get_sample_value("webchat_room_resets_total") == counted + 1
    edge.rooms.say(room_id, "junho")
    publish(edge, room_id, 5)
    await eventually(lambda: minji.versions(room_id) == [6])
    assert minji.frames[0] == {"op": "room.reset", "room_id": room_id}


async def test_ones_own_leaving_among_the_missed_is_the_last_that_is_sent(edge: Edge):
    room_id = edge.rooms.create("junho", "minji")
    minji = await placed(edge, "minji", room_id)
    edge.rooms.say(room_id, "junho")
    edge.rooms.remove(room_id, "minji")
    edge.rooms.say(room_id, "junho", "a secret")
    await join(edge, minji, room=(room_id, 2))
    ops = [frame["op"] for frame in minji.frames]
    assert ops == ["message.created", "member.left", "room.removed"]
    assert not edge.gateway.hub.reads(minji.client, room_id)
    assert (minji.client.memberships, wanted(edge, room_id)) == ({}, 0)


async def test_an_earlier_leaving_of_who_is_back_does_not_count(edge: Edge):
    room_id = edge.rooms.create("junho", "minji")
    edge.rooms.remove(room_id, "minji")
    edge.rooms.add(room_id, "minji")
    minji = await placed(edge, "minji", room_id)
    await join(edge, minji, room=(room_id, 2))
    assert minji.versions(room_id) == [3, 4]
    assert edge.gateway.hub.reads(minji.client, room_id)


async def test_a_room_that_is_gone_keeps_nobody_from_the_others(edge: Edge):
    gone, stays = edge.rooms.create("minji"), edge.rooms.create("minji")
    minji = await placed(edge, "minji", gone, stays)
    edge.rooms.say(stays, "minji")
    cursors, heads = {gone: 0, stays: 1}, {gone: 1, stays: 2}
    del edge.rooms.rooms[gone]
    await join_rooms(edge.gateway, minji.client, cursors, heads)
    assert not edge.gateway.hub.reads(minji.client, gone)
    assert edge.gateway.hub.reads(minji.client, stays)
    assert (minji.versions(stays), minji.wire.closed) == ([2], None)


async def test_a_room_that_was_left_meanwhile_is_neither_written_nor_joined(edge: Edge):
    room_id = edge.rooms.create("minji")
    edge.rooms.say(room_id, "minji")
    minji = await placed(edge, "minji", room_id)

    def leave(_: EventsRequest) -> None:
        edge.gateway.forget_place(minji.client, room_id)

    edge.rooms.on_events = leave
    await join(edge, minji, room=(room_id, 1))
    assert (minji.frames, edge.gateway.hub.reads(minji.client, room_id)) == ([], False)


async def test_many_rooms_are_read_a_few_at_a_time(edge: Edge):
    room_ids = [edge.rooms.create("minji") for _ in range(2 * ROOMS_AT_ONCE + 1)]
    for room_id in room_ids:
        edge.rooms.say(room_id, "minji")
    minji = await placed(edge, "minji", *room_ids)
    await join(edge, minji, **{room_id: (room_id, 1) for room_id in room_ids})
    assert [room_id for room_id in room_ids if not edge.gateway.hub.reads(minji.client, room_id)] == []
    assert {room_id: minji.versions(room_id) for room_id in room_ids} == {room_id: [2] for room_id in room_ids}
    assert max(len(asked.cursors) for asked in edge.rooms.of("events")) == ROOMS_AT_ONCE


async def test_a_room_that_is_never_caught_up_with_ends_the_connection(edge: Edge):
    room_id = edge.rooms.create("minji", "junho")
    junho = await placed(edge, "junho", room_id)
    await join(edge, junho, room=(room_id, 2))
    edge.rooms.say(room_id, "junho")
    minji = await placed(edge, "minji", room_id)
    rounds = 0

    def faster(request: EventsRequest) -> None:
        """Deliver two events for each event that is read."""
        nonlocal rounds
        rounds += 1
        version = edge.rooms.rooms[room_id].version
        for _ in range(2):
            edge.rooms.say(room_id, "junho")
        publish(edge, room_id, version)
        assert request.cursors[room_id] < version

    edge.rooms.on_events, edge.rooms.events_at_once = faster, 1
    await join(edge, minji, room=(room_id, 2))
    assert minji.wire.closed == 4308
    assert rounds >= ROUNDS
