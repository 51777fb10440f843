"""The path by which rooms change, except for opening them: batches of commands, validated, decided and committed.

A command is answered after its commit. The number of statements does not grow with the batch.
"""

import time
from collections.abc import Collection

from rooms.domain.decide import rejected
from rooms.domain.errors import error_of
from rooms.domain.validation import validate
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.accounts import find_open_accounts
from rooms.service.publication.publisher import Committed
from shared.budgets import COMMIT_S
from shared.contracts.rooms import Accepted, AnyCommand, BatchResult, InviteMembers, Rejected
from shared.errors import DomainError
from shared.tracing.context import sampled_span_context


async def execute(deps: Dependencies, commands: list[AnyCommand], deadline: float) -> BatchResult:
    """Execute commands in order. Return one result for each.

    `deadline` is in monotonic seconds. Commands that are not committed by then are rejected as unavailable.
    """
    # A request over HTTP or a domain event may be sampled as a whole. Commands of gateways have their own traceparent.
    if (span := sampled_span_context()) is not None:
        for command in commands:
            command.traceparent = command.traceparent or span.traceparent
    validated = [_validate(command) for command in commands]
    valid = [command for command in validated if not isinstance(command, Rejected)]
    open_accounts = await _find_invited(deps, valid)
    committed = await deps.committer.commit(valid, open_accounts, deadline) if valid else Committed()
    results = iter(committed.results)
    return BatchResult(
        committed.epoch or deps.publisher.epoch,
        [one if isinstance(one, Rejected) else next(results) for one in validated],
    )


async def execute_one(deps: Dependencies, command: AnyCommand) -> Accepted:
    """Execute one command. Raises DomainError if it is rejected."""
    result = (await execute(deps, [command], time.monotonic() + COMMIT_S)).results[0]
    if isinstance(result, Rejected):
        raise error_of(result.code, result.detail)
    return result


def _validate(command: AnyCommand) -> AnyCommand | Rejected:
    try:
        return validate(command)
    except DomainError as error:
        return rejected(error)


async def _find_invited(deps: Dependencies, commands: list[AnyCommand]) -> Collection[str] | None:
    """Return the invited users who have an open account, None if auth does not answer."""
    invited = {user for command in commands if isinstance(command, InviteMembers) for user in command.user_ids}
    return await find_open_accounts(deps.auth, invited) if invited else ()
