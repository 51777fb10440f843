"""What was written, what was acknowledged and who has it: each broken promise is found here, and counted once.

The promises: what was acknowledged is in history (else it is lost) and reaches every reader (late after the patience,
lost where the reader went past it), once (else repeated), in the order of the room's versions without a hole (else a
gap). No I/O and no clock: whoever calls says what happened and when.
"""

import logging
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from canary.meter import UNKNOWN, Meter

log = logging.getLogger(__name__)

Event = dict[str, Any]
"""An event of the room as the protocol has it, or an item of its history."""

REMEMBERED = 1_000
"""Messages of which a reader knows that it had them; older ones could come only below its cursor."""

WENT_PAST = "seq %d was acknowledged, and a reader went past it without it"
NOT_IN_HISTORY = "seq %d was acknowledged, and history lacks it"
ROOM_GONE = "seq %d was acknowledged, and its room is gone"
MOST_OPEN = 1_000
"""While so many are not settled, no more are written."""


@dataclass(eq=False)
class Reader:
    """What one client has of the room. `version` is its cursor; None before the first snapshot."""

    name: str
    gateway: str = UNKNOWN
    version: int | None = None
    had: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    missed_after: int | None = None
    """Where it found a gap and resumed."""


@dataclass(eq=False)
class Message:
    client_id: str
    body: str
    written_at: float
    owed_to: set[Reader]
    gateway: str = ""
    """Through which it was sent last; empty before that."""
    seq: int | None = None
    version: int = 0
    acked_at: float = 0
    is_slow: bool = False
    is_late: bool = False
    in_history: bool = False
    is_lost: bool = False

    @property
    def is_settled(self) -> bool:
        return self.in_history and not self.owed_to

    def is_like(self, other: Event) -> bool:
        return (other["client_id"], other["seq"], other["body"]) == (self.client_id, self.seq, self.body)


