"""Deletion of unreferenced attachments and of avatars of closed accounts: hide them, then delete the objects.

Each step is idempotent. If one fails, the redelivered event or the sweep continues.
"""

from collections.abc import Awaitable, Callable, Sequence

from media.domain.attachments import StoredAttachment, keys_of
from media.service.dependencies import Dependencies
from media.storage import attachments, deletion_log
from shared.database.engine import Db
from shared.ids import now_ms

FindRows = Callable[[Db], Awaitable[list[StoredAttachment]]]


async def release(deps: Dependencies, room_id: str, attachment_ids: Sequence[str]) -> None:
    """Delete attachments to which no message of the room refers any more."""
    await _delete(deps, lambda db: attachments.list_in_room(db, room_id, attachment_ids), "attachments.released")


async def close_user(deps: Dependencies, user_id: str, at: int) -> None:
    async def find(db: Db) -> list[StoredAttachment]:
        await deletion_log.add_closed_account(db, user_id, at)
        avatars = await attachments.lock_avatars(db, user_id)
        pending = [one.id for one in avatars if one.state == "pending"]
        await attachments.set_state(db, pending, "pending", "failed")
        return [one for one in avatars if one.state != "pending"]

    await _delete(deps, find, "user.closed")


async def _delete(deps: Dependencies, find: FindRows, cause: str) -> None:
    async def hide(db: Db) -> list[StoredAttachment]:
        gone = await find(db)
        await attachments.set_state(db, [one.id for one in gone], "stored", "deleting")
        await deletion_log.log_deletions(db, gone, cause, now_ms())
        return gone

    await finish_deleting(deps, await deps.database.transact(hide))


async def finish_deleting(deps: Dependencies, gone: Sequence[StoredAttachment]) -> None:
    """Remove the objects of rows that are `deleting`, unless another row shares them."""
    if not gone:
        return
    await remove_objects(deps, gone)
    ids = [one.id for one in gone]

    async def complete(db: Db) -> None:
        await attachments.set_state(db, ids, "deleting", "deleted")
        await deletion_log.complete_deletions(db, ids, now_ms())

    await deps.database.transact(complete)


async def remove_objects(deps: Dependencies, gone: Sequence[StoredAttachment]) -> None:
    async with deps.database.read() as db:
        live = await attachments.active_keys(db, [one.object_key for one in gone])
    for one in gone:
        if one.object_key not in live:
            for key in keys_of(one):
                await deps.bucket.delete(key)
