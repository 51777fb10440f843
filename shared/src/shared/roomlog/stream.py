"""The room's log in Redis: *publish next* and *read since*, each one script per room, pipelined over many rooms.

Everything here can be lost: the database is the truth, and a reader that finds a hole reads there.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from shared.redis.client import AnyRedis, Script
from shared.roomlog.frames import Run
from shared.roomlog.keys import live_channel, log_key, page_key

KEPT_ENTRIES = 512
LOG_TTL_S = 24 * 3600
"""An idle stream lives longer than the sweep reaches back."""

PUBLISH_NEXT = Script(Path(__file__).parent / "publish_next.lua")
_READ_SINCE = Script(Path(__file__).parent / "read_since.lua")


async def publish_next(redis: AnyRedis, epoch: str, runs: Sequence[tuple[str, Run]]) -> dict[str, int]:
    """Publish (room id, run) pairs in order; returns, for each room with a hole before its run, the stream's tip.

    Runs at or below the tip are skipped: any number of processes may publish, in any order, after any crash.
    """
    calls = []
    for room_id, run in runs:
        keys = (log_key(epoch, room_id), live_channel(epoch, room_id), page_key(epoch, room_id))
        flags = b"%b %b" % (run.flags, run.traceparent.encode()) if run.traceparent else run.flags
        calls.append((keys, (run.first, flags, KEPT_ENTRIES, LOG_TTL_S, *run.frames)))
    answers = await PUBLISH_NEXT.run_all(redis, calls)
    holes: dict[str, int] = {}
    for (room_id, _), tip in zip(runs, answers, strict=True):
        if tip != -1:
            holes.setdefault(room_id, tip)
    return holes


class Since(msgspec.Struct):
    """What the stream holds after a version: `tip` -1 where there is no stream."""

    tip: int
    frames: list[bytes]

    def reaches(self, version: int) -> bool:
        """Whether the stream tells all there is after `version`; if not, read it from the database."""
        return bool(self.frames) or self.tip == version


async def read_since(
    redis: AnyRedis, epoch: str, cursors: Mapping[str, int], *, limit: int = KEPT_ENTRIES
) -> dict[str, Since]:
    """For each room the frames after its version, at most `limit` of them."""
    calls = (([log_key(epoch, room_id)], (version, limit)) for room_id, version in cursors.items())
    answers = await _READ_SINCE.run_all(redis, calls)
    return {room_id: Since(answer[0], answer[1:]) for room_id, answer in zip(cursors, answers, strict=True)}
