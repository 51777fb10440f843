"""Loading events: from the stream in a real Valkey if it is complete, else from rooms."""

from typing import Any

import pytest
from redis.asyncio import Redis

from chat_gateway.clients.rooms import Rooms
from chat_gateway.event_loader import FRAMES_PER_PAGE, EventLoader
from shared.contracts.rooms import EventsRequest
from shared.errors import Unavailable
from shared.redis.client import AnyRedis, redis_at
from shared.roomlog.frames import decode_frame
from shared.roomlog.keys import log_key
from shared.testing.fixtures import on_both_engines
from shared.testing.servers import free_port

from ..harness import RoomsService  # noqa: TID252 - the tests of one service

E = "epoch-1"


class Logs:
    """Logs of rooms whose events are partly in Redis."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.rooms = redis, RoomsService()
        client: Any = self.rooms
        self.loader = EventLoader(redis, Rooms(client))

    async def room(self, events: int, published: int | None = None, after: int = 0) -> str:
        """Create a room whose stream holds the events after version `after` up to `published`."""
        room_id = self.rooms.create("minji")
        for _ in range(events - 1):
            self.rooms.add_message(room_id, "minji")
        events_ = self.rooms.rooms[room_id].events
        self.rooms.rooms[room_id].events = events_[: events if published is None else published]
        await self.rooms.publish(self.redis, room_id, after)
        self.rooms.rooms[room_id].events = events_
        return room_id


@pytest.fixture
def logs(redis: AnyRedis) -> Logs:
    return Logs(redis)


@on_both_engines
async def test_a_complete_stream_is_read(logs: Logs):
    rooms = {await logs.room(events): events for events in (3, 5, 2)}
    pages = await logs.loader.load_after(E, dict.fromkeys(rooms, 2))
    assert {room_id: len(page.frames) for room_id, page in pages.items()} == {
        room_id: events - 2 for room_id, events in rooms.items()
    }
    assert {(page.complete, page.gone) for page in pages.values()} == {(True, False)}
    assert logs.rooms.requests == []
    for room_id, page in pages.items():
        assert [decode_frame(frame) for frame in page.frames] == logs.rooms.rooms[room_id].events[2:]


async def test_only_rooms_with_an_incomplete_stream_are_requested_from_rooms(logs: Logs):
    known, unknown, begins_later = await logs.room(3), await logs.room(3, published=0), await logs.room(5, after=3)
    pages = await logs.loader.load_after(E, {known: 1, unknown: 1, begins_later: 1})
    assert {room_id: len(page.frames) for room_id, page in pages.items()} == {known: 2, unknown: 2, begins_later: 4}
    assert logs.rooms.requests_to("events") == [EventsRequest({unknown: 1, begins_later: 1})]


async def test_a_stream_that_lost_its_newest_events_is_not_used(logs: Logs):
    """The hub has delivered version 4, so a stream that ends at 2 is incomplete."""
    room_id = await logs.room(5, published=2)
    assert len((await logs.loader.load_after(E, {room_id: 1}))[room_id].frames) == 1
    page = (await logs.loader.load_after(E, {room_id: 1}, {room_id: 4}))[room_id]
    assert (len(page.frames), page.complete, page.head) == (4, True, 5)


async def test_a_page_that_is_cut_off_is_not_complete(logs: Logs):
    room_id = await logs.room(FRAMES_PER_PAGE + 10)
    page = (await logs.loader.load_after(E, {room_id: 1}))[room_id]
    assert (len(page.frames), page.complete) == (FRAMES_PER_PAGE, False)
    rest = (await logs.loader.load_after(E, {room_id: 1 + FRAMES_PER_PAGE}))[room_id]
    assert (len(rest.frames), rest.complete) == (9, True)
    await logs.redis.delete(log_key(E, room_id))
    logs.rooms.events_at_once = 4
    page = (await logs.loader.load_after(E, {room_id: 1}))[room_id]
    assert (len(page.frames), page.complete) == (4, False)


async def test_deleted_events_are_reported_as_gone(logs: Logs):
    room_id = await logs.room(5, after=3)
    logs.rooms.forget_events(room_id)
    for version in (1, 99):
        page = (await logs.loader.load_after(E, {room_id: version}))[room_id]
        assert (page.frames, page.gone, page.head) == ([], True, 5)


async def test_rooms_that_do_not_exist_are_left_out(logs: Logs):
    room_id = await logs.room(2)
    assert list(await logs.loader.load_after(E, {"nowhere": 1, room_id: 1})) == [room_id]


async def test_another_epoch_is_another_log(logs: Logs):
    room_id = await logs.room(3)
    await logs.loader.load_after("epoch-2", {room_id: 1})
    assert logs.rooms.requests_to("events") == [EventsRequest({room_id: 1})]


@on_both_engines
async def test_only_rooms_whose_stream_is_past_the_version_are_lagging(logs: Logs):
    ahead, level, none, cut = (
        await logs.room(4), await logs.room(2), await logs.room(3, published=0), await logs.room(9, after=5),
    )  # fmt: skip
    pages = await logs.loader.lagging(E, dict.fromkeys((ahead, level, none, cut), 2))
    assert {room_id: (len(page.frames), page.complete) for room_id, page in pages.items()} == {
        ahead: (2, True), cut: (0, False),
    }  # fmt: skip
    assert logs.rooms.requests == []


async def test_without_redis_events_are_requested_from_rooms(redis: Redis):
    away = redis_at([f"127.0.0.1:{free_port()}"])
    logs = Logs(redis)
    room_id = await logs.room(3)
    client: Any = logs.rooms
    loader = EventLoader(away, Rooms(client))
    assert len((await loader.load_after(E, {room_id: 1}))[room_id].frames) == 2
    assert await loader.lagging(E, {room_id: 1}) == {}
    logs.rooms.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await loader.load_after(E, {room_id: 1})
    await away.aclose()
