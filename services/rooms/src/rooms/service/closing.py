"""What the other services tell of people: blocks, and accounts that are closed."""

import time

from rooms.service.commands import BUDGET_S, execute
from rooms.service.dependencies import Dependencies
from rooms.storage import members, people
from shared.contracts.rooms import AnyCommand, LeaveRoom, Rejected
from shared.errors import Unavailable
from shared.ids import new_id

A_BATCH = 50


async def set_blocked(deps: Dependencies, user_id: str, blocked_id: str, version: int, *, blocked: bool) -> None:
    await deps.database.transact(lambda db: people.set_blocked(db, user_id, blocked_id, version, blocked=blocked))


async def close_user(deps: Dependencies, user_id: str, at: int) -> None:
    """Let the user in nowhere any more, and leave all groups. A direct room stays for the other one.

    Handled again, it changes nothing. Raises Unavailable where some rooms are not left yet.
    """
    await deps.database.transact(lambda db: people.set_closed(db, user_id, at))
    async with deps.database.read() as db:
        room_ids = await members.list_rooms_of(db, user_id)
    for start in range(0, len(room_ids), A_BATCH):
        await _leave(deps, user_id, room_ids[start : start + A_BATCH])


async def _leave(deps: Dependencies, user_id: str, room_ids: list[str]) -> None:
    commands: list[AnyCommand] = [
        LeaveRoom(command_id=new_id(), room_id=room_id, user_id=user_id) for room_id in room_ids
    ]
    done = await execute(deps, commands, time.monotonic() + BUDGET_S)
    if any(isinstance(result, Rejected) and result.code == "unavailable" for result in done.results):
        raise Unavailable("Not all rooms of a closed account are left yet.")
