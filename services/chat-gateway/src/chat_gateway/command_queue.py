"""Queues of commands for rooms.

All commands of a room pass through one queue, and each queue has at most one request in flight. Commands that arrive
meanwhile are sent together in the next request. Without load no command waits, and under load the batches grow. The
commands of one sender in a room stay in order. A batch of unknown outcome is repeated before the next one is sent,
which is safe because every command is idempotent.
"""

import asyncio
import logging
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from chat_gateway import metrics
from chat_gateway.clients.rooms import Rooms
from chat_gateway.timings import DEFAULT_TIMINGS, Timings
from shared.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_COMMANDS
from shared.contracts.rooms import AnyCommand, BatchResult, ReadRoom, Rejected, Result
from shared.errors import DomainError, ErrorCode, Unavailable
from shared.logging.context import about_room
from shared.tasks import background
from shared.tracing.spans import Outcome, Span, child_span

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()

BATCH_BYTES = MAX_BATCH_BYTES - 64 * 1024
"""The rest is for the request around the commands, and for their traceparents."""
TRACE_BYTES = 80
QUEUE_COMMANDS = 10_000

OUTCOME_UNKNOWN = Rejected(
    code=ErrorCode.UNAVAILABLE, detail="The outcome is unknown. Send it again, in order, with the same client_id."
)
SESSION_GONE = Rejected(code=ErrorCode.UNAUTHENTICATED, detail="The session has ended. Sign in again.")
QUEUE_FULL = Rejected(
    code=ErrorCode.UNAVAILABLE,
    detail="Too many commands are waiting for this room. Send it again, in order, a little later.",
)


class QueuedCommand(msgspec.Struct):
    """A command in a queue. If it fails, later commands of the same connection and room fail too."""

    command: AnyCommand
    connection_id: str
    callbacks: list[Callable[[Result], None]]
    size: int
    """Bytes in the request, with room for a traceparent."""

    @property
    def sender(self) -> tuple[str, str]:
        return self.connection_id, self.command.room_id

    def resolve(self, result: Result) -> None:
        for callback in self.callbacks:
            callback(result)


def _start_spans(queued: list[QueuedCommand]) -> list[Span]:
    """Start a span for each sampled command of a batch. The spans of rooms become its children."""
    spans = []
    for item in queued:
        if item.command.traceparent:
            fields = {"webchat.room": item.command.room_id, "webchat.batch": len(queued)}
            if (span := child_span(item.command.traceparent, "rooms.commands", "client", fields)) is not None:
                item.command.traceparent = span.traceparent
                spans.append(span)
    return spans


def _end_spans(spans: list[Span], outcome: Outcome) -> None:
    for span in spans:
        span.end(outcome)


