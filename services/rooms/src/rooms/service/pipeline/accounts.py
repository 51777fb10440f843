"""Asks auth which users have an open account."""

import asyncio
import logging
from collections.abc import Collection

from shared.contracts.auth import Accounts, UsersRequest
from shared.errors import DomainError
from shared.rpc.client import Peer

log = logging.getLogger(__name__)

_MAX_USERS_PER_CALL = 1_000


async def find_open_accounts(auth: Peer, user_ids: Collection[str]) -> set[str] | None:
    """Return the users who have an open account, None if auth does not answer."""
    ids = list(user_ids)
    slices = [ids[start : start + _MAX_USERS_PER_CALL] for start in range(0, len(ids), _MAX_USERS_PER_CALL)]
    try:
        answers = await asyncio.gather(*(auth.call("accounts", UsersRequest(part), Accounts) for part in slices))
    except DomainError as error:
        log.warning("auth did not answer, so invitations are rejected: %r", error.__cause__ or error)
        return None
    return {account.user_id for answer in answers for account in answer.accounts}
