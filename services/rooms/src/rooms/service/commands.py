"""The one way into the rooms' tables: a batch of commands, checked, then decided and committed together.

The answer means: committed. The number of statements does not grow with the batch.
"""

import time
from collections.abc import Collection

from rooms.domain.decide import rejected
from rooms.domain.errors import error_of
from rooms.domain.well_formed import well_formed
from rooms.service.accounts import find_open
from rooms.service.dependencies import Dependencies
from rooms.service.publisher import Committed
from shared.contracts.rooms import Accepted, AnyCommand, BatchResult, InviteMembers, Rejected
from shared.errors import DomainError
from shared.tracing.context import sampled_span_context

BUDGET_S = 5.0
"""For commands that come without a budget of their own."""


async def execute(deps: Dependencies, commands: list[AnyCommand], deadline: float) -> BatchResult:
    """Carry out commands in order; past `deadline` (monotonic seconds) nothing is committed. One result for each."""
    if (place := sampled_span_context()) is not None:  # by HTTP, or for an event; commands of gateways bring their own
        for command in commands:
            command.traceparent = command.traceparent or place.traceparent
    checked = [_checked(command) for command in commands]
    todo = [command for command in checked if not isinstance(command, Rejected)]
    known = await _known(deps, todo)
    done = await deps.committer.carry_out(todo, known, deadline) if todo else Committed()
    results = iter(done.results)
    return BatchResult(
        done.epoch or deps.publisher.epoch,
        [item if isinstance(item, Rejected) else next(results) for item in checked],
    )


async def execute_one(deps: Dependencies, command: AnyCommand) -> Accepted:
    """Carry out one command; raises DomainError."""
    result = (await execute(deps, [command], time.monotonic() + BUDGET_S)).results[0]
    if isinstance(result, Rejected):
        raise error_of(result.code, result.detail)
    return result


def _checked(command: AnyCommand) -> AnyCommand | Rejected:
    try:
        return well_formed(command)
    except DomainError as error:
        return rejected(error)


async def _known(deps: Dependencies, commands: list[AnyCommand]) -> Collection[str] | None:
    invited = {user for command in commands if isinstance(command, InviteMembers) for user in command.user_ids}
    return await find_open(deps.auth, invited) if invited else ()
