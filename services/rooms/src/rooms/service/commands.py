"""The one way into the rooms' tables: a batch of commands, decided together, committed together, then published.

The answer means: committed. The number of statements does not grow with the batch.
"""

import asyncio
import logging
import random
import time
from collections.abc import Collection

from sqlalchemy.exc import DBAPIError

from rooms.domain.decide import decide, refused
from rooms.domain.refusals import Refusal, unavailable
from rooms.domain.well_formed import well_formed
from rooms.service.accounts import find_open
from rooms.service.loading import load
from rooms.service.parts import Parts
from rooms.service.publisher import Committed
from rooms.service.writing import write
from shared.contracts.rooms import AnyCommand, BatchDone, Done, InviteMembers, Refused, Result
from shared.service.database import UNREACHABLE, is_contention

log = logging.getLogger(__name__)

REPEATS = 3
"""How often a whole batch is tried again when it lost a fight for locks."""
_CLIENT_ERRORS = range(2000, 3000)
"""MySQL's numbers for what went wrong on this side: no connection, connection lost."""
BUDGET_S = 5.0
"""For commands that come without a budget of their own."""


class _OutOfTimeError(Exception):
    """The budget is used up before the commit."""


async def execute(parts: Parts, commands: list[AnyCommand], deadline: float) -> BatchDone:
    """Carry out commands in order; past `deadline` (monotonic seconds) nothing is committed. One result for each."""
    checked = [_checked(command) for command in commands]
    todo = [command for command in checked if not isinstance(command, Refused)]
    known = await _known(parts, todo)
    done = await _carry_out(parts, todo, known, deadline) if todo else Committed()
    results = iter(done.results)
    return BatchDone(
        done.epoch or parts.publisher.epoch,
        [item if isinstance(item, Refused) else next(results) for item in checked],
    )


async def execute_one(parts: Parts, command: AnyCommand) -> Done:
    """Carry out one command; raises Refusal."""
    result = (await execute(parts, [command], time.monotonic() + BUDGET_S)).results[0]
    if isinstance(result, Refused):
        raise Refusal(result.code, result.detail)
    return result


def _checked(command: AnyCommand) -> AnyCommand | Refused:
    try:
        return well_formed(command)
    except Refusal as refusal:
        return refused(refusal)


async def _known(parts: Parts, commands: list[AnyCommand]) -> Collection[str] | None:
    invited = {user for command in commands if isinstance(command, InviteMembers) for user in command.user_ids}
    return await find_open(parts.auth, invited) if invited else ()


async def _carry_out(
    parts: Parts, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
) -> Committed:
    try:
        committed = await _commit(parts, commands, known, deadline)
    except _OutOfTimeError:
        return _nothing(commands)
    except Exception as error:  # noqa: BLE001 - whatever it is, one command must not spoil its neighbours
        log.warning("a batch of %d was not committed: %r", len(commands), error)
        if len(commands) == 1 or _is_away(error):
            return _nothing(commands)
        return await _one_by_one(parts, commands, known, deadline)
    parts.publisher.add(committed)
    return committed


def _nothing(commands: list[AnyCommand]) -> Committed:
    return Committed(results=[refused(unavailable())] * len(commands))


async def _commit(
    parts: Parts, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
) -> Committed:
    """One transaction; the whole batch again when it lost a fight for locks."""
    for _ in range(REPEATS):
        try:
            return await _transact(parts, commands, known, deadline)
        except DBAPIError as error:
            if not is_contention(error):
                raise
            log.info("a batch of %d meets another, again: %r", len(commands), error.orig)
            await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - jitter
    return await _transact(parts, commands, known, deadline)


async def _transact(
    parts: Parts, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
) -> Committed:
    async with parts.database.write() as db:
        work, epoch = await load(db, commands, known)
        results = [decide(work, command) for command in commands]
        revisions = await write(db, work)
        if time.monotonic() > deadline:
            raise _OutOfTimeError
    events = [recorded.event for recorded in work.events]
    return Committed(epoch=epoch, events=events, reads=work.reads, revisions=revisions, results=results)


def _is_away(error: Exception) -> bool:
    """Whether the database could not be reached: to try the commands one by one would be no better."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, UNREACHABLE)
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    lost = isinstance(code, int) and code in _CLIENT_ERRORS
    return lost or error.connection_invalidated or is_contention(error)


async def _one_by_one(
    parts: Parts, commands: list[AnyCommand], known: Collection[str] | None, deadline: float
) -> Committed:
    """One of them cannot be stored: find it. What follows it from the same user in its room is refused as well."""
    results: list[Result] = []
    stopped: set[tuple[str, str]] = set()
    for command in commands:
        queue = (command.room_id, command.user_id)
        skip = queue in stopped or time.monotonic() > deadline
        done = _nothing([command]) if skip else await _carry_out(parts, [command], known, deadline)
        results += done.results
        if isinstance(done.results[0], Refused) and done.results[0].code == "unavailable":
            stopped.add(queue)
    return Committed(results=results)
