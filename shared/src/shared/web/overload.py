"""Load shedding: the load of a process, and what it drops under load.

Ephemeral messages are dropped first, history next, commands never.

The load is 1 if the event loop runs a second late, or if a queue is full. Lateness is the median of the last ticks, so
that a machine that paused for a moment does not count as busy.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median

from shared import metrics
from shared.errors import Unavailable
from shared.tasks import background

TICK_S = 0.1
TICKS = 5
MINUTE_TICKS = 600
LATE_S = 1.0
RETRY_S = (1, 4)
"""Range of `Retry-After` in seconds, random so that rejected clients do not return all at once."""

_LAG = metrics.histogram("webchat_loop_lag_seconds", "Lateness of the event loop, measured ten times a second.")
_LONGEST_STALL = metrics.gauge(
    "webchat_loop_longest_stall_seconds", "The longest lateness of the event loop within the last minute."
)
_LOAD = metrics.gauge("webchat_load_ratio", "Load of the process: 1 is full, more is possible; see SHED_HINTS_AT.")
_SHED = metrics.counter("webchat_shed_total", "Optional work that was dropped under load, by its class.", ["class"])
TYPING_SHED, PRESENCE_SHED, HISTORY_SHED = _SHED.labels("typing"), _SHED.labels("presence"), _SHED.labels("history")


class Overload:
    """`ephemeral_at` and `history_at` are the loads from which each is shed."""

    def __init__(self, *, ephemeral_at: float, history_at: float, tick_s: float = TICK_S) -> None:
        self._ephemeral_at, self._history_at = ephemeral_at, max(ephemeral_at, history_at)
        self._tick_s = tick_s
        self._last_minute = deque([0.0], MINUTE_TICKS)
        self._lateness = deque([0.0] * TICKS, TICKS)
        self._fill_level: Callable[[], float] = float
        self.load = 0.0

    def watch(self, fill_level: Callable[[], float]) -> None:
        """Include a queue; `fill_level` returns its length as a share of its limit."""
        self._fill_level = fill_level

    def update(self, late_s: float) -> None:
        """Recompute the load after a tick that was `late_s` late."""
        self._lateness.append(max(0.0, late_s))
        self._last_minute.append(max(0.0, late_s))
        self.load = max(median(self._lateness) / LATE_S, self._fill_level())

    @property
    def longest_stall_s(self) -> float:
        """The longest time within the last minute in which the event loop did nothing else."""
        return max(self._last_minute)

    def sheds_ephemeral(self, counter: metrics.Counter) -> bool:
        """Return whether to drop a typing or presence message; if so, count it."""
        if self.load < self._ephemeral_at:
            return False
        counter.inc()
        return True

    def check_history(self) -> None:
        """Raise Unavailable if pages, searches and snapshots are shed."""
        if self.load >= self._history_at:
            HISTORY_SHED.inc()
            retry_after = random.randint(*RETRY_S)  # noqa: S311 - not a secret
            raise Unavailable("WebChat is busy right now. Try again in a moment.", retry_after=retry_after)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        _LOAD.set_function(lambda: self.load)
        _LONGEST_STALL.set_function(lambda: self.longest_stall_s)
        async with background("load", self._tick, pause=0):
            yield

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._tick_s
        await asyncio.sleep(self._tick_s)
        late = loop.time() - due
        _LAG.observe(max(0.0, late))
        self.update(late)
