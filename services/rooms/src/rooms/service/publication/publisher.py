"""Publishes committed events, read cursors and change notifications to Redis. No answer to a command waits for it.

Everything here may fail or be skipped. Rooms whose stream lags are loaded from the database and published from the
stream head on. The sweep finds lagging rooms that no process remembers.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection
from functools import partial

import msgspec

from rooms.service import metrics
from rooms.service.publication.confirmed import ConfirmedVersions
from rooms.service.publication.event_pages import EventPage, load_event_pages
from rooms.service.tracing import NO_SPANS, PublishSpans, Traces, end_publish_spans, start_publish_spans
from rooms.storage import epochs, room_events, rooms
from shared.contracts.rooms import Result
from shared.database.engine import UNREACHABLE, Database
from shared.events.rooms import RoomEvent
from shared.redis.client import REDIS_DOWN, AnyRedis
from shared.roomlog.frames import CURSORS, NO_TRACES, EventBatch, batch_events, publication_header
from shared.roomlog.keys import live_channel, log_key
from shared.roomlog.stream import KEPT_ENTRIES, append_events, read_after
from shared.streams.notifications import UserChanged, publish_notifications

EVENT_BATCHES_PER_PIPELINE = 256
ROOMS_PER_REPAIR = 100
MAX_LAGGING_ROOMS = 100_000
DRAIN_S = 2

log = logging.getLogger(__name__)


class Committed(msgspec.Struct, kw_only=True):
    """The outcome of one transaction. `epoch` is the epoch that it read, None if it loaded no member."""

    epoch: str | None = None
    events: list[RoomEvent] = []
    read_cursors: dict[str, dict[str, int]] = {}
    """room id → user id → seq"""
    revisions: dict[str, int] = {}
    results: list[Result] = []
    traces: Traces = {}


class Publisher:
    """`limit`: how many events, read cursors and notifications may wait."""

    def __init__(self, database: Database, redis: AnyRedis, *, limit: int) -> None:
        self._database, self._redis, self._limit = database, redis, limit
        self._waiting: list[Committed] = []
        self._size = 0
        self._lagging: set[str] = set()
        self._repairing: set[str] = set()
        self._woken = asyncio.Event()
        self.epoch = ""
        self.confirmed = ConfirmedVersions()
        metrics.UNPUBLISHED.set_function(lambda: self._size)
        metrics.LAGGING.set_function(lambda: len(self._lagging | self._repairing))

    async def open(self) -> None:
        """Load the epoch, or create it at the first start. Call it before anything else."""
        async with self._database.write() as db:
            self.epoch = await epochs.ensure_epoch(db)

    async def refresh_epoch(self) -> None:
        async with self._database.read() as db:
            epoch = await epochs.get_epoch(db)
        if epoch != self.epoch:
            self.epoch = epoch
            self.confirmed.forget()

    def add(self, committed: Committed) -> None:
        """Queue the outcome of a transaction. Never waits and never fails.

        If the queue is full, the rooms are repaired from the database instead. Read cursors and notifications, which
        are lossy, are dropped.
        """
        size = len(committed.events) + len(committed.read_cursors) + len(committed.revisions)
        if self._size + size > self._limit:
            self.repair({event.room_id for event in committed.events})
            return
        self._size += size
        self._waiting.append(committed)
        self._woken.set()

    def repair(self, room_ids: Collection[str]) -> None:
        """Mark rooms as lagging. The next round publishes what their streams lack."""
        if len(self._lagging) + len(room_ids) <= MAX_LAGGING_ROOMS:
            self._lagging.update(room_ids)
            self._woken.set()

    async def drain(self) -> None:
        """Publish what is queued before the process stops. If Redis does not answer, the next sweep publishes it."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while self._woken.is_set():
                    await self.run()
        except (*REDIS_DOWN, *UNREACHABLE) as error:
            log.warning("not everything was published before the stop, the next sweep does it: %r", error)

    async def run(self) -> None:
        """Run one round: publish what is queued, then repair some of the lagging rooms."""
        await self._woken.wait()
        self._woken.clear()
        taken, self._waiting, self._size = self._waiting, [], 0
        try:
            taken = await self._of_this_epoch(taken)
            await self._publish_events(taken)
            await self._publish_notifications(taken)
            await self._repair_some()
        except BaseException:
            self.repair({event.room_id for committed in taken for event in committed.events})
            self._woken.set()
            raise

    async def _of_this_epoch(self, taken: list[Committed]) -> list[Committed]:
        """Return the transactions of the current epoch. After a restore or failover, switch to the new epoch.

        The rooms of all other transactions are repaired: only what the tables contain is published.
        """
        if any(committed.epoch not in {None, self.epoch} for committed in taken):
            await self.refresh_epoch()
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
        spans = start_publish_spans(traces) if traces else NO_SPANS
        try:
            lagging = await self._publish(events, spans)
        except BaseException:
            end_publish_spans(spans, lagging=events.keys())
            raise
        end_publish_spans(spans, lagging=lagging)
        self._lagging.update(lagging)

    async def _publish(self, events: dict[str, list[RoomEvent]], spans: PublishSpans = NO_SPANS) -> set[str]:
        """Publish events. Return the rooms whose stream has a gap before the first of them."""
        batches: list[tuple[str, EventBatch]] = []
        traces: dict[str, dict[int, str]] = defaultdict(dict)
        for (room_id, version), span in spans.items():
            traces[room_id][version] = span.traceparent
        for room_id, of_room in events.items():
            of_room.sort(key=lambda event: event.version)
            batches += [(room_id, batch) for batch in batch_events(of_room, traces.get(room_id, NO_TRACES))]
        with_gap: set[str] = set()
        for start in range(0, len(batches), EVENT_BATCHES_PER_PIPELINE):
            some = batches[start : start + EVENT_BATCHES_PER_PIPELINE]
            generation = self.confirmed.generation
            gaps = await append_events(self._redis, self.epoch, some)
            self.confirmed.add({room_id: batch.last for room_id, batch in some if room_id not in gaps}, generation)
            with_gap.update(gaps)
            metrics.PUBLISHED.inc(sum(len(batch.frames) for _, batch in some))
        return with_gap

    async def _publish_notifications(self, taken: list[Committed]) -> None:
        cursors: dict[str, dict[str, int]] = defaultdict(dict)
        revisions: dict[str, int] = {}
        for committed in taken:
            _update_maximum(revisions, committed.revisions)
            for room_id, seqs in committed.read_cursors.items():
                _update_maximum(cursors[room_id], seqs)
        if cursors:
            await self._publish_cursors(cursors)
        if revisions:
            changed = ((user_id, UserChanged("rooms", revision)) for user_id, revision in revisions.items())
            await publish_notifications(self._redis, changed)

    async def _publish_cursors(self, cursors: dict[str, dict[str, int]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for room_id, seqs in cursors.items():
            message = publication_header(0, 0, CURSORS) + msgspec.json.encode(seqs)
            pipeline.execute_command("SPUBLISH", live_channel(self.epoch, room_id), message)
        await pipeline.execute()

    async def _repair_some(self) -> None:
        self._repairing = set(list(self._lagging)[:ROOMS_PER_REPAIR])
        self._lagging -= self._repairing
        try:
            await self.catch_up(self._repairing)
        except BaseException:
            self._lagging |= self._repairing
            raise
        finally:
            self._repairing = set()
        if self._lagging:
            self._woken.set()

    async def catch_up(self, room_ids: Collection[str]) -> None:
        """Publish the events between each stream head and the room's head from the database, until none is missing.

        A stream that loses entries meanwhile, because Redis was emptied, is filled again.
        """
        left = set(room_ids)
        while left:
            left = await self._fill(await self._lagging_stream_heads(left))

    async def _fill(self, cursors: dict[str, int]) -> set[str]:
        """Publish the events after these versions. Return the rooms whose stream turned out to end before them."""
        shortened: set[str] = set()
        while cursors:
            pages = await self._database.snapshot(partial(load_event_pages, cursors=cursors))
            with_gap = await self._publish({room_id: page.events for room_id, page in pages.items()})
            shortened |= with_gap
            gone = {room_id for room_id, page in pages.items() if page.gone}
            published = {room_id: page for room_id, page in pages.items() if room_id not in with_gap | gone}
            cursors = _next_cursors(cursors, published) | await self._restart_streams(gone)
        return shortened

    async def _lagging_stream_heads(self, room_ids: set[str]) -> dict[str, int]:
        """Return the stream heads that are below the room's head. A missing stream starts with the newest events."""
        async with self._database.read() as db:
            heads = await rooms.list_heads(db, room_ids)
        streams = await read_after(self._redis, self.epoch, heads, limit=1)
        return {
            room_id: max(0, head - KEPT_ENTRIES) if streams[room_id].head == -1 else streams[room_id].head
            for room_id, head in heads.items()
            if streams[room_id].head < head
        }

    async def _restart_streams(self, room_ids: set[str]) -> dict[str, int]:
        """Delete streams whose next event is trimmed. Return cursors before the oldest event that is kept."""
        if not room_ids:
            return {}
        async with self._database.read() as db:
            first = await room_events.find_first_kept(db, room_ids)
        for room_id in first:
            await self._redis.delete(log_key(self.epoch, room_id))
        return {room_id: version - 1 for room_id, version in first.items()}


def _next_cursors(cursors: dict[str, int], pages: dict[str, EventPage]) -> dict[str, int]:
    """Return the cursors after these pages, for rooms that have more events."""
    ends = {room_id: page.events[-1].version if page.events else cursors[room_id] for room_id, page in pages.items()}
    return {room_id: end for room_id, end in ends.items() if end < pages[room_id].head}


def _update_maximum(numbers: dict[str, int], new: dict[str, int]) -> None:
    for key, number in new.items():
        numbers[key] = max(number, numbers.get(key, 0))
