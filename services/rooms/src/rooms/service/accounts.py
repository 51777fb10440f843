"""Which people there are: auth knows."""

import asyncio
import logging
from collections.abc import Collection

from shared.contracts.auth import Accounts, UsersRequest
from shared.errors import DomainError
from shared.rpc.client import Peer

log = logging.getLogger(__name__)

_A_CALL = 1_000


async def find_open(auth: Peer, user_ids: Collection[str]) -> set[str] | None:
    """Those of the users who have an open account; None if auth does not answer."""
    asked = list(user_ids)
    slices = [asked[start : start + _A_CALL] for start in range(0, len(asked), _A_CALL)]
    try:
        answers = await asyncio.gather(*(auth.call("accounts", UsersRequest(part), Accounts) for part in slices))
    except DomainError as problem:
        log.warning("auth does not say who these are: %r", problem.__cause__ or problem)
        return None
    return {account.user_id for answer in answers for account in answer.accounts}
