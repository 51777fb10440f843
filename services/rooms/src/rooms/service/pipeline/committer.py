"""Commits batches of commands. Batches that arrive during a transaction share the next one (group commit).

An idle service therefore adds no delay, and under load one transaction carries the commands of many gateways.
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
from rooms.domain.digests import NO_KEYS, DigestKeys
from rooms.domain.errors import unavailable
from rooms.service import metrics
from rooms.service.pipeline.auditing import audit_events
from rooms.service.pipeline.loading import load
from rooms.service.pipeline.writing import write
from rooms.service.publication.publisher import Committed, Publisher
from rooms.service.tracing import end_commit_spans, fail_commit_spans, start_commit_spans
from shared.contracts.rooms import AnyCommand, InviteMembers, Rejected, Result, SendMessage
from shared.database.engine import UNREACHABLE, Database, Db, is_contention
from shared.logging.context import about_room

log = logging.getLogger(__name__)

MAX_RETRIES = 3
"""Retries of a batch that lost a lock conflict."""
MAX_GROUP_WEIGHT = 512
"""The commands in a transaction of several batches, plus the users whom they name."""
MAX_WAITING_BATCHES = 1_000
_CLIENT_ERRORS = range(2000, 3000)
"""MySQL's error numbers of the client library: cannot connect, connection lost."""


class _DeadlineExceededError(Exception):
    """The deadline passed before the commit."""


@dataclass(frozen=True)
class _Batch:
    """`open_accounts`: the invited users who have an open account, None if auth did not answer."""

    commands: list[AnyCommand]
    open_accounts: Collection[str] | None
    deadline: float
    done: asyncio.Future[Committed]

    @property
    def weight(self) -> int:
        return sum(map(_weight, self.commands))


def _weight(command: AnyCommand) -> int:
    invited = len(command.user_ids) if isinstance(command, InviteMembers) else 0
    return 1 + (len(command.mentions) if isinstance(command, SendMessage) else invited)


