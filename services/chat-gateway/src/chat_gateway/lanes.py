"""Commands to rooms: a room's commands all pass through one lane, and a lane has one request under way.

What arrives meanwhile goes together in the next request, so that at rest nothing waits and under load commands batch by
themselves; one sender's messages in a room never overtake each other. A batch of unknown outcome is repeated before the
next one is sent; every command is idempotent.
"""

import asyncio
import logging
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from chat_gateway import meters
from chat_gateway.clients.rooms import Rooms
from chat_gateway.settings import DEFAULT_TIMINGS, Timings
from shared.contracts.rooms import AnyCommand, BatchResult, ReadRoom, Rejected, Result
from shared.errors import DomainError, Unavailable
from shared.logging.context import about_room
from shared.tasks import background
from shared.tracing.spans import Outcome, Span, child_span

log = logging.getLogger(__name__)

BATCH_COMMANDS = 256
BATCH_BYTES = 512 * 1024
QUEUE_COMMANDS = 10_000

GAVE_UP = Rejected(
    code="unavailable", detail="The outcome is unknown: send it again, in order, with the same client_id."
)
SIGNED_OUT = Rejected(code="unauthenticated", detail="The session is gone: sign in again.")
BUSY = Rejected(
    code="unavailable", detail="Too much is waiting for this room: send it again, in order, a little later."
)


class Item(msgspec.Struct):
    """A command that waits. `owner` names the connection: behind a failed one of the same owner and room, all fail."""

    command: AnyCommand
    owner: str
    done: list[Callable[[Result], None]]
    size: int

    def finish(self, result: Result) -> None:
        for done in self.done:
            done(result)


def _follow(items: list[Item]) -> list[Span]:
    """Of the commands whose way is written down, a span each; what rooms does stands under it."""
    spans = []
    for item in items:
        if item.command.traceparent:
            fields = {"webchat.room": item.command.room_id, "webchat.batch": len(items)}
            if (span := child_span(item.command.traceparent, "rooms.commands", "client", fields)) is not None:
                item.command.traceparent = span.traceparent
                spans.append(span)
    return spans


def _finish(spans: list[Span], outcome: Outcome) -> None:
    for span in spans:
        span.end(outcome)


