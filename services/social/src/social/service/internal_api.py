"""Requests of the gateways: friends, revisions, relationships."""

from shared.contracts.social import FriendLists, FriendRevisions, Friends, Relationships
from shared.database.engine import Db
from shared.errors import Invalid
from shared.ids import is_id
from social.service.dependencies import Dependencies
from social.storage.blocks import blocked_by
from social.storage.follows import friends_of, related_to
from social.storage.revisions import get_revisions

MAX_IDS = 1000


def _ids(ids: list[str], field: str) -> list[str]:
    """Return the ids, each once; raises Invalid for malformed ids or too many."""
    if len(ids) > MAX_IDS:
        raise Invalid("There are too many ids.", errors={field: f"at most {MAX_IDS}"})
    if not all(map(is_id, ids)):
        raise Invalid("Some of these are not ids.", errors={field: "must all be ids"})
    return list(dict.fromkeys(ids))


async def list_friends(deps: Dependencies, user_ids: list[str]) -> FriendLists:
    """Return revisions and profiles, read in one snapshot."""
    wanted = _ids(user_ids, "user_ids")

    async def read(db: Db) -> FriendLists:
        revisions = await get_revisions(db, wanted)
        friends = await friends_of(db, wanted)
        return FriendLists({user_id: Friends(revisions[user_id], friends[user_id]) for user_id in wanted})

    return await deps.database.snapshot(read)


async def list_revisions(deps: Dependencies, user_ids: list[str]) -> FriendRevisions:
    wanted = _ids(user_ids, "user_ids")
    return FriendRevisions(await deps.database.snapshot(lambda db: get_revisions(db, wanted)))


async def get_relationships(deps: Dependencies, user_id: str, other_ids: list[str]) -> Relationships:
    [one], others = _ids([user_id], "user_id"), _ids(other_ids, "other_ids")

    async def read(db: Db) -> tuple[set[str], set[str]]:
        return set(await related_to(db, one, others)), set(await blocked_by(db, one, others))

    followed, blockers = await deps.database.snapshot(read)
    return Relationships(followed=sorted(followed), blocked_by=sorted(blockers))
