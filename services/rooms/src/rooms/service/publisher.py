"""Publishes what was committed: events, cursors, hints. Answers to commands do not wait for it.

Everything here may fail or be skipped: rooms that fell behind are read from the database and published from the
stream's tip on, and the sweep finds those that nobody remembers.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from functools import partial

import msgspec

from rooms.service import meters
from rooms.service.following import NO_SPANS, Spans, Traces, begin_publishing, end_publishing
from rooms.service.tails import Tail, read_tails
from rooms.storage import epochs, room_events, rooms
from shared.contracts.rooms import Result
from shared.database.engine import UNREACHABLE, Database
from shared.events.rooms import RoomEvent
from shared.redis.client import REDIS_DOWN, AnyRedis
from shared.roomlog.frames import CURSORS, NO_TRACES, Run, live_header, runs_of
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import KEPT_ENTRIES, publish_next, read_since
from shared.streams.notifications import UserChanged, publish_notifications

RUNS_A_PIPELINE = 256
ROOMS_A_REPAIR = 100
MAX_BEHIND = 100_000
DRAIN_S = 2

log = logging.getLogger(__name__)


class Committed(msgspec.Struct, kw_only=True):
    """What one transaction did. `epoch` is the one that it saw, None where it did nothing."""

    epoch: str | None = None
    events: list[RoomEvent] = []
    reads: dict[str, dict[str, int]] = {}
    revisions: dict[str, int] = {}
    results: list[Result] = []
    traces: Traces = {}


class Publisher:
    def __init__(self, database: Database, redis: AnyRedis, *, limit: int) -> None:
        self._database, self._redis, self._limit = database, redis, limit
        self._waiting: list[Committed] = []
        self._size = 0
        self._behind: set[str] = set()
        self._woken = asyncio.Event()
        self.epoch = ""
        meters.UNPUBLISHED.set_function(lambda: self._size)
        meters.BEHIND.set_function(lambda: len(self._behind))

    async def open(self) -> None:
        """Learn the epoch; call it before anything else."""
        async with self._database.write() as db:
            self.epoch = await epochs.ensure_epoch(db)

    async def learn_epoch(self) -> None:
        async with self._database.read() as db:
            self.epoch = await epochs.get_epoch(db)

    def add(self, committed: Committed) -> None:
        """Take over what was committed; never waits, never fails.

        Where too much waits, rooms are left to be repaired, cursors and hints to what repairs them anyway.
        """
        size = len(committed.events) + len(committed.reads) + len(committed.revisions)
        if self._size + size > self._limit:
            self.repair({event.room_id for event in committed.events})
            return
        self._size += size
        self._waiting.append(committed)
        self._woken.set()

    def repair(self, room_ids: Collection[str]) -> None:
        """Publish what the streams of these rooms lack, soon."""
        if len(self._behind) + len(room_ids) <= MAX_BEHIND:
            self._behind.update(room_ids)
            self._woken.set()

    async def drain(self) -> None:
        """At the end: publish what still waits, if Redis takes it at once. If not, the next sweep does."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while self._woken.is_set():
                    await self.run()
        except (*REDIS_DOWN, *UNREACHABLE) as error:
            log.warning("not everything was published before the end: %r", error)

    async def run(self) -> None:
        """One round: all that was committed meanwhile, then rooms that are behind."""
        await self._woken.wait()
        self._woken.clear()
        taken, self._waiting, self._size = self._waiting, [], 0
        try:
            taken = await self._of_this_epoch(taken)
            await self._publish_events(taken)
            await self._publish_hints(taken)
            await self._repair_some()
        except BaseException:
            self.repair({event.room_id for committed in taken for event in committed.events})
            self._woken.set()
            raise

    async def _of_this_epoch(self, taken: list[Committed]) -> list[Committed]:
        """After a restore or failover the logs begin anew: switch, and publish only what is in the tables."""
        if any(committed.epoch not in {None, self.epoch} for committed in taken):
            await self.learn_epoch()
        for committed in taken:
            if committed.epoch not in {None, self.epoch}:
                self.repair({event.room_id for event in committed.events})
        return [committed for committed in taken if committed.epoch in {None, self.epoch}]

    async def _publish_events(self, taken: list[Committed]) -> None:
        events: dict[str, list[RoomEvent]] = defaultdict(list)
        traces: Traces = {}
        for committed in taken:
            traces |= committed.traces
            for event in committed.events:
                events[event.room_id].append(event)
        spans = begin_publishing(traces) if traces else NO_SPANS
        try:
            behind = await self._publish(events, spans)
        except BaseException:
            end_publishing(spans, behind=events.keys())
            raise
        end_publishing(spans, behind=behind)
        self._behind.update(behind)

    async def _publish(self, events: dict[str, list[RoomEvent]], spans: Spans = NO_SPANS) -> set[str]:
        """Returns the rooms whose streams have a hole before what was to be published."""
        runs: list[tuple[str, Run]] = []
        traces: dict[str, dict[int, str]] = defaultdict(dict)
        for (room_id, version), span in spans.items():
            traces[room_id][version] = span.traceparent
        for room_id, of_room in events.items():
            of_room.sort(key=lambda event: event.version)
            runs += [(room_id, run) for run in runs_of(of_room, traces.get(room_id, NO_TRACES))]
        holes: set[str] = set()
        for start in range(0, len(runs), RUNS_A_PIPELINE):
            some = runs[start : start + RUNS_A_PIPELINE]
            holes.update(await publish_next(self._redis, self.epoch, some))
            meters.PUBLISHED.inc(sum(len(run.frames) for _, run in some))
        return holes

    async def _publish_hints(self, taken: list[Committed]) -> None:
        cursors: dict[str, dict[str, int]] = defaultdict(dict)
        revisions: dict[str, int] = {}
        for committed in taken:
            _raise_to(revisions, committed.revisions)
            for room_id, seqs in committed.reads.items():
                _raise_to(cursors[room_id], seqs)
        if cursors:
            await self._publish_cursors(cursors)
        if revisions:
            hints = ((user_id, UserChanged("rooms", revision)) for user_id, revision in revisions.items())
            await publish_notifications(self._redis, hints)

    async def _publish_cursors(self, cursors: dict[str, dict[str, int]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for room_id, seqs in cursors.items():
            message = live_header(0, 0, CURSORS) + msgspec.json.encode(seqs)
            pipeline.execute_command("SPUBLISH", live_channel(self.epoch, room_id), message)
        await pipeline.execute()

    async def _repair_some(self) -> None:
        room_ids = set(list(self._behind)[:ROOMS_A_REPAIR])
        self._behind -= room_ids
        try:
            await self.catch_up(room_ids)
        except BaseException:
            self._behind |= room_ids
            raise
        if self._behind:
            self._woken.set()

    async def catch_up(self, room_ids: Collection[str]) -> None:
        """Publish from the database what lies between each stream's tip and the room's head; returns when it is done.

        A stream that falls back meanwhile (Redis was emptied) is looked at again.
        """
        left = set(room_ids)
        while left:
            left = await self._fill(await self._tips_behind(left))

    async def _fill(self, cursors: dict[str, int]) -> set[str]:
        """Publish what follows these versions; returns the rooms whose streams turned out to end earlier."""
        fallen: set[str] = set()
        while cursors:
            tails = await self._database.snapshot(partial(read_tails, cursors=cursors))
            holes = await self._publish({room_id: tail.events for room_id, tail in tails.items()})
            fallen |= holes
            gone = {room_id for room_id, tail in tails.items() if tail.gone}
            going_on = {room_id: tail for room_id, tail in tails.items() if room_id not in holes | gone}
            cursors = _further(cursors, going_on) | await self._start_anew(gone)
        return fallen

    async def _tips_behind(self, room_ids: set[str]) -> dict[str, int]:
        """The streams' tips, for rooms whose streams do not reach the head; without a stream the newest will do."""
        async with self._database.read() as db:
            heads = await rooms.list_heads(db, room_ids)
        tips = await read_since(self._redis, self.epoch, heads, limit=1)
        return {
            room_id: max(0, head - KEPT_ENTRIES) if tips[room_id].tip == -1 else tips[room_id].tip
            for room_id, head in heads.items()
            if tips[room_id].tip < head
        }

    async def _start_anew(self, room_ids: set[str]) -> dict[str, int]:
        """What follows the streams' tips is trimmed: begin them at the oldest event that is kept."""
        if not room_ids:
            return {}
        async with self._database.read() as db:
            first = await room_events.first_kept(db, room_ids)
        for room_id in first:
            await self._redis.delete(log_key(self.epoch, room_id))
        return {room_id: version - 1 for room_id, version in first.items()}


def _further(cursors: dict[str, int], tails: dict[str, Tail]) -> dict[str, int]:
    """Where to read on, in the rooms that are not at their heads yet."""
    ends = {room_id: tail.events[-1].version if tail.events else cursors[room_id] for room_id, tail in tails.items()}
    return {room_id: end for room_id, end in ends.items() if end < tails[room_id].head}


def _raise_to(numbers: dict[str, int], new: dict[str, int]) -> None:
    for key, number in new.items():
        numbers[key] = max(number, numbers.get(key, 0))
