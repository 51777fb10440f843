"""The room's log in Redis as a small model, searched exhaustively; the model itself is held to the real scripts.

Two publishers, crashes, missed publishes, a flush, trims, a failover to a replica that lags, a reader whose connection
breaks: no state is reachable from which one sweep and one check leave the reader incomplete.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from shared.ids import new_id
from shared.roomlog.frames import DELETION, PLAIN, Run, text_frame
from shared.roomlog.keys import log_key, page_key
from shared.roomlog.stream import publish_next, read_since
from shared.testing.fixtures import on_both_engines

HEAD = 4
"""How many events are committed at the most; the second one deletes the message of the first."""
DELETES = 2
KEPT = 2
"""How many of the newest events a sweep publishes where there is no stream."""


class Log(NamedTuple):
    """Entries `first` … `tip`; none where first = tip + 1."""

    first: int
    tip: int


class Piece(NamedTuple):
    """A run, without its bytes."""

    first: int
    last: int

    @property
    def deletes(self) -> bool:
        return self.first == DELETES == self.last


@cache
def publish(log: Log | None, piece: Piece) -> tuple[Log | None, Piece | None, int]:
    """publish_next.lua: the stream after it, what it published, and its answer."""
    first, last = piece
    if log is not None:
        if log.tip >= last:
            return log, None, -1
        if log.tip + 1 < first:
            return log, None, log.tip
        first = log.tip + 1
    if log is None or piece.deletes:
        log = Log(first, first - 1)
    return Log(log.first, last), Piece(first, last), -1


def read(log: Log | None, version: int) -> int | None:
    """read_since.lua and Since.reaches: up to where the stream tells all after `version`; None: it does not."""
    if log is None:
        return None
    if log.first <= version + 1 <= log.tip:
        return log.tip
    return version if log.tip == version else None


@cache
def pieces(first: int, last: int) -> tuple[Piece, ...]:
    """runs_of: a deletion is a run of its own."""
    if first > last:
        return ()
    if first < DELETES <= last:
        return (Piece(first, DELETES - 1), *pieces(DELETES, last))
    if first == DELETES < last:
        return (Piece(first, first), Piece(first + 1, last))
    return (Piece(first, last),)


class State(NamedTuple):
    head: int
    log: Log | None
    replica: Log | None
    publishers: tuple[tuple[Piece, ...], tuple[Piece, ...]]
    """In ascending order: publishers are alike, so a state and the one with both swapped are the same state."""
    delivered: int
    channel: Piece | None
    """What the reader has not taken yet; a second one would only come later."""


START = State(0, None, None, ((), ()), 0, None)


def steps(state: State) -> Iterator[State]:
    yield from crashes_and_losses(state)
    for who in publishers_of(state):
        for count in (1, 2):
            if state.head + count <= HEAD:
                more = state.publishers[who] + pieces(state.head + 1, state.head + count)
                yield with_publisher(state._replace(head=state.head + count), who, more)
        yield with_publisher(state, who, to_repair(state))
        if state.publishers[who]:
            yield from publishing(state, who)
    if state.channel is not None:
        yield state._replace(channel=None, delivered=take(state, state.channel))
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
    if state.log is not None and state.log.first < state.log.tip:
        yield state._replace(log=Log(state.log.first + 1, state.log.tip))


def with_publisher(state: State, who: int, queue: tuple[Piece, ...]) -> State:
    other = state.publishers[1 - who]
    return state._replace(publishers=(queue, other) if queue <= other else (other, queue))


def to_repair(state: State) -> tuple[Piece, ...]:
    """What a sweep, or a publisher that found a hole, reads from the database to publish."""
    tip = max(0, state.head - KEPT) if state.log is None else state.log.tip
    return pieces(tip + 1, state.head)


def publishing(state: State, who: int) -> Iterator[State]:
    """The next run of a publisher, heard by the reader or missed; at a hole it reads from the database."""
    piece, *rest = state.publishers[who]
    log, published, answer = publish(state.log, piece)
    if answer != -1:
        yield with_publisher(state, who, to_repair(state))
        return
    after = with_publisher(state._replace(log=log), who, tuple(rest))
    yield after
    if published is not None and state.channel is None:
        yield after._replace(channel=published)


def take(state: State, heard: Piece) -> int:
    """What the reader has delivered after a live run: the run itself only where it is the next."""
    if heard.last <= state.delivered:
        return state.delivered
    return heard.last if heard.first <= state.delivered + 1 else check(state)


def check(state: State) -> int:
    """The reading rule: the stream only if it tells everything, else the database."""
    reached = read(state.log, state.delivered)
    return state.head if reached is None else reached


def settle(state: State) -> State:
    """All processes crash, the reader's connection breaks; then one sweep, and one check of the reader."""
    log = state.log
    for piece in to_repair(state):
        log, _, answer = publish(log, piece)
        assert answer == -1, state
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
            assert settled.log.tip == state.head, state
            assert not settled.log.first < DELETES <= state.head, ("deleted text is still there", state)
    assert count > 75_000


