"""The messages of one phase: the times at which each was due, received and acknowledged."""

import asyncio
import itertools
import time
import uuid
from collections.abc import Callable, Sequence

BODY = (
    "The tide is out; we meet at the harbour at seven, and whoever comes late brings the oranges. "
    "The boat takes six of us, and the seventh waits on the quay with the dog, the ropes and our coats."
)
_RUN = uuid.uuid4().hex[:8]
_MARK, _OK, _ERROR, _ID = b'"body":"', b'{"op":"ok"', b'{"op":"error"', b'"id":"'


def body_of(index: int) -> str:
    """Return a text of 200 bytes that starts with the number of the message."""
    return f"{index:08d} {BODY}"


def client_id_of(index: int) -> str:
    return f"{_RUN}-0000-4000-8000-{index:012d}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of the values do not exceed, or nan without values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(share * 1000) // 1000) - 1)] if ordered else float("nan")


def _number_in(reply: bytes) -> int:
    begin = reply.index(_ID) + len(_ID)
    return int(reply[begin : reply.index(b'"', begin)])


class Tally:
    """Counts and times in seconds. Numbers continue from phase to phase, so that a late message is not mistaken."""

    _next = 0

    def __init__(self, expected: int) -> None:
        """`expected` is the number of receipts per message on the watched sockets."""
        self.first = Tally._next
        self.due: list[float] = []
        self.receipts: list[float] = []
        self.acks: list[float] = []
        self.errors = 0
        self.complete = 0
        """Number of messages that all watched sockets have received."""
        self.on_complete: Callable[[], None] = lambda: None
        self._left: list[int] = []
        self._expected = expected

    def add(self, due: float) -> int:
        """Record a message that is sent now, and return its number."""
        self.due.append(due)
        self._left.append(self._expected)
        Tally._next = self.first + len(self.due)
        return Tally._next - 1

    def on_text(self, text: bytes) -> None:
        """Record a text frame of a watched socket."""
        now = time.perf_counter()
        if text.startswith(_OK):
            self._acked(_number_in(text) - self.first, now)
        elif text.startswith(_ERROR):
            if _ID not in text or _number_in(text) >= self.first:
                self.errors += 1
        elif (mark := text.find(_MARK)) >= 0:
            self._received(int(text[mark + 8 : mark + 16]) - self.first, now)

    def _acked(self, number: int, now: float) -> None:
        if 0 <= number < len(self.due):
            self.acks.append(now - self.due[number])

    def _received(self, number: int, now: float) -> None:
        if not 0 <= number < len(self.due):
            return
        self.receipts.append(now - self.due[number])
        self._left[number] -= 1
        if self._left[number] == 0:
            self.complete += 1
            self.on_complete()

    async def finished(self, seconds: float) -> bool:
        """Wait at most `seconds` until all sent messages are complete. Returns whether they are."""
        return await until(lambda: self.complete == len(self.due), seconds)


async def until(check: Callable[[], bool], seconds: float) -> bool:
    """Check every 10 ms, at most for `seconds`. Returns the last result."""
    deadline = time.perf_counter() + seconds
    while not (so := check()) and time.perf_counter() < deadline:  # noqa: ASYNC110 - nothing sets an event
        await asyncio.sleep(0.01)
    return so


async def open_loop(rate: float, seconds: float, send: Callable[[float], None]) -> None:
    """Send at `rate` without waiting for answers. A late send keeps the time at which it was due."""
    began = time.perf_counter()
    for number in itertools.count():
        due = began + number / rate
        if due - began >= seconds:
            return
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        send(due)


async def closed_loop(window: int, seconds: float, tally: Tally, send: Callable[[float], None]) -> float:
    """Keep `window` messages in flight: send the next one when one is complete. Returns the elapsed seconds."""
    began = time.perf_counter()

    def more() -> None:
        if time.perf_counter() - began < seconds:
            send(time.perf_counter())

    tally.on_complete = more
    for _ in range(window):
        more()
    await asyncio.sleep(seconds)
    await tally.finished(10)
    return time.perf_counter() - began
