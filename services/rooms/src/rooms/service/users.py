"""Applies the domain events of other services: blocks from social, closed accounts from auth."""

import time

from rooms.service.dependencies import Dependencies
from rooms.service.pipeline.commands import execute
from rooms.storage import members, users
from shared.budgets import COMMIT_S
from shared.contracts.rooms import AnyCommand, LeaveRoom, Rejected
from shared.errors import Unavailable
from shared.ids import new_id

ROOMS_PER_BATCH = 50


async def set_blocked(deps: Dependencies, user_id: str, blocked_id: str, version: int, *, blocked: bool) -> None:
    await deps.database.transact(lambda db: users.set_blocked(db, user_id, blocked_id, version, blocked=blocked))


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
