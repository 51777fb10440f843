"""The messages that were written, and their state: acknowledged, received, found in history.

Counts each violation of a guarantee once. An acknowledged message is in history (else it is *lost*). It reaches every
reader within the patience (else *late*; *lost* if the reader's cursor passed it), once (else *repeated*), in the order
of versions without missing ones (else a *gap*). Without I/O or a clock: callers pass events and times.
"""

import logging
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from canary.metrics import UNKNOWN, CanaryMetrics

log = logging.getLogger(__name__)

Event = dict[str, Any]
"""An event of the room in the form of the protocol, or an item of its history."""

REMEMBERED = 1_000
"""Number of received messages that a reader remembers. Older ones are below its cursor."""

WENT_PAST = "acknowledged message with seq %d was skipped by a reader"
NOT_IN_HISTORY = "acknowledged message with seq %d is missing in history"
ROOM_GONE = "acknowledged message with seq %d is lost with its room"
MAX_OPEN = 1_000
"""Limit of messages that are not settled. While it is reached, no more are written."""


@dataclass(eq=False)
class Reader:
    """The events of the room that one client has received. `version` is its cursor; None before the first snapshot."""

    name: str
    gateway: str = UNKNOWN
    version: int | None = None
    received: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    missed_after: int | None = None
    """The cursor from which it resumed after a gap."""


@dataclass(eq=False)
class Message:
    client_id: str
    body: str
    written_at: float
    pending: set[Reader]
    gateway: str = ""
    """The gateway through which it was last sent; empty before that."""
    seq: int | None = None
    version: int = 0
    acked_at: float = 0
    is_slow: bool = False
    is_late: bool = False
    in_history: bool = False
    is_lost: bool = False

    @property
    def is_settled(self) -> bool:
        return self.in_history and not self.pending

    def is_like(self, other: Event) -> bool:
        return (other["client_id"], other["seq"], other["body"]) == (self.client_id, self.seq, self.body)


