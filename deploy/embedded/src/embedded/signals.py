"""Requests to stop: SIGINT, SIGTERM, and SIGHUP when the terminal is closed.

The handlers are set even if a shell started the runner with a signal ignored.
"""

import os
import select
import signal
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequests:
    """The first signal received, and a wait that it ends at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in STOPS:
            signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for a signal, and return whether there was one."""
        if self.received is None and select.select([self._reader], [], [], seconds)[0]:
            os.read(self._reader, 64)
        return self.received is not None
