"""Loads events of rooms: from the Redis stream if it has them, else from the rooms service."""

import logging
from collections.abc import Mapping

from chat_gateway.clients.rooms import Rooms
from chat_gateway.protocol.resume import EventPage
from shared.contracts.rooms import RoomEvents
from shared.redis.client import REDIS_DOWN, AnyRedis
from shared.roomlog.frames import text_frame
from shared.roomlog.stream import StreamRead, read_after

log = logging.getLogger(__name__)

FRAMES_PER_PAGE = 200


class EventLoader:
    def __init__(self, redis: AnyRedis, rooms: Rooms) -> None:
        self._redis, self._rooms = redis, rooms

    async def load_after(
        self, epoch: str, cursors: Mapping[str, int], known: Mapping[str, int] | None = None
    ) -> dict[str, EventPage]:
        """Load the events after each room's version. Raises Unavailable.

        Rooms that do not exist are missing in the result. `known` are versions that exist: a stream whose head is below
        has lost events, and rooms is asked instead.
        """
        pages: dict[str, EventPage] = {}
        for room_id, stream in (await self._from_redis(epoch, cursors)).items():
            if stream.reaches(cursors[room_id]) and stream.head >= (known or {}).get(room_id, 0):
                pages[room_id] = EventPage(stream.frames, complete=len(stream.frames) < FRAMES_PER_PAGE)
        rest = {room_id: version for room_id, version in cursors.items() if room_id not in pages}
        if rest:
            response = await self._rooms.events(rest)
            pages |= {room_id: _page_of(events, rest[room_id]) for room_id, events in response.rooms.items()}
        return pages

    async def lagging(self, epoch: str, versions: Mapping[str, int]) -> dict[str, EventPage]:
        """Return the rooms whose stream head is past the version, with the frames in between.

        A room has no frames here if its stream does not reach back to the version.
        """
        streams = await self._from_redis(epoch, versions)
        return {
            room_id: EventPage(stream.frames, complete=stream.reaches(versions[room_id]))
            for room_id, stream in streams.items()
            if stream.head > versions[room_id]
        }

    async def _from_redis(self, epoch: str, cursors: Mapping[str, int]) -> dict[str, StreamRead]:
        try:
            return await read_after(self._redis, epoch, cursors, limit=FRAMES_PER_PAGE)
        except REDIS_DOWN as error:
            log.warning("loading events of %d rooms from the rooms service: %r", len(cursors), error)
            return {}


def _page_of(events: RoomEvents, version: int) -> EventPage:
    frames = [text_frame(bytes(event)) for event in events.events]
    return EventPage(frames, complete=version + len(frames) >= events.head, gone=events.gone, head=events.head)
