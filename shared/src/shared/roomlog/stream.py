"""The Redis stream of a room's log: append and publish events, and read the events after a version.

A script appends to some rooms, or reads one; the calls for many rooms are pipelined. The stream may lose everything:
the database has the complete log, and a process that finds a gap in the stream loads the events from the database.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from shared.redis.client import AnyRedis, Cluster, Script
from shared.roomlog.frames import EventBatch
from shared.roomlog.keys import live_channel, log_key, page_key

KEPT_ENTRIES = 512
BATCHES_PER_CALL = 16
"""Redis does nothing else while a script runs."""
LOG_TTL_S = 24 * 3600
"""Longer than the period that a sweep checks, so that it does not publish idle rooms again."""

APPEND_EVENTS = Script(Path(__file__).parent / "append_events.lua")
_READ_AFTER = Script(Path(__file__).parent / "read_after.lua")


async def append_events(redis: AnyRedis, epoch: str, batches: Sequence[tuple[str, EventBatch]]) -> dict[str, int]:
    """Append batches to the streams of their rooms and publish them. `batches` are (room id, batch), in order.

    Returns the stream head of each room whose batch does not directly follow it: nothing of that batch is appended.
    Events up to the stream head are skipped, so any number of processes may append, in any order, after any crash.
    """
    size = 1 if isinstance(redis, Cluster) else BATCHES_PER_CALL  # in a cluster, a script has keys of one slot
    calls = [_append_call(epoch, batches[start : start + size]) for start in range(0, len(batches), size)]
    heads = itertools.chain.from_iterable(await APPEND_EVENTS.run_all(redis, calls))
    gaps: dict[str, int] = {}
    for (room_id, _), head in zip(batches, heads, strict=True):
        if head != -1:
            gaps.setdefault(room_id, head)
    return gaps


def _append_call(epoch: str, batches: Sequence[tuple[str, EventBatch]]) -> tuple[list[str], list[bytes | int]]:
    """Return the keys and arguments of the script."""
    keys: list[str] = []
    arguments: list[bytes | int] = [KEPT_ENTRIES, LOG_TTL_S]
    for room_id, batch in batches:
        keys += (log_key(epoch, room_id), live_channel(epoch, room_id), page_key(epoch, room_id))
        flags = b"%b %b" % (batch.flags, batch.traceparent.encode()) if batch.traceparent else batch.flags
        arguments += (batch.first, flags, len(batch.frames), *batch.frames)
    return keys, arguments


class StreamRead(msgspec.Struct):
    """The frames of a stream after a version. `head` is the stream head, or -1 if there is no stream."""

    head: int
    frames: list[bytes]

    def reaches(self, version: int) -> bool:
        """Return whether the stream has the events right after `version`. If not, read them from the database."""
        return bool(self.frames) or self.head == version


async def read_after(
    redis: AnyRedis, epoch: str, cursors: Mapping[str, int], *, limit: int = KEPT_ENTRIES
) -> dict[str, StreamRead]:
    """Read the frames after each room's version, at most `limit` per room."""
    reads = await read_all(redis, [(epoch, *cursor) for cursor in cursors.items()], limit=limit)
    return dict(zip(cursors, reads, strict=True))


async def read_all(
    redis: AnyRedis, cursors: Iterable[tuple[str, str, int]], *, limit: int = KEPT_ENTRIES
) -> list[StreamRead]:
    """Read the frames after each cursor, (epoch, room ID, version), at most `limit` per cursor."""
    calls = (([log_key(epoch, room_id)], (version, limit)) for epoch, room_id, version in cursors)
    return [StreamRead(head, frames) for head, *frames in await _READ_AFTER.run_all(redis, calls)]