class Ledger:
    """The messages of one room that are not settled yet."""

    def __init__(self, meter: Meter, patience: float) -> None:
        self._meter, self._patience = meter, patience
        self._run, self._count = uuid.uuid4().hex[:8], 0
        self._open: dict[str, Message] = {}
        self.readers: set[Reader] = set()

    @property
    def is_settled(self) -> bool:
        return not self._open

    @property
    def is_full(self) -> bool:
        return len(self._open) >= MOST_OPEN

    # Writing

    def write(self, now: float) -> Message:
        """The next message; every reader that is there is to get it."""
        self._count += 1
        owed_to = {reader for reader in self.readers if reader.version is not None}
        message = Message(str(uuid.uuid4()), f"{self._run} {self._count}", now, owed_to)
        self._open[message.client_id] = message
        return message

    def sent(self, message: Message, gateway: str) -> None:
        """It goes out, perhaps not for the first time."""
        if message.gateway:
            self._meter.retried.inc()
        else:
            self._meter.sent.labels(gateway).inc()
        message.gateway = gateway

    def acked(self, message: Message, reply: Event, now: float) -> None:
        message.seq, message.version, message.acked_at = reply["seq"], reply["version"], now
        self._meter.acked.labels(message.gateway).inc()
        self._meter.ack_seconds.labels(message.gateway).observe(now - message.written_at)
        for reader in list(message.owed_to):
            self._check_passed(reader, message)

    def give_up(self, message: Message) -> None:
        """It was never acknowledged and will not be: nothing was promised."""
        self._meter.unacked.inc(not message.is_slow)
        del self._open[message.client_id]

    # Reading

    def leave(self, reader: Reader) -> None:
        """It reads no more: nothing is owed to it."""
        self.readers.discard(reader)
        for message in list(self._open.values()):
            self._hand_over(reader, message)

    def take(self, reader: Reader, event: Event, now: float) -> bool:
        """An event that came over a socket; False where one before it is missing: resume from the cursor.

        The same gap a second time is the server's last word: what lay in it is lost to this reader.
        """
        assert reader.version is not None
        version = event["version"]
        if version <= reader.version:
            log.error("version %d came again, to a reader that has %d", version, reader.version)
            self._meter.repeated.inc()
            return True
        if version > reader.version + 1 and reader.missed_after != reader.version:
            log.error("version %d followed on %d", version, reader.version)
            self._meter.gaps.inc()
            reader.missed_after = reader.version
            return False
        reader.version = version
        if event["op"] == "message.created":
            self._receive(reader, event, now)
        for message in list(self._open.values()):
            self._check_passed(reader, message)
        return True

    def begin_anew(self, reader: Reader, page: Sequence[Event], version: int) -> None:
        """After `room.reset` it has the newest page, and may turn back to what is before it."""
        reader.version = version
        client_ids = {item["client_id"] for item in page}
        first = min((item["seq"] for item in page), default=0)
        for message in list(self._open.values()):
            if message.client_id in client_ids or (message.seq or first) < first:
                self._hand_over(reader, message)
        for message in list(self._open.values()):
            self._check_passed(reader, message)

    def _receive(self, reader: Reader, event: Event, now: float) -> None:
        client_id = event["client_id"]
        if client_id in reader.had:
            log.error("a message came again, as version %d", event["version"])
            self._meter.repeated.inc()
            return
        reader.had.append(client_id)
        message = self._open.get(client_id)
        if message is not None and reader in message.owed_to and event["body"] == message.body:
            self._meter.received.labels(reader.gateway).inc()
            self._meter.receipt_seconds.labels(reader.gateway).observe(now - message.written_at)
            self._hand_over(reader, message)

    def _check_passed(self, reader: Reader, message: Message) -> None:
        if message.seq is None or reader not in message.owed_to:
            return
        if reader.version is not None and reader.version >= message.version:
            self._lose(message, WENT_PAST)
            self._hand_over(reader, message)

    def _hand_over(self, reader: Reader, message: Message) -> None:
        message.owed_to.discard(reader)
        self._close(message)

    # Looking back

    def look(self, now: float) -> bool:
        """Count what takes too long; True where something late should be looked for in history."""
        late = False
        unanswered = [message for message in self._open.values() if message.seq is None]
        for message in unanswered:
            if not message.is_slow and now - message.written_at > self._patience:
                message.is_slow = True
                self._meter.unacked.inc()
        self._meter.waiting.set(max((now - message.written_at for message in unanswered), default=0))
        for message in self._open.values():
            overdue = message.seq is not None and now - message.acked_at > self._patience
            if overdue and message.owed_to and not message.is_late:
                log.warning("seq %d has not come to %d readers", message.seq, len(message.owed_to))
                message.is_late = late = True
                self._meter.late.inc()
        return late

    def to_find(self) -> int | None:
        """The lowest seq that was acknowledged and not yet seen in history."""
        return min((m.seq for m in self._open.values() if m.seq is not None and not m.in_history), default=None)

    def found(self, items: Iterable[Event], below: int, asked_at: float) -> None:
        """All of history from the lowest seq to find to one `below`, as it was at that time or later."""
        by_seq = {item["seq"]: item for item in items}
        for message in list(self._open.values()):
            if message.seq is None or message.in_history or message.seq >= below or message.acked_at > asked_at:
                continue
            if message.seq in by_seq and message.is_like(by_seq[message.seq]):
                message.in_history = True
                self._close(message)
            else:
                self._lose(message, NOT_IN_HISTORY)
                del self._open[message.client_id]

    def forsake(self) -> None:
        """The room is gone, and with it what was acknowledged and not yet seen in history."""
        for message in self._open.values():
            if message.seq is not None and not message.in_history:
                self._lose(message, ROOM_GONE)
        self._open.clear()

    def _lose(self, message: Message, how: str) -> None:
        log.error(how, message.seq)
        self._meter.lost.inc(not message.is_lost)
        message.is_lost = True

    def _close(self, message: Message) -> None:
        if message.is_settled:
            self._open.pop(message.client_id, None)
