"""Commits batches of commands. Those that arrive while others are under way go together in the next transaction.

So at rest nothing waits, and under load a transaction carries what many lanes sent: that is what makes it cheap.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Collection
from contextvars import Context
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from rooms.domain.decide import decide, rejected
from rooms.domain.errors import unavailable
from rooms.service import meters
from rooms.service.auditing import audit_events
from rooms.service.following import begin_commits, end_commits, fail_commits
from rooms.service.loading import load
from rooms.service.publisher import Committed, Publisher
from rooms.service.writing import write
from shared.contracts.rooms import AnyCommand, InviteMembers, Rejected, Result, SendMessage
from shared.database.engine import UNREACHABLE, Database, Db, is_contention
from shared.logging.context import about_room

log = logging.getLogger(__name__)

REPEATS = 3
"""How often a whole batch is tried again when it lost a fight for locks."""
GROUP_WEIGHT = 512
"""Commands, and people whom they name, in a transaction of several batches."""
MAX_WAITING = 1_000
_CLIENT_ERRORS = range(2000, 3000)
"""MySQL's numbers for what went wrong on this side: no connection, connection lost."""


class _OutOfTimeError(Exception):
    """The budget is used up before the commit."""


@dataclass(frozen=True)
class _Batch:
    """`known`: the open accounts among those invited, None where auth did not answer."""

    commands: list[AnyCommand]
    known: Collection[str] | None
    deadline: float
    done: asyncio.Future[Committed]

    @property
    def weight(self) -> int:
        return sum(map(_weight, self.commands))


def _weight(command: AnyCommand) -> int:
    named = len(command.user_ids) if isinstance(command, InviteMembers) else 0
    return 1 + (len(command.mentions) if isinstance(command, SendMessage) else named)


class Committer:
    def __init__(self, database: Database, publisher: Publisher, *, writers: int) -> None:
        self._database, self._publisher = database, publisher
        self._limit = 1 if database.is_sqlite else writers
        self._waiting: deque[_Batch] = deque()
        self._writers: set[asyncio.Task[None] | None] = set()
        meters.WAITING.set_function(lambda: len(self._waiting))

    @property
    def filled(self) -> float:
        """Which share of the batches that may wait do."""
        return len(self._waiting) / MAX_WAITING

    async def carry_out(self, commands: list[AnyCommand], known: Collection[str] | None, deadline: float) -> Committed:
        """Decide, commit, publish; what cannot be committed before `deadline` is refused as unavailable."""
        if len(self._waiting) >= MAX_WAITING:
            return _nothing(commands)
        batch = _Batch(commands, known, deadline, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        if len(self._writers) < self._limit:
            self._writers.add(asyncio.create_task(self._write_waiting(), context=Context()))
        return await batch.done

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                await self._commit_group(self._take())
        finally:  # in the same turn of the loop in which nothing waited: what comes next starts another writer
            self._writers.discard(asyncio.current_task())

    async def _commit_group(self, group: list[_Batch]) -> None:
        try:
            if len(group) == 1 or not await self._commit_together(group):
                for batch in group:
                    _finish(batch, await self._commit_alone(batch.commands, batch.known, batch.deadline))
        finally:
            for batch in group:
                batch.done.cancel()  # only where it got no answer: this process ends

    def _take(self) -> list[_Batch]:
        group = [self._waiting.popleft()]
        left = GROUP_WEIGHT - group[0].weight
        while self._waiting and group[0].known is not None and self._waiting[0].known is not None:
            left -= self._waiting[0].weight
            if left < 0:
                break
            group.append(self._waiting.popleft())
        return group

    async def _commit_together(self, group: list[_Batch]) -> bool:
        """One transaction for all of them; False: it failed, and each has to be seen to by itself."""
        commands = [command for batch in group for command in batch.commands]
        known = {user for batch in group for user in batch.known or ()}
        try:
            committed = await self._transact(commands, known, min(batch.deadline for batch in group))
        except Exception as error:  # noqa: BLE001 - each is tried again by itself, and says what is wrong
            log.info("%d batches could not be committed together: %r", len(group), error)
            return False
        self._tell(committed)
        results = iter(committed.results)
        for batch in group:
            _finish(batch, Committed(epoch=committed.epoch, results=[next(results) for _ in batch.commands]))
        return True

    async def _commit_alone(
        self, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
    ) -> Committed:
        try:
            committed = await self._commit(commands, known, deadline)
        except _OutOfTimeError:
            return _nothing(commands)
        except Exception as error:  # noqa: BLE001 - whatever it is, one command must not spoil its neighbours
            meters.FAILED.inc()
            log.warning("a batch of %d was not committed: %r", len(commands), error, extra=about_room(commands))
            if len(commands) == 1 or _is_away(error):
                return _nothing(commands)
            return await self._one_by_one(commands, known, deadline)
        self._tell(committed)
        return committed

    def _tell(self, committed: Committed) -> None:
        self._publisher.add(committed)
        audit_events(committed.events)

    async def _commit(self, commands: list[AnyCommand], known: Collection[str] | None, deadline: float) -> Committed:
        """One transaction; the whole batch again when it lost a fight for locks."""
        for _ in range(REPEATS):
            try:
                return await self._transact(commands, known, deadline)
            except DBAPIError as error:
                if not is_contention(error):
                    raise
                meters.CONTENTION.inc()
                log.info(
                    "a batch of %d meets another, again: %r", len(commands), error.orig, extra=about_room(commands)
                )
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - jitter
        return await self._transact(commands, known, deadline)

    async def _transact(self, commands: list[AnyCommand], known: Collection[str] | None, deadline: float) -> Committed:
        async def carry_out(db: Db) -> Committed:
            _check_time(deadline)
            work, epoch = await load(db, commands, known)
            results = [decide(work, command) for command in commands]
            revisions = await write(db, work)
            _check_time(deadline)
            events = [recorded.event for recorded in work.events]
            return Committed(epoch=epoch, events=events, reads=work.reads, revisions=revisions, results=results)

        spans = begin_commits(commands)
        started = time.perf_counter()
        try:
            committed = await self._database.transact(carry_out, repeats=0)
        except BaseException:
            fail_commits(spans)
            raise
        meters.COMMITS.observe(time.perf_counter() - started)
        meters.BATCHES.observe(len(commands))
        if spans:
            committed.traces = end_commits(spans, commands, committed.results)
        return committed

    async def _one_by_one(
        self, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
    ) -> Committed:
        """One of them cannot be stored: find it. What follows it from the same user in its room is refused as well."""
        results: list[Result] = []
        stopped: set[tuple[str, str]] = set()
        for command in commands:
            queue = (command.room_id, command.user_id)
            done = _nothing([command]) if queue in stopped else await self._commit_alone([command], known, deadline)
            results += done.results
            if isinstance(done.results[0], Rejected) and done.results[0].code == "unavailable":
                stopped.add(queue)
        return Committed(results=results)


def _finish(batch: _Batch, committed: Committed) -> None:
    if not batch.done.done():
        batch.done.set_result(committed)


def _nothing(commands: list[AnyCommand]) -> Committed:
    return Committed(results=[rejected(unavailable())] * len(commands))


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise _OutOfTimeError


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached: to try the commands one by one would be no better."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, UNREACHABLE)
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    lost = isinstance(code, int) and code in _CLIENT_ERRORS
    return lost or error.connection_invalidated or is_contention(error)
