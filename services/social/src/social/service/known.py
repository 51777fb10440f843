"""People whom social has not heard of yet: auth is asked at once, so that nobody waits for an event."""

from collections.abc import Collection

from shared.contracts.auth import Account, Accounts, UsersRequest
from social.service.dependencies import Dependencies
from social.storage.people import add_people, known_people


async def ensure_known(deps: Dependencies, user_ids: Collection[str]) -> None:
    """Afterwards there is a row for each of these that has an account. Raises Unavailable where auth must be asked."""
    async with deps.database.read() as db:
        missing = sorted(set(user_ids) - await known_people(db, user_ids))
    if missing:
        found = await deps.auth.call("accounts", UsersRequest(missing), Accounts)
        await register(deps, found.accounts)


async def register(deps: Dependencies, accounts: list[Account]) -> None:
    """Make the profiles of new accounts; harmless for known ones."""
    if accounts:
        await deps.database.transact(lambda db: add_people(db, accounts))
