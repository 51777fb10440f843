"""Limits repeated log lines: the first of a kind are written, and one line per period summarizes the rest."""

import logging
import threading
from typing import Any

PERIOD_S = 10.0
AT_ONCE = {logging.DEBUG: 1000, logging.INFO: 20}
"""Number of lines of one kind in a period that are written at once; for warnings and errors it is one."""

Kind = tuple[str, int, str, str]


class _Repeats:
    """Lines of one kind: how many arrived, how many are held back, and the last of these."""

    __slots__ = ("held", "last", "total")

    def __init__(self) -> None:
        self.total = self.held = 0
        self.last: logging.LogRecord | None = None


class AggregatingHandler(logging.Handler):
    """Passes lines to `target`. Lines are of one kind if they have the same logger, level, message and type of error.

    The last of the lines that were held back is written with their number in `webchat.count`.
    """

    def __init__(self, target: logging.Handler, period: float = PERIOD_S) -> None:
        super().__init__()
        self._target, self._period = target, period
        self._kinds: dict[Kind, _Repeats] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Runs under the handler's lock."""
        kind = self.kind_of(record)
        if kind is None or self._may_write(kind, record):
            self._target.handle(record)

    def kind_of(self, record: logging.LogRecord) -> Kind | None:
        """Return the kind of a line, or None if it must not be held back."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        return record.name, record.levelno, str(record.msg), fields.get("error.type", "")

    def at_once(self, kind: Kind) -> int:
        return AT_ONCE.get(kind[1], 1)

    def is_crowded(self, kind: Kind, most: int) -> bool:
        """Return whether this would be a new kind beyond `most` kinds in this period."""
        return kind not in self._kinds and len(self._kinds) >= most

    def write_summaries(self) -> None:
        """Write the held-back lines now, because the process ends."""
        self.acquire()
        try:
            self._write_summaries()
        finally:
            self.release()

    def _may_write(self, kind: Kind, record: logging.LogRecord) -> bool:
        repeats = self._kinds.get(kind)
        if repeats is None:
            repeats = self._kinds[kind] = _Repeats()
            self._start_timer()
        repeats.total += 1
        if repeats.total <= self.at_once(kind):
            return True
        repeats.held += 1
        repeats.last = record
        return False

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._period, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        self.acquire()
        try:
            self._timer = None
            self._write_summaries()
            if self._kinds:
                self._start_timer()
        finally:
            self.release()

    def _write_summaries(self) -> None:
        """Write one line for the held-back lines of each kind. Forget kinds without any."""
        for kind, repeats in list(self._kinds.items()):
            if repeats.last is None:
                del self._kinds[kind]
            else:
                repeats.last.count = repeats.held
                self._target.handle(repeats.last)
                repeats.held, repeats.last = 0, None

    def close(self) -> None:
        """Write the held-back lines. `logging` calls this when the process ends."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
            self._write_summaries()
        finally:
            self.release()
        self._target.close()
        super().close()
