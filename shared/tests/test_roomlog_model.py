"""A model of a room's stream in Redis, searched exhaustively and compared with the real scripts.

The model has two publishers, crashes, missed publications, a flush, trims, a failover to a lagging replica, and a
reader that loses its connection. From every reachable state, one sweep and one check complete the reader.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from shared.ids import new_id
from shared.roomlog.frames import DELETION, PLAIN, EventBatch, text_frame
from shared.roomlog.keys import log_key, page_key
from shared.roomlog.stream import append_events, read_after
from shared.testing.fixtures import on_both_engines

HEAD = 4
"""Maximum number of committed events. The second one deletes the message of the first."""
DELETES = 2
KEPT = 2
"""Number of the newest events that a sweep publishes if there is no stream."""


class Log(NamedTuple):
    """A stream with the entries `first` … `head`; it is empty if first = head + 1."""

    first: int
    head: int


class Batch(NamedTuple):
    """An event batch without its bytes."""

    first: int
    last: int

    @property
    def deletes(self) -> bool:
        return self.first == DELETES == self.last


@cache
def append(log: Log | None, batch: Batch) -> tuple[Log | None, Batch | None, int]:
    """Model append_events.lua: return the stream afterwards, the published batch, and the script's result."""
    first, last = batch
    if log is not None:
        if log.head >= last:
            return log, None, -1
        if log.head + 1 < first:
            return log, None, log.head
        first = log.head + 1
    if log is None or batch.deletes:
        log = Log(first, first - 1)
    return Log(log.first, last), Batch(first, last), -1


def read(log: Log | None, version: int) -> int | None:
    """Model read_after.lua and StreamRead.reaches: return the last version read, None if there is a gap."""
    if log is None:
        return None
    if log.first <= version + 1 <= log.head:
        return log.head
    return version if log.head == version else None


@cache
def batches(first: int, last: int) -> tuple[Batch, ...]:
    """Model batch_events: a deletion is a batch of one."""
    if first > last:
        return ()
    if first < DELETES <= last:
        return (Batch(first, DELETES - 1), *batches(DELETES, last))
    if first == DELETES < last:
        return (Batch(first, first), Batch(first + 1, last))
    return (Batch(first, last),)


class State(NamedTuple):
    head: int
    log: Log | None
    replica: Log | None
    publishers: tuple[tuple[Batch, ...], tuple[Batch, ...]]
    """Sorted: the publishers are interchangeable, so swapping them gives the same state."""
    delivered: int
    channel: Batch | None
    """The publication that the reader has not received yet. A second one would only arrive later."""


START = State(0, None, None, ((), ()), 0, None)


def steps(state: State) -> Iterator[State]:
    yield from crashes_and_losses(state)
    for who in publishers_of(state):
        for count in (1, 2):
            if state.head + count <= HEAD:
                more = state.publishers[who] + batches(state.head + 1, state.head + count)
                yield with_publisher(state._replace(head=state.head + count), who, more)
        yield with_publisher(state, who, to_repair(state))
        if state.publishers[who]:
            yield from publishing(state, who)
    if state.channel is not None:
        yield state._replace(channel=None, delivered=receive(state, state.channel))
    yield state._replace(delivered=check(state))


def publishers_of(state: State) -> tuple[int, ...]:
    return (0,) if state.publishers[0] == state.publishers[1] else (0, 1)


def crashes_and_losses(state: State) -> Iterator[State]:
    yield state._replace(channel=None)
    yield state._replace(log=None)
    yield state._replace(replica=state.log)
    yield state._replace(log=state.replica)
    for who in publishers_of(state):
        yield with_publisher(state, who, ())
    if state.log is not None and state.log.first < state.log.head:
        yield state._replace(log=Log(state.log.first + 1, state.log.head))


def with_publisher(state: State, who: int, queue: tuple[Batch, ...]) -> State:
    other = state.publishers[1 - who]
    return state._replace(publishers=(queue, other) if queue <= other else (other, queue))


def to_repair(state: State) -> tuple[Batch, ...]:
    """Return the batches that a sweep, or a publisher that found a gap, loads from the database."""
    head = max(0, state.head - KEPT) if state.log is None else state.log.head
    return batches(head + 1, state.head)


