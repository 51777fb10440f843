"""People whom social has not heard of yet: auth is asked at once, so that nobody waits for an event."""

from collections.abc import Collection

from shared.contracts.auth import Account, Accounts, UsersRequest
from social.service.parts import Parts
from social.storage.people import add_people, known_people


async def ensure_known(parts: Parts, user_ids: Collection[str]) -> None:
    """Afterwards there is a row for each of these that has an account. Raises Unavailable where auth must be asked."""
    async with parts.database.read() as db:
        missing = sorted(set(user_ids) - await known_people(db, user_ids))
    if missing:
        found = await parts.auth.call("accounts", UsersRequest(missing), Accounts)
        await register(parts, found.accounts)


async def register(parts: Parts, accounts: list[Account]) -> None:
    """Make the profiles of new accounts; harmless for known ones."""
    if accounts:
        await parts.database.transact(lambda db: add_people(db, accounts))
