"""Applies the domain events of other services: blocks from social, closed accounts from auth."""

import time

from rooms.domain.state import direct_key
from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.commands import execute
from rooms.service.publication.publisher import Committed
from rooms.storage import members, rooms, users
from shared.budgets import COMMIT_S
from shared.contracts.rooms import AnyCommand, LeaveRoom, Rejected
from shared.database.engine import Db
from shared.errors import Unavailable
from shared.ids import new_id

ROOMS_PER_BATCH = 50


async def set_blocked(deps: Dependencies, user_id: str, blocked_id: str, version: int, *, blocked: bool) -> None:
    """Save a block or its removal, and let gateways know that the blocked user is silenced in the direct room, or not.

    Idempotent. Outdated changes are ignored.
    """

    async def save(db: Db) -> dict[str, int]:
        await users.lock_users(db, [user_id, blocked_id])  # so that no direct room of the two is opened meanwhile
        if not await users.set_blocked(db, user_id, blocked_id, version, blocked=blocked):
            return {}
        room = await rooms.find_direct(db, direct_key(user_id, blocked_id))
        return {} if room is None else await _silence(db, room.id, blocked_id, silenced=blocked)

    revisions = await deps.database.transact(save)
    deps.publisher.add(Committed(revisions=revisions))


async def _silence(db: Db, room_id: str, user_id: str, *, silenced: bool) -> dict[str, int]:
    """Set the flag of a member. Return the new revision of the user's room list."""
    await rooms.lock_rooms(db, [room_id])
    found, _ = await members.find_members(db, [(room_id, user_id)])
    for member in found.values():
        member.silenced = silenced
    await members.save_members(db, found.values())
    return await users.raise_revisions(db, [user_id])


async def close_user(deps: Dependencies, user_id: str, at: int) -> None:
    """Bar the user from joining rooms, and leave all groups. A direct room remains for the other member.

    Idempotent. Raises Unavailable if some rooms could not be left.
    """
    await deps.database.transact(lambda db: users.set_closed(db, user_id, at))
    async with deps.database.read() as db:
        room_ids = await members.list_room_ids(db, user_id)
    for start in range(0, len(room_ids), ROOMS_PER_BATCH):
        await _leave(deps, user_id, room_ids[start : start + ROOMS_PER_BATCH])


async def _leave(deps: Dependencies, user_id: str, room_ids: list[str]) -> None:
    commands: list[AnyCommand] = [
        LeaveRoom(command_id=new_id(), room_id=room_id, user_id=user_id) for room_id in room_ids
    ]
    batch = await execute(deps, commands, time.monotonic() + COMMIT_S)
    if any(isinstance(result, Rejected) and result.code == "unavailable" for result in batch.results):
        raise Unavailable("A closed account has not left all of its rooms yet.")