def publishing(state: State, who: int) -> Iterator[State]:
    """Publish the next batch; the reader receives or misses it. At a gap the publisher loads from the database."""
    batch, *rest = state.publishers[who]
    log, published, result = append(state.log, batch)
    if result != -1:
        yield with_publisher(state, who, to_repair(state))
        return
    after = with_publisher(state._replace(log=log), who, tuple(rest))
    yield after
    if published is not None and state.channel is None:
        yield after._replace(channel=published)


def receive(state: State, publication: Batch) -> int:
    """Return the last version that the reader has delivered after a publication."""
    if publication.last <= state.delivered:
        return state.delivered
    return publication.last if publication.first <= state.delivered + 1 else check(state)


def check(state: State) -> int:
    """Read from the stream if it has no gap there, else from the database."""
    reached = read(state.log, state.delivered)
    return state.head if reached is None else reached


def settle(state: State) -> State:
    """Crash all processes and lose the reader's connection, then run one sweep and one check of the reader."""
    log = state.log
    for batch in to_repair(state):
        log, _, result = append(log, batch)
        assert result == -1, state
    state = state._replace(log=log)
    return state._replace(delivered=check(state))


def reachable() -> Iterator[State]:
    seen, found = {START}, [START]
    while found:
        state = found.pop()
        yield state
        fresh = [after for after in set(steps(state)) if after not in seen]
        seen.update(fresh)
        found += fresh


def test_no_state_leaves_a_reader_incomplete() -> None:
    count = 0
    for state in reachable():
        count += 1
        assert state.delivered <= state.head, state
        settled = settle(state)
        assert settled.delivered == state.head, state
        if settled.log is not None and state.head:
            assert settled.log.head == state.head, state
            assert not settled.log.first < DELETES <= state.head, ("deleted text remains", state)
    assert count > 75_000


def test_without_a_sweep_the_search_finds_incomplete_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "to_repair", lambda _: ())
    assert any(settle(state).delivered < state.head for state in reachable())


TRACES, STEPS = 60, 14


@on_both_engines
async def test_the_model_matches_the_scripts(redis: Redis) -> None:
    """Run random traces, each in a separate room. They are compared together: one read covers all rooms."""
    traces = [Trace(redis, random.Random(seed), new_id()) for seed in range(TRACES)]
    for _ in range(STEPS):
        for trace in traces:
            await trace.step()
        await compare_reads(redis, traces)
    assert [trace.room for trace in traces if await redis.exists(page_key("e", trace.room))] == []
    kinds = {kind for trace in traces for kind in trace.steps}
    assert kinds == {"flush", "trim", "published", "repeated", "gap"}


class Trace:
    """A random trace, applied to the model and to the server."""

    def __init__(self, redis: Redis, choose: random.Random, room: str) -> None:
        self.redis, self.choose, self.room = redis, choose, room
        self.log: Log | None = None
        self.steps: list[str] = []

    async def step(self) -> None:
        key, action = log_key("e", self.room), self.choose.random()
        if action < 0.1:
            self.steps.append("flush")
            self.log = None
            await self.redis.delete(key)
        elif action < 0.25 and self.log is not None and self.log.first < self.log.head:
            self.steps.append("trim")
            self.log = Log(self.log.first + 1, self.log.head)
            await self.redis.xtrim(key, minid=f"{self.log.first}-0", approximate=False)
        else:
            first = self.choose.randint(1, 8)
            for batch in batches(first, first + self.choose.randint(0, 3)):
                await self.publish(batch)

    async def publish(self, batch: Batch) -> None:
        self.log, published, result = append(self.log, batch)
        self.steps.append("gap" if result != -1 else "repeated" if published is None else "published")
        gaps = await append_events(self.redis, "e", [(self.room, event_batch(batch))])
        assert gaps == ({} if result == -1 else {self.room: result})


def event_batch(batch: Batch) -> EventBatch:
    frames = [text_frame(b"%d" % version) for version in range(batch.first, batch.last + 1)]
    return EventBatch(batch.first, DELETION if batch.deletes else PLAIN, frames)


async def compare_reads(redis: Redis, traces: Sequence[Trace]) -> None:
    for version in range(12):
        stream_reads = await read_after(redis, "e", {trace.room: version for trace in traces})
        for trace in traces:
            stream, reached = stream_reads[trace.room], read(trace.log, version)
            assert stream.reaches(version) == (reached is not None)
            assert stream.head == (-1 if trace.log is None else trace.log.head)
            if reached is not None:
                assert stream.frames == [text_frame(b"%d" % one) for one in range(version + 1, reached + 1)]