class Ledger:
    """The messages of one room that are not settled yet."""

    def __init__(self, metrics: CanaryMetrics, patience: float) -> None:
        self._metrics, self._patience = metrics, patience
        self._run, self._count = uuid.uuid4().hex[:8], 0
        self._open: dict[str, Message] = {}
        self.readers: set[Reader] = set()

    @property
    def is_settled(self) -> bool:
        return not self._open

    @property
    def is_full(self) -> bool:
        return len(self._open) >= MAX_OPEN

    # Writing

    def write(self, now: float) -> Message:
        """Return the next message. Every current reader is expected to receive it."""
        self._count += 1
        pending = {reader for reader in self.readers if reader.version is not None}
        message = Message(str(uuid.uuid4()), f"{self._run} {self._count}", now, pending)
        self._open[message.client_id] = message
        return message

    def sent(self, message: Message, gateway: str) -> None:
        """Record that the message is sent, for the first time or again."""
        if message.gateway:
            self._metrics.retried.inc()
        else:
            self._metrics.sent.labels(gateway).inc()
        message.gateway = gateway

    def acked(self, message: Message, reply: Event, now: float) -> None:
        message.seq, message.version, message.acked_at = reply["seq"], reply["version"], now
        self._metrics.acked.labels(message.gateway).inc()
        self._metrics.ack_seconds.labels(message.gateway).observe(now - message.written_at)
        for reader in list(message.pending):
            self._check_passed(reader, message)

    def abandon(self, message: Message) -> None:
        """Drop a message that will never be acknowledged, and so carries no guarantee."""
        self._metrics.unacked.inc(not message.is_slow)
        del self._open[message.client_id]

    # Reading

    def leave(self, reader: Reader) -> None:
        """Remove a reader: no message is expected to reach it any more."""
        self.readers.discard(reader)
        for message in list(self._open.values()):
            self._settle_for(reader, message)

    def receive(self, reader: Reader, event: Event, now: float) -> bool:
        """Record an event received over a socket. Returns False at a gap: the client must resume from its cursor.

        If the same gap follows again, the missing events count as lost to this reader.
        """
        assert reader.version is not None
        version = event["version"]
        if version <= reader.version:
            log.error("version %d received again by a reader at version %d", version, reader.version)
            self._metrics.repeated.inc()
            return True
        if version > reader.version + 1 and reader.missed_after != reader.version:
            log.error("gap: version %d received after %d", version, reader.version)
            self._metrics.gaps.inc()
            reader.missed_after = reader.version
            return False
        reader.version = version
        if event["op"] == "message.created":
            self._receive_message(reader, event, now)
        for message in list(self._open.values()):
            self._check_passed(reader, message)
        return True

    def reset(self, reader: Reader, page: Sequence[Event], version: int) -> None:
        """Record that a reader loaded the newest page after `room.reset`; it could load older pages too."""
        reader.version = version
        client_ids = {item["client_id"] for item in page}
        first = min((item["seq"] for item in page), default=0)
        for message in list(self._open.values()):
            if message.client_id in client_ids or (message.seq or first) < first:
                self._settle_for(reader, message)
        for message in list(self._open.values()):
            self._check_passed(reader, message)

    def _receive_message(self, reader: Reader, event: Event, now: float) -> None:
        client_id = event["client_id"]
        if client_id in reader.received:
            log.error("message received again as version %d", event["version"])
            self._metrics.repeated.inc()
            return
        reader.received.append(client_id)
        message = self._open.get(client_id)
        if message is not None and reader in message.pending and event["body"] == message.body:
            self._metrics.received.labels(reader.gateway).inc()
            self._metrics.receipt_seconds.labels(reader.gateway).observe(now - message.written_at)
            self._settle_for(reader, message)

    def _check_passed(self, reader: Reader, message: Message) -> None:
        if message.seq is None or reader not in message.pending:
            return
        if reader.version is not None and reader.version >= message.version:
            self._lose(message, WENT_PAST)
            self._settle_for(reader, message)

    def _settle_for(self, reader: Reader, message: Message) -> None:
        message.pending.discard(reader)
        self._close(message)

    # Checking

    def check_deadlines(self, now: float) -> bool:
        """Count unacknowledged and late messages. Returns True if a late one should be looked up in history."""
        late = False
        unanswered = [message for message in self._open.values() if message.seq is None]
        for message in unanswered:
            if not message.is_slow and now - message.written_at > self._patience:
                message.is_slow = True
                self._metrics.unacked.inc()
        self._metrics.waiting.set(max((now - message.written_at for message in unanswered), default=0))
        for message in self._open.values():
            overdue = message.seq is not None and now - message.acked_at > self._patience
            if overdue and message.pending and not message.is_late:
                log.warning("message with seq %d has not reached %d readers", message.seq, len(message.pending))
                message.is_late = late = True
                self._metrics.late.inc()
        return late

    def lowest_unverified(self) -> int | None:
        """Return the lowest acknowledged seq that was not yet found in history."""
        return min((m.seq for m in self._open.values() if m.seq is not None and not m.in_history), default=None)

    def verify(self, items: Iterable[Event], below: int, asked_at: float) -> None:
        """Compare with all items of history from the lowest unverified seq to `below`, loaded after `asked_at`."""
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

    def room_gone(self) -> None:
        """Drop all messages with their room. Acknowledged ones that were not yet found in history are lost."""
        for message in self._open.values():
            if message.seq is not None and not message.in_history:
                self._lose(message, ROOM_GONE)
        self._open.clear()

    def _lose(self, message: Message, how: str) -> None:
        log.error(how, message.seq)
        self._metrics.lost.inc(not message.is_lost)
        message.is_lost = True

    def _close(self, message: Message) -> None:
        if message.is_settled:
            self._open.pop(message.client_id, None)
