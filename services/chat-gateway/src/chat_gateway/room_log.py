"""The reading rule: what happened in rooms after a version, from Redis where it can tell, else from rooms."""

import logging
from collections.abc import Mapping

import msgspec

from chat_gateway.clients.rooms import Rooms
from shared.contracts.rooms import RoomEvents
from shared.redis.client import REDIS_DOWN, AnyRedis
from shared.roomlog.frames import text_frame
from shared.roomlog.stream import Since, read_since

log = logging.getLogger(__name__)

FRAMES_A_READ = 200


class Found(msgspec.Struct):
    """The frames right after the version asked for; `complete`: they were all there was.

    `gone`: events right after it are not kept any more (or it is past the head); `head` is the newest version then.
    """

    frames: list[bytes]
    complete: bool
    gone: bool = False
    head: int = 0


class RoomLog:
    def __init__(self, redis: AnyRedis, rooms: Rooms) -> None:
        self._redis, self._rooms = redis, rooms

    async def read_after(
        self, epoch: str, cursors: Mapping[str, int], known: Mapping[str, int] | None = None
    ) -> dict[str, Found]:
        """For each room what comes after its version; rooms that do not exist are left out. Raises Unavailable.

        A stream whose tip is below what is `known` to be there has lost its tail, and is not asked.
        """
        found: dict[str, Found] = {}
        for room_id, since in (await self._from_redis(epoch, cursors)).items():
            if since.reaches(cursors[room_id]) and since.tip >= (known or {}).get(room_id, 0):
                found[room_id] = Found(since.frames, complete=len(since.frames) < FRAMES_A_READ)
        rest = {room_id: version for room_id, version in cursors.items() if room_id not in found}
        if rest:
            answer = await self._rooms.events(rest)
            found |= {room_id: _found(events, rest[room_id]) for room_id, events in answer.rooms.items()}
        return found

    async def behind(self, epoch: str, versions: Mapping[str, int]) -> dict[str, Found]:
        """Only the rooms whose stream is past the version: its frames, or none where the stream has a hole there."""
        since = await self._from_redis(epoch, versions)
        return {
            room_id: Found(answer.frames, complete=answer.reaches(versions[room_id]))
            for room_id, answer in since.items()
            if answer.tip > versions[room_id]
        }

    async def _from_redis(self, epoch: str, cursors: Mapping[str, int]) -> dict[str, Since]:
        try:
            return await read_since(self._redis, epoch, cursors, limit=FRAMES_A_READ)
        except REDIS_DOWN as error:
            log.warning("reading %d room logs from rooms: %r", len(cursors), error)
            return {}


def _found(events: RoomEvents, version: int) -> Found:
    frames = [text_frame(bytes(event)) for event in events.events]
    return Found(frames, complete=version + len(frames) >= events.head, gone=events.gone, head=events.head)
