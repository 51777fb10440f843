"""Accounts of auth in social: registering them, also ahead of auth's event, and closing them."""

from collections.abc import Collection

from shared.contracts.auth import Account, Accounts, UsersRequest
from shared.database.engine import Db
from shared.events.auth import UserClosed
from social.service.dependencies import Dependencies
from social.service.notifications import CHUNK, MAX_NOTIFIED_FOLLOWERS, notify
from social.storage import people
from social.storage.blocks import remove_blocks_of
from social.storage.follows import remove_follows_of
from social.storage.revisions import follower_revisions, raise_followers, remove_revision


async def ensure_registered(deps: Dependencies, user_ids: Collection[str]) -> None:
    """Register those of these users whose accounts are unknown so far.

    Raises Unavailable if there are such and auth does not answer. A user without an account is ignored.
    """
    async with deps.database.read() as db:
        missing = sorted(set(user_ids) - await people.known_people(db, user_ids))
    if missing:
        found = await deps.auth.call("accounts", UsersRequest(missing), Accounts)
        await register(deps, found.accounts)


async def register(deps: Dependencies, accounts: list[Account]) -> None:
    """Add profiles for new accounts. Idempotent."""
    if accounts:
        await deps.database.transact(lambda db: people.add_people(db, accounts))


async def close(deps: Dependencies, event: UserClosed) -> None:
    """Remove everything about the person but the id. Idempotent."""

    async def write(db: Db) -> dict[str, int]:
        await people.lock_people(db, [event.user_id])
        await raise_followers(db, event.user_id)  # a second time there are none
        followers = await follower_revisions(db, event.user_id, MAX_NOTIFIED_FOLLOWERS, None)
        await people.close_person(db, event.user_id, event.version, event.at)
        await remove_follows_of(db, event.user_id)
        await remove_blocks_of(db, event.user_id)
        await remove_revision(db, event.user_id)
        return followers

    followers = list((await deps.database.transact(write)).items())
    for first in range(0, len(followers), CHUNK):
        await notify(deps, dict(followers[first : first + CHUNK]))