class Committer:
    """Runs at most `writers` transactions at a time, one on SQLite."""

    def __init__(
        self, database: Database, publisher: Publisher, *, writers: int, digest_keys: DigestKeys = NO_KEYS
    ) -> None:
        self._database, self._publisher, self._digest_keys = database, publisher, digest_keys
        self._max_writers = 1 if database.is_sqlite else writers
        self._waiting: deque[_Batch] = deque()
        self._writers: set[asyncio.Task[None] | None] = set()
        metrics.WAITING.set_function(lambda: len(self._waiting))

    @property
    def fill_level(self) -> float:
        """The fill level of the queue, from 0 to 1."""
        return len(self._waiting) / MAX_WAITING_BATCHES

    async def commit(
        self, commands: list[AnyCommand], open_accounts: Collection[str] | None, deadline: float
    ) -> Committed:
        """Decide and commit a batch, and hand it to the publisher.

        Commands that cannot be committed in time are rejected as unavailable.
        """
        if len(self._waiting) >= MAX_WAITING_BATCHES:
            return _unavailable(commands)
        batch = _Batch(commands, open_accounts, deadline, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        if len(self._writers) < self._max_writers:
            self._writers.add(asyncio.create_task(self._commit_waiting(), context=Context()))
        return await batch.done

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                await self._commit_group(self._take_group())
        finally:  # without an await since the queue was found empty: the next batch starts another writer
            self._writers.discard(asyncio.current_task())

    async def _commit_group(self, group: list[_Batch]) -> None:
        try:
            if len(group) == 1 or not await self._commit_together(group):
                for batch in group:
                    _finish(batch, await self._commit_alone(batch.commands, batch.open_accounts, batch.deadline))
        finally:
            for batch in group:
                batch.done.cancel()  # no effect on a finished batch; the process stops if one is unfinished

    def _take_group(self) -> list[_Batch]:
        group = [self._waiting.popleft()]
        left = MAX_GROUP_WEIGHT - group[0].weight
        while self._waiting and group[0].open_accounts is not None and self._waiting[0].open_accounts is not None:
            left -= self._waiting[0].weight
            if left < 0:
                break
            group.append(self._waiting.popleft())
        return group

    async def _commit_together(self, group: list[_Batch]) -> bool:
        """Commit a group in one transaction. Return False if it failed and each batch has to be committed alone."""
        commands = [command for batch in group for command in batch.commands]
        open_accounts = {user for batch in group for user in batch.open_accounts or ()}
        try:
            committed = await self._transact(commands, open_accounts, min(batch.deadline for batch in group))
        except Exception as error:  # noqa: BLE001 - each batch is retried alone, which reports its own error
            log.info("%d batches could not be committed together, so each is tried alone: %r", len(group), error)
            return False
        self._publish(committed)
        results = iter(committed.results)
        for batch in group:
            _finish(batch, Committed(epoch=committed.epoch, results=[next(results) for _ in batch.commands]))
        return True

    async def _commit_alone(
        self, commands: list[AnyCommand], open_accounts: Collection[str] | None, deadline: float
    ) -> Committed:
        try:
            committed = await self._transact_with_retries(commands, open_accounts, deadline)
        except _DeadlineExceededError:
            return _unavailable(commands)
        except Exception as error:  # noqa: BLE001 - one command must not fail the others, whatever the error is
            metrics.FAILED.inc()
            log.warning("a batch of %d was not committed: %r", len(commands), error, extra=about_room(commands))
            if len(commands) == 1 or _is_unreachable(error):
                return _unavailable(commands)
            return await self._commit_one_by_one(commands, open_accounts, deadline)
        self._publish(committed)
        return committed

    def _publish(self, committed: Committed) -> None:
        self._publisher.add(committed)
        audit_events(committed.events)

    async def _transact_with_retries(
        self, commands: list[AnyCommand], open_accounts: Collection[str] | None, deadline: float
    ) -> Committed:
        for _ in range(MAX_RETRIES):
            try:
                return await self._transact(commands, open_accounts, deadline)
            except DBAPIError as error:
                if not is_contention(error):
                    raise
                metrics.CONTENTION.inc()
                log.info(
                    "a batch of %d lost a lock conflict and is retried: %r",
                    len(commands),
                    error.orig,
                    extra=about_room(commands),
                )
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - jitter
        return await self._transact(commands, open_accounts, deadline)

    async def _transact(
        self, commands: list[AnyCommand], open_accounts: Collection[str] | None, deadline: float
    ) -> Committed:
        async def load_decide_write(db: Db) -> Committed:
            _check_deadline(deadline)
            work, epoch = await load(db, commands, open_accounts, self._digest_keys)
            results = [decide(work, command) for command in commands]
            revisions = await write(db, work)
            _check_deadline(deadline)
            events = [recorded.event for recorded in work.events]
            return Committed(
                epoch=epoch, events=events, read_cursors=work.read_cursors, revisions=revisions, results=results
            )

        spans = start_commit_spans(commands)
        started = time.perf_counter()
        try:
            committed = await self._database.transact(load_decide_write, repeats=0)
        except BaseException:
            fail_commit_spans(spans)
            raise
        metrics.COMMITS.observe(time.perf_counter() - started)
        metrics.BATCHES.observe(len(commands))
        if spans:
            committed.traces = end_commit_spans(spans, commands, committed.results)
        return committed

    async def _commit_one_by_one(
        self, commands: list[AnyCommand], open_accounts: Collection[str] | None, deadline: float
    ) -> Committed:
        """Find the command that cannot be stored. Later commands of the same user in its room are rejected too."""
        results: list[Result] = []
        failed: set[tuple[str, str]] = set()
        for command in commands:
            key = (command.room_id, command.user_id)
            if key in failed:
                committed = _unavailable([command])
            else:
                committed = await self._commit_alone([command], open_accounts, deadline)
            results += committed.results
            if isinstance(committed.results[0], Rejected) and committed.results[0].code == "unavailable":
                failed.add(key)
        return Committed(results=results)


def _finish(batch: _Batch, committed: Committed) -> None:
    if not batch.done.done():
        batch.done.set_result(committed)


def _unavailable(commands: list[AnyCommand]) -> Committed:
    return Committed(results=[rejected(unavailable())] * len(commands))


def _check_deadline(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise _DeadlineExceededError


def _is_unreachable(error: Exception) -> bool:
    """Return whether the database cannot be reached. Retrying the commands one by one would fail too."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, UNREACHABLE)
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    lost = isinstance(code, int) and code in _CLIENT_ERRORS
    return lost or error.connection_invalidated or is_contention(error)
