"""Memberships and room list revisions, for the checks of gateways and media."""

from collections.abc import Sequence

from rooms.domain.serializers import membership_of
from rooms.service.dependencies import Dependencies
from rooms.storage import attachments, epochs, members, users
from shared.contracts.rooms import MembershipCheck, Memberships, Revisions, SharedWith, UserMemberships
from shared.database.engine import Db


async def list_memberships(deps: Dependencies, user_ids: Sequence[str]) -> Memberships:
    async def load(db: Db) -> Memberships:
        epoch = await epochs.get_epoch(db)
        revisions = await users.find_revisions(db, user_ids)
        found = {user_id: UserMemberships(revisions.get(user_id, 0), {}) for user_id in user_ids}
        for member in await members.list_memberships(db, user_ids):
            found[member.user_id].rooms[member.room_id] = membership_of(member)
        return Memberships(epoch, found)

    return await deps.database.snapshot(load)


async def list_revisions(deps: Dependencies, user_ids: Sequence[str]) -> Revisions:
    async def load(db: Db) -> Revisions:
        epoch = await epochs.get_epoch(db)
        revisions = await users.find_revisions(db, user_ids)
        return Revisions(epoch=epoch, revisions={user_id: revisions.get(user_id, 0) for user_id in user_ids})

    return await deps.database.snapshot(load)


async def list_shared(deps: Dependencies, user_id: str, other_ids: Sequence[str]) -> SharedWith:
    """Return which of the other users share a room with the user."""
    async with deps.reads.worker(user_id), deps.database.read() as db:
        return SharedWith(await members.list_users_sharing_room(db, user_id, other_ids))


async def check_membership(
    deps: Dependencies, user_id: str, room_id: str, attachment_ids: Sequence[str]
) -> MembershipCheck:
    """Return whether the user is in the room, and which of the attachments are unreferenced permanently."""
    async with deps.database.read() as db:
        found, _ = await members.find_members(db, [(room_id, user_id)])
        keys = [(room_id, attachment_id) for attachment_id in attachment_ids]
        references = await attachments.count_references(db, keys) if keys else {}
    unreferenced = [attachment_id for (_, attachment_id), count in references.items() if count is None]
    return MembershipCheck(any(member.is_current for member in found.values()), unreferenced)
