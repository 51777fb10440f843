"""The sweep publishes committed events that are missing from the streams, whichever process failed to publish them.

The replicas share it by a lease. A sweep compares only rooms that changed and are not confirmed as published:

- Every `pause_s` it lists the rooms that changed since the last sweep, and for the `OVERLAP_MS` before it, because a
  commit becomes visible some time after its timestamp.
- Every `COMPLETE_S`, and whenever the memory of what is confirmed is new or was lost, it lists the rooms that changed
  since the last recorded complete sweep, and at least in the last ten minutes. An idle stream lives longer than that.
- It drops all confirmations when Redis lost data: a primary restarted, another one took over, or one of the few
  streams that it compares in turn became shorter.
"""

import logging
import time
from contextlib import suppress

from rooms.service.publication.publisher import Publisher
from rooms.storage import epochs, rooms
from shared.database.engine import Database
from shared.ids import now_ms
from shared.redis.client import REDIS_DOWN, AnyRedis, identify_primaries
from shared.redis.lease import Lease
from shared.roomlog.stream import read_after

MIN_LOOKBACK_MS = 10 * 60 * 1000
OVERLAP_MS = 30 * 1000
"""More than a command's budget and a flush to disk, and more than the clocks of the replicas should differ."""
COMPLETE_S = 60
RECORD_INTERVAL_MS = 60 * 1000
"""Saves writes: a complete sweep is recorded only this often, which is well within the lookback of the next."""
ROOMS_PER_PAGE = 500
ROOMS_PER_CHECK = 64
"""Confirmed rooms whose streams are compared again at each sweep."""
LEASE_KEY = "rooms:sweep"
TICKS = 4
"""Attempts to get the lease per pause. It lasts two thirds of a pause, so another replica sweeps within a pause after
the holder died."""
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps every `pause_s` while it holds the lease, and once at the start. Two sweeps at a time do no harm."""

    def __init__(self, database: Database, redis: AnyRedis, publisher: Publisher, *, pause_s: float) -> None:
        self._database, self._redis, self._publisher = database, redis, publisher
        self._confirmed = publisher.confirmed
        self._pause_s, self.tick_s = pause_s, pause_s / TICKS
        self._lease = Lease(redis, LEASE_KEY, duration_s=pause_s * 2 / 3)
        self._is_holder = False
        self._due_at = 0.0
        self._primaries: frozenset[str] = frozenset()
        self._started_at = 0
        self._generation = -1
        self._completed_at = 0.0
        self._unchecked: list[str] = []

    async def run(self) -> None:
        """Sweep if it is time to. Call it every `tick_s`."""
        was_holder, self._is_holder = self._is_holder, await self._lease.hold()
        took_over, now = self._is_holder and not was_holder, time.monotonic()
        if now < self._due_at and not took_over:
            return
        try:
            if self._is_holder or not self._due_at:
                await self.sweep(complete=took_over)
            else:
                await self._publisher.refresh_epoch()
        except Exception:
            self._is_holder = False
            with suppress(*REDIS_DOWN):  # it then expires
                await self._lease.release()  # another replica may be able to sweep
            raise
        self._due_at = now + self._pause_s

    async def sweep(self, *, complete: bool = False) -> None:
        """Run one sweep. If it fails, the next one starts from the same time."""
        await self._publisher.refresh_epoch()
        primaries = await identify_primaries(self._redis)
        if primaries.ids != self._primaries or await self._lost_streams():
            self._confirmed.forget()
            self._primaries = primaries.ids
        generation, began = self._confirmed.generation, time.monotonic()
        started_at = min(now_ms(), primaries.time_ms)  # if this clock is ahead, rooms of other replicas count too
        if complete or generation != self._generation or began - self._completed_at >= COMPLETE_S:
            await self._sweep_completely(started_at)
            self._generation, self._completed_at = generation, began
        else:
            await self._sweep_since(min(started_at, self._started_at) - OVERLAP_MS)
        self._started_at = started_at

    async def _sweep_completely(self, started_at: int) -> None:
        async with self._database.read() as db:
            last = await epochs.get_last_sweep(db)
        self._confirmed.keep(await self._sweep_since(min(last, started_at - MIN_LOOKBACK_MS)))
        if started_at - last > RECORD_INTERVAL_MS:
            async with self._database.write() as db:
                await epochs.set_last_sweep(db, started_at)

    async def _sweep_since(self, since: int) -> set[str]:
        """Publish what is missing in rooms that changed since then. Return these rooms."""
        found: set[str] = set()
        cursor, is_last = (since - 1, _LAST_ID), False
        while not is_last:
            page = await self._changed_after(cursor)
            heads = {room_id: head for _, room_id, head in page}
            if unconfirmed := self._confirmed.select_unconfirmed(heads):
                await self._compare(unconfirmed)
            found.update(heads)
            if not (is_last := len(page) < ROOMS_PER_PAGE):
                cursor = page[-1][:2]
                await self._lease.hold()
        return found

    async def _changed_after(self, cursor: tuple[int, str]) -> list[tuple[int, str, int]]:
        async with self._database.read() as db:
            return await rooms.list_changed(db, cursor, ROOMS_PER_PAGE)

    async def _compare(self, heads: dict[str, int]) -> None:
        """Publish what is missing in streams that end before these versions. A missing stream counts as lagging."""
        generation = self._confirmed.generation
        lagging = await self._find_lagging(heads)
        self._confirmed.add({room_id: head for room_id, head in heads.items() if room_id not in lagging}, generation)
        await self._publisher.catch_up(lagging)

    async def _lost_streams(self) -> bool:
        """Compare some confirmed rooms in turn. Return whether a stream has lost what was confirmed."""
        if not self._unchecked:
            self._unchecked = list(self._confirmed)
        some, self._unchecked = self._unchecked[:ROOMS_PER_CHECK], self._unchecked[ROOMS_PER_CHECK:]
        lagging = await self._find_lagging(self._confirmed.versions_of(some))
        if lagging:
            log.info("Redis has lost streams of rooms, so all are compared")
        return bool(lagging)

    async def _find_lagging(self, heads: dict[str, int]) -> set[str]:
        streams = await read_after(self._redis, self._publisher.epoch, heads, limit=1) if heads else {}
        return {room_id for room_id, head in heads.items() if streams[room_id].head < head}
