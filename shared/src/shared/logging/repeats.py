"""Bounded logs: of lines that say the same again and again, the first is written, and one a period for the rest."""

import logging
import threading
from typing import Any

PERIOD_S = 10.0
AT_ONCE = {logging.DEBUG: 1000, logging.INFO: 20}
"""Lines of one kind in a period that are written as they come; of warnings and errors it is one."""

Kind = tuple[str, int, str, str]


class _Repeats:
    """Lines of one kind: how many came, how many of them are held back, and the last of these."""

    __slots__ = ("came", "held", "last")

    def __init__(self) -> None:
        self.came = self.held = 0
        self.last: logging.LogRecord | None = None


class SummingHandler(logging.Handler):
    """Hands lines on to `target`. They are of one kind when they come from one place with the same kind of error.

    The line for the rest is the last of them, with `webchat.count`: it stands for so many.
    """

    def __init__(self, target: logging.Handler, period: float = PERIOD_S) -> None:
        super().__init__()
        self._target, self._period = target, period
        self._kinds: dict[Kind, _Repeats] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock."""
        kind = self.kind_of(record)
        if kind is None or self._may_write(kind, record):
            self._target.handle(record)

    def kind_of(self, record: logging.LogRecord) -> Kind | None:
        """None: such lines are never summed up."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        return record.name, record.levelno, str(record.msg), fields.get("error.type", "")

    def at_once(self, kind: Kind) -> int:
        return AT_ONCE.get(kind[1], 1)

    def is_crowded(self, kind: Kind, most: int) -> bool:
        """Whether another kind would be one more than `most` in this period."""
        return kind not in self._kinds and len(self._kinds) >= most

    def sum_up(self) -> None:
        """Write now what is held back: the process ends."""
        self.acquire()
        try:
            self._sum_up()
        finally:
            self.release()

    def _may_write(self, kind: Kind, record: logging.LogRecord) -> bool:
        repeats = self._kinds.get(kind)
        if repeats is None:
            repeats = self._kinds[kind] = _Repeats()
            self._wake_later()
        repeats.came += 1
        if repeats.came <= self.at_once(kind):
            return True
        repeats.held += 1
        repeats.last = record
        return False

    def _wake_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._period, self._look)
            self._timer.daemon = True
            self._timer.start()

    def _look(self) -> None:
        self.acquire()
        try:
            self._timer = None
            self._sum_up()
            if self._kinds:
                self._wake_later()
        finally:
            self.release()

    def _sum_up(self) -> None:
        """Write one line for those held back of each kind; forget the kinds of which none was."""
        for kind, repeats in list(self._kinds.items()):
            if repeats.last is None:
                del self._kinds[kind]
            else:
                repeats.last.count = repeats.held
                self._target.handle(repeats.last)
                repeats.held, repeats.last = 0, None

    def close(self) -> None:
        """Write what is held back: logging calls this when the process ends."""
        self.acquire()
        try:
            if self._timer is not None:
                self._timer.cancel()
            self._sum_up()
        finally:
            self.release()
        self._target.close()
        super().close()