def test_the_search_finds_what_a_missing_sweep_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "to_repair", lambda _: ())
    assert any(settle(state).delivered < state.head for state in reachable())


TRACES, STEPS = 60, 14


@on_both_engines
async def test_the_model_does_what_the_scripts_do(redis: Redis) -> None:
    """Random traces, each in a room of its own. They are compared together: a read is about all of them."""
    traces = [Trace(redis, random.Random(seed), new_id()) for seed in range(TRACES)]
    for _ in range(STEPS):
        for trace in traces:
            await trace.step()
        await compare_reads(redis, traces)
    assert [trace.room for trace in traces if await redis.exists(page_key("e", trace.room))] == []
    kinds = {kind for trace in traces for kind in trace.taken}
    assert kinds == {"flush", "trim", "published", "repeated", "hole"}


class Trace:
    """One random trace, in the model and on the server."""

    def __init__(self, redis: Redis, choose: random.Random, room: str) -> None:
        self.redis, self.choose, self.room = redis, choose, room
        self.log: Log | None = None
        self.taken: list[str] = []

    async def step(self) -> None:
        key, action = log_key("e", self.room), self.choose.random()
        if action < 0.1:
            self.taken.append("flush")
            self.log = None
            await self.redis.delete(key)
        elif action < 0.25 and self.log is not None and self.log.first < self.log.tip:
            self.taken.append("trim")
            self.log = Log(self.log.first + 1, self.log.tip)
            await self.redis.xtrim(key, minid=f"{self.log.first}-0", approximate=False)
        else:
            first = self.choose.randint(1, 8)
            for piece in pieces(first, first + self.choose.randint(0, 3)):
                await self.publish(piece)

    async def publish(self, piece: Piece) -> None:
        self.log, published, answer = publish(self.log, piece)
        self.taken.append("hole" if answer != -1 else "repeated" if published is None else "published")
        holes = await publish_next(self.redis, "e", [(self.room, run_of(piece))])
        assert holes == ({} if answer == -1 else {self.room: answer})


def run_of(piece: Piece) -> Run:
    frames = [text_frame(b"%d" % version) for version in range(piece.first, piece.last + 1)]
    return Run(piece.first, DELETION if piece.deletes else PLAIN, frames)


async def compare_reads(redis: Redis, traces: Sequence[Trace]) -> None:
    for version in range(12):
        found = await read_since(redis, "e", {trace.room: version for trace in traces})
        for trace in traces:
            since, reached = found[trace.room], read(trace.log, version)
            assert since.reaches(version) == (reached is not None)
            assert since.tip == (-1 if trace.log is None else trace.log.tip)
            if reached is not None:
                assert since.frames == [text_frame(b"%d" % one) for one in range(version + 1, reached + 1)]
