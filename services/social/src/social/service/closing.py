"""A closed account: nothing of the person is left here but the id."""

from shared.database.engine import Db
from shared.events.auth import UserClosed
from social.service.announce import CHUNK, MAX_FOLLOWERS_TOLD, announce
from social.service.dependencies import Dependencies
from social.storage import people
from social.storage.blocks import remove_blocks_of
from social.storage.follows import remove_follows_of
from social.storage.revisions import follower_revisions, raise_followers, remove_revision


async def close(deps: Dependencies, event: UserClosed) -> None:
    """Handling it twice raises nobody's revision twice: the followers are gone after the first time."""

    async def write(db: Db) -> dict[str, int]:
        await people.lock_people(db, [event.user_id])
        await raise_followers(db, event.user_id)
        told = await follower_revisions(db, event.user_id, MAX_FOLLOWERS_TOLD, None)
        await people.close_person(db, event.user_id, event.version, event.at)
        await remove_follows_of(db, event.user_id)
        await remove_blocks_of(db, event.user_id)
        await remove_revision(db, event.user_id)
        return told

    told = list((await deps.database.transact(write)).items())
    for first in range(0, len(told), CHUNK):
        await announce(deps, dict(told[first : first + CHUNK]))