class Lane:
    def __init__(
        self,
        rooms: Rooms,
        on_epoch: Callable[[str], None],
        *,
        room_for: int = QUEUE_COMMANDS,
        timings: Timings = DEFAULT_TIMINGS,
    ) -> None:
        self._rooms, self._on_epoch, self._room_for, self._timings = rooms, on_epoch, room_for, timings
        self._queue: deque[Item] = deque()
        self._reads: dict[tuple[str, str], Item] = {}
        self._filled = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._queue)

    def submit(self, command: AnyCommand, owner: str, done: Callable[[Result], None]) -> None:
        """Queue a command; `done` gets its result, from this loop, exactly once."""
        if len(self._queue) >= self._room_for:
            done(BUSY)
            return
        if isinstance(command, ReadRoom) and self._merge_read(command, done):
            return
        body = getattr(command, "body", "")
        item = Item(command, owner, [done], 256 + 4 * len(body))
        if isinstance(command, ReadRoom):
            self._reads[command.user_id, command.room_id] = item
        self._queue.append(item)
        self._filled.set()

    def refuse(self, owner: str) -> None:
        """Refuse what waits for a connection whose session is gone. Reads, which may be another's as well, go on."""
        refused = [item for item in self._queue if item.owner == owner and not isinstance(item.command, ReadRoom)]
        if refused:
            gone = {id(item) for item in refused}
            self._queue = deque(item for item in self._queue if id(item) not in gone)
            if not self._queue:
                self._filled.clear()
        for item in refused:
            item.finish(SIGNED_OUT)

    async def run(self) -> None:
        """Send one batch, when there is something to send."""
        await self._filled.wait()
        items = self._take()
        meters.LANE_BATCH.observe(len(items))
        started = time.perf_counter()
        spans = _follow(items)
        try:
            answer = await self._send([item.command for item in items])
        except BaseException:
            _finish(spans, "failure")
            self._fail(items)
            raise
        finally:
            meters.LANE_REQUESTS.observe(time.perf_counter() - started)
        _finish(spans, "failure" if answer is None else "success")
        if answer is None:
            self._fail(items)
            return
        for item, result in zip(items, answer.results, strict=True):
            item.finish(result)
        self._on_epoch(answer.epoch)

    def _merge_read(self, command: ReadRoom, done: Callable[[Result], None]) -> bool:
        """Raise the waiting read of the same user and room instead of queueing another."""
        waiting = self._reads.get((command.user_id, command.room_id))
        if waiting is None:
            return False
        assert isinstance(waiting.command, ReadRoom)
        waiting.command.seq = max(waiting.command.seq, command.seq)
        waiting.done.append(done)
        return True

    def _take(self) -> list[Item]:
        items: list[Item] = []
        size = 0
        while self._queue and len(items) < BATCH_COMMANDS and (not items or size + self._queue[0].size <= BATCH_BYTES):
            item = self._queue.popleft()
            size += item.size
            items.append(item)
            if isinstance(item.command, ReadRoom):
                self._reads.pop((item.command.user_id, item.command.room_id))
        if not self._queue:
            self._filled.clear()
        return items

    async def _send(self, commands: list[AnyCommand]) -> BatchResult | None:
        """The answer; None where the outcome stayed unknown for too long."""
        loop = asyncio.get_running_loop()
        budget_ms, timeout = round(self._timings.command_budget * 1000), self._timings.command_request
        give_up, pause = loop.time() + self._timings.command_give_up, 0.05
        while True:
            try:
                return await self._rooms.commands(commands, budget_ms=budget_ms, timeout=timeout)
            except Unavailable as problem:
                if loop.time() + pause + timeout > give_up:
                    log.warning("gave up on %d commands: %s", len(commands), problem.detail, extra=about_room(commands))
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
            except DomainError as problem:
                room = about_room(commands)
                log.error("rooms refused a batch: %s", problem.detail, extra=room)  # noqa: TRY400 - no bug of ours
                return BatchResult("", [Rejected(code=problem.code, detail=problem.detail)] * len(commands))

    def _fail(self, items: list[Item]) -> None:
        """Answer the items, and all that waits behind them for the same owner and room, with `unavailable`."""
        failed = {(item.owner, item.command.room_id) for item in items}
        waiting, self._queue = self._queue, deque()
        behind: list[Item] = []
        for item in waiting:
            if (item.owner, item.command.room_id) not in failed:
                self._queue.append(item)
                continue
            behind.append(item)
            if isinstance(item.command, ReadRoom):
                self._reads.pop((item.command.user_id, item.command.room_id))
        if not self._queue:
            self._filled.clear()
        meters.LANE_UNKNOWN.inc(len(items) + len(behind))
        for item in items + behind:
            item.finish(GAVE_UP)


class Lanes:
    """The lanes of this gateway; the same room takes the same lane on every gateway with as many."""

    def __init__(
        self,
        rooms: Rooms,
        on_epoch: Callable[[str], None],
        *,
        count: int,
        room_for: int = QUEUE_COMMANDS,
        timings: Timings = DEFAULT_TIMINGS,
    ) -> None:
        self._room_for = room_for
        self._lanes = [Lane(rooms, on_epoch, room_for=room_for, timings=timings) for _ in range(count)]

    @property
    def depth(self) -> int:
        return sum(lane.depth for lane in self._lanes)

    @property
    def deepest(self) -> int:
        return max(lane.depth for lane in self._lanes)

    @property
    def filled(self) -> float:
        """Which share of the commands that may wait in a lane do, in the fullest."""
        return self.deepest / self._room_for

    def submit(self, command: AnyCommand, owner: str, done: Callable[[Result], None]) -> None:
        self._lanes[zlib.crc32(command.room_id.encode()) % len(self._lanes)].submit(command, owner, done)

    def refuse(self, owner: str) -> None:
        for lane in self._lanes:
            lane.refuse(owner)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for index, lane in enumerate(self._lanes):
                await stack.enter_async_context(background(f"lane {index}", lane.run, pause=0))
            yield
