"""How full a process is, and what it then leaves undone: hints first, history next, commands never.

Load is a share: 1 where the event loop runs a second late, or where what waits is at its bound. Lateness is the median
of the last ticks, so that a machine that stood still for a moment is not taken for a busy one.
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
LATE_S = 1.0
RETRY_S = (1, 4)
"""Who is turned away comes back after so long, not all at once."""

_LAG = metrics.histogram("webchat_loop_lag_seconds", "How late the event loop runs what is due, ten times a second.")
_LOAD = metrics.gauge("webchat_load_ratio", "How full the process is, 0 to 1 and more; see SHED_HINTS_AT.")
_SHED = metrics.counter("webchat_shed_total", "What was left undone for the load, by its class.", ["class"])
TYPING_SHED, PRESENCE_SHED, HISTORY_SHED = _SHED.labels("typing"), _SHED.labels("presence"), _SHED.labels("history")


class Overload:
    """`hints_at` and `history_at` are the loads from which each is shed. Make it where a loop runs, or before."""

    def __init__(self, *, hints_at: float, history_at: float, tick_s: float = TICK_S) -> None:
        self._hints_at, self._history_at = hints_at, max(hints_at, history_at)
        self._tick_s = tick_s
        self._lateness = deque([0.0] * TICKS, TICKS)
        self._filled: Callable[[], float] = float
        self.load = 0.0

    def watch(self, filled: Callable[[], float]) -> None:
        """Let `filled` tell which share of their bound those have reached that wait here."""
        self._filled = filled

    def note(self, late_s: float) -> None:
        """Judge anew, at a tick that came so late."""
        self._lateness.append(max(0.0, late_s))
        self.load = max(median(self._lateness) / LATE_S, self._filled())

    def sheds_hints(self, told: metrics.Counter) -> bool:
        """Whether to drop who types or who is there; counted as `told`."""
        if self.load < self._hints_at:
            return False
        told.inc()
        return True

    def check_history(self) -> None:
        """Raises Unavailable where pages, searches and snapshots have to wait."""
        if self.load >= self._history_at:
            HISTORY_SHED.inc()
            again = random.randint(*RETRY_S)  # noqa: S311 - no secret
            raise Unavailable("Too much is going on right now: try again in a moment.", retry_after=again)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        _LOAD.set_function(lambda: self.load)
        async with background("load", self._tick, pause=0):
            yield

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._tick_s
        await asyncio.sleep(self._tick_s)
        late = loop.time() - due
        _LAG.observe(max(0.0, late))
        self.note(late)
