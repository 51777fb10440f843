"""Reading events: from the stream in a real Valkey where it is complete, else from rooms."""

from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.clients.rooms import Rooms
from chat_gateway.room_log import FRAMES_A_READ, RoomLog
from shared.contracts.rooms import EventsRequest
from shared.errors import Unavailable
from shared.redis.client import AnyRedis, redis_at
from shared.roomlog.frames import decode_frame
from shared.roomlog.keys import log_key
from shared.testing.fixtures import on_both_engines
from shared.testing.servers import free_port

from ..edge import RoomsService  # noqa: TID252 - the tests of one service

E = "epoch-1"


class Logs:
    """Rooms whose events are partly in Redis."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.rooms = redis, RoomsService()
        client: Any = self.rooms
        self.log = RoomLog(redis, Rooms(client))

    async def room(self, events: int, published: int | None = None, after: int = 0) -> str:
        """Create a room whose stream holds the events after version `after` up to `published`."""
        room_id = self.rooms.create("minji")
        for _ in range(events - 1):
            self.rooms.say(room_id, "minji")
        kept = self.rooms.rooms[room_id].events
        self.rooms.rooms[room_id].events = kept[: events if published is None else published]
        await self.rooms.publish(self.redis, room_id, after)
        self.rooms.rooms[room_id].events = kept
        return room_id


@pytest.fixture
def logs(redis: AnyRedis) -> Logs:
    return Logs(redis)


@on_both_engines
async def test_the_stream_is_read_where_it_tells_all(logs: Logs):
    rooms = {await logs.room(events): events for events in (3, 5, 2)}
    found = await logs.log.read_after(E, dict.fromkeys(rooms, 2))
    assert {room_id: len(one.frames) for room_id, one in found.items()} == {
        room_id: events - 2 for room_id, events in rooms.items()
    }
    assert {(one.complete, one.gone) for one in found.values()} == {(True, False)}
    assert logs.rooms.asked == []
    for room_id, one in found.items():
        assert [decode_frame(frame) for frame in one.frames] == logs.rooms.rooms[room_id].events[2:]


async def test_only_rooms_that_the_stream_cannot_tell_are_asked_for(logs: Logs):
    known, unknown, begins_later = await logs.room(3), await logs.room(3, published=0), await logs.room(5, after=3)
    found = await logs.log.read_after(E, {known: 1, unknown: 1, begins_later: 1})
    assert {room_id: len(one.frames) for room_id, one in found.items()} == {known: 2, unknown: 2, begins_later: 4}
    assert logs.rooms.of("events") == [EventsRequest({unknown: 1, begins_later: 1})]


async def test_a_stream_that_lost_its_tail_is_not_believed(logs: Logs):
    """The hub has delivered version 4, so a stream that ends at 2 is incomplete."""
    room_id = await logs.room(5, published=2)
    assert len((await logs.log.read_after(E, {room_id: 1}))[room_id].frames) == 1
    found = (await logs.log.read_after(E, {room_id: 1}, {room_id: 4}))[room_id]
    assert (len(found.frames), found.complete, found.head) == (4, True, 5)


async def test_what_does_not_fit_into_one_answer_is_not_complete(logs: Logs):
    room_id = await logs.room(FRAMES_A_READ + 10)
    found = (await logs.log.read_after(E, {room_id: 1}))[room_id]
    assert (len(found.frames), found.complete) == (FRAMES_A_READ, False)
    rest = (await logs.log.read_after(E, {room_id: 1 + FRAMES_A_READ}))[room_id]
    assert (len(rest.frames), rest.complete) == (9, True)
    await logs.redis.delete(log_key(E, room_id))
    logs.rooms.events_at_once = 4
    found = (await logs.log.read_after(E, {room_id: 1}))[room_id]
    assert (len(found.frames), found.complete) == (4, False)


async def test_events_that_nobody_keeps_are_gone(logs: Logs):
    room_id = await logs.room(5, after=3)
    logs.rooms.forget_events(room_id)
    for version in (1, 99):
        found = (await logs.log.read_after(E, {room_id: version}))[room_id]
        assert (found.frames, found.gone, found.head) == ([], True, 5)


async def test_rooms_that_do_not_exist_are_left_out(logs: Logs):
    room_id = await logs.room(2)
    assert list(await logs.log.read_after(E, {"nowhere": 1, room_id: 1})) == [room_id]


async def test_another_epoch_is_another_log(logs: Logs):
    room_id = await logs.room(3)
    await logs.log.read_after("epoch-2", {room_id: 1})
    assert logs.rooms.of("events") == [EventsRequest({room_id: 1})]


@on_both_engines
async def test_only_rooms_past_a_version_are_behind(logs: Logs):
    ahead, level, none, cut = (
        await logs.room(4), await logs.room(2), await logs.room(3, published=0), await logs.room(9, after=5),
    )  # fmt: skip
    found = await logs.log.behind(E, dict.fromkeys((ahead, level, none, cut), 2))
    assert {room_id: (len(one.frames), one.complete) for room_id, one in found.items()} == {
        ahead: (2, True), cut: (0, False),
    }  # fmt: skip
    assert logs.rooms.asked == []


async def test_without_redis_rooms_is_asked(redis: Redis):
    away = redis_at([f"127.0.0.1:{free_port()}"])
    logs = Logs(redis)
    room_id = await logs.room(3)
    client: Any = logs.rooms
    log = RoomLog(away, Rooms(client))
    assert len((await log.read_after(E, {room_id: 1}))[room_id].frames) == 2
    assert await log.behind(E, {room_id: 1}) == {}
    logs.rooms.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        await log.read_after(E, {room_id: 1})
    await away.aclose()