class CommandQueue:
    """A queue that holds at most `capacity` commands."""

    def __init__(
        self,
        rooms: Rooms,
        on_epoch: Callable[[str], None],
        *,
        capacity: int = QUEUE_COMMANDS,
        timings: Timings = DEFAULT_TIMINGS,
    ) -> None:
        self._rooms, self._on_epoch, self._capacity, self._timings = rooms, on_epoch, capacity, timings
        self._queue: deque[QueuedCommand] = deque()
        self._reads: dict[tuple[str, str], QueuedCommand] = {}
        self._not_empty = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._queue)

    def submit(self, command: AnyCommand, connection_id: str, on_result: Callable[[Result], None]) -> None:
        """Queue a command. `on_result` is called exactly once, on this event loop."""
        if len(self._queue) >= self._capacity:
            on_result(QUEUE_FULL)
            return
        if isinstance(command, ReadRoom) and self._merge_read(command, on_result):
            return
        item = QueuedCommand(command, connection_id, [on_result], len(_encoder.encode(command)) + TRACE_BYTES)
        if isinstance(command, ReadRoom):
            self._reads[command.user_id, command.room_id] = item
        self._queue.append(item)
        self._not_empty.set()

    def reject(self, connection_id: str) -> None:
        """Reject the queued commands of a connection whose session is gone.

        `ReadRoom` commands stay in the queue, because they may be merged with those of another connection.
        """
        rejected = [
            item
            for item in self._queue
            if item.connection_id == connection_id and not isinstance(item.command, ReadRoom)
        ]
        if rejected:
            ids = {id(item) for item in rejected}
            self._queue = deque(item for item in self._queue if id(item) not in ids)
            if not self._queue:
                self._not_empty.clear()
        for item in rejected:
            item.resolve(SESSION_GONE)

    async def run(self) -> None:
        """Wait for commands and send one batch."""
        await self._not_empty.wait()
        batch = self._take_batch()
        metrics.BATCH_COMMANDS.observe(len(batch))
        started = time.perf_counter()
        spans = _start_spans(batch)
        try:
            response = await self._send([item.command for item in batch])
        except BaseException:
            _end_spans(spans, "failure")
            self._fail(batch)
            raise
        finally:
            metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
        _end_spans(spans, "failure" if response is None else "success")
        if response is None:
            self._fail(batch)
            return
        for item, result in zip(batch, response.results, strict=True):
            item.resolve(result)
        self._on_epoch(response.epoch)

    def _merge_read(self, command: ReadRoom, on_result: Callable[[Result], None]) -> bool:
        """Merge the command into a queued one of the same user and room. Returns False if there is none."""
        queued = self._reads.get((command.user_id, command.room_id))
        if queued is None:
            return False
        assert isinstance(queued.command, ReadRoom)
        queued.command.seq = max(queued.command.seq, command.seq)
        queued.callbacks.append(on_result)
        return True

    def _take_batch(self) -> list[QueuedCommand]:
        batch: list[QueuedCommand] = []
        left = BATCH_BYTES
        while self._queue and len(batch) < MAX_BATCH_COMMANDS and (not batch or self._queue[0].size <= left):
            item = self._queue.popleft()
            left -= item.size
            batch.append(item)
            if isinstance(item.command, ReadRoom):
                self._reads.pop((item.command.user_id, item.command.room_id))
        if not self._queue:
            self._not_empty.clear()
        return batch

    async def _send(self, commands: list[AnyCommand]) -> BatchResult | None:
        """Send a batch until its outcome is known. Returns None if it is still unknown at the deadline."""
        loop = asyncio.get_running_loop()
        budget_ms, timeout = round(self._timings.command_budget * 1000), self._timings.command_request
        deadline, pause = loop.time() + self._timings.command_give_up, 0.05
        while True:
            try:
                return await self._rooms.commands(commands, budget_ms=budget_ms, timeout=timeout)
            except Unavailable as error:
                if loop.time() + pause + timeout > deadline:
                    log.warning("gave up on %d commands: %s", len(commands), error.detail, extra=about_room(commands))
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except DomainError as error:
                room = about_room(commands)
                log.error("rooms rejected a batch: %s", error.detail, extra=room)  # noqa: TRY400 - not a bug here
                return BatchResult("", [Rejected(code=error.code, detail=error.detail)] * len(commands))

    def _fail(self, batch: list[QueuedCommand]) -> None:
        """Answer the batch, and all queued commands of the same connections and rooms, with `unavailable`."""
        failed_senders = {item.sender for item in batch}
        queue, self._queue = self._queue, deque()
        failed = list(batch)
        for item in queue:
            if item.sender not in failed_senders:
                self._queue.append(item)
                continue
            failed.append(item)
            if isinstance(item.command, ReadRoom):
                self._reads.pop((item.command.user_id, item.command.room_id))
        if not self._queue:
            self._not_empty.clear()
        metrics.UNKNOWN_OUTCOMES.inc(len(failed))
        for item in failed:
            item.resolve(OUTCOME_UNKNOWN)


class CommandQueues:
    """The command queues of this gateway, one per partition. A hash of the room ID chooses the partition.

    Gateways with the same number of partitions assign a room to the same partition.
    """

    def __init__(
        self,
        rooms: Rooms,
        on_epoch: Callable[[str], None],
        *,
        partitions: int,
        capacity: int = QUEUE_COMMANDS,
        timings: Timings = DEFAULT_TIMINGS,
    ) -> None:
        self._capacity = capacity
        self._queues = [CommandQueue(rooms, on_epoch, capacity=capacity, timings=timings) for _ in range(partitions)]

    @property
    def depth(self) -> int:
        """The number of queued commands in all queues."""
        return sum(queue.depth for queue in self._queues)

    @property
    def deepest(self) -> int:
        """The number of queued commands in the fullest queue."""
        return max(queue.depth for queue in self._queues)

    @property
    def fill_level(self) -> float:
        """The fill level of the fullest queue, from 0 to 1."""
        return self.deepest / self._capacity

    def submit(self, command: AnyCommand, connection_id: str, on_result: Callable[[Result], None]) -> None:
        partition = zlib.crc32(command.room_id.encode()) % len(self._queues)
        self._queues[partition].submit(command, connection_id, on_result)

    def reject(self, connection_id: str) -> None:
        for queue in self._queues:
            queue.reject(connection_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for partition, queue in enumerate(self._queues):
                await stack.enter_async_context(background(f"command queue {partition}", queue.run, pause=0))
            yield
