"""The tables of attachments and of the client ids of uploads. A change of state names the previous state."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Select, func, select, update

from media.domain.attachments import State, StoredAttachment
from media.storage.tables import attachment, upload
from shared.database.engine import Db, run_upsert

COLUMNS = [attachment.c[name] for name in StoredAttachment.__struct_fields__]
_all = select(*COLUMNS)


async def _list(db: Db, statement: Select[*tuple[object, ...]]) -> list[StoredAttachment]:
    return [StoredAttachment(**row) for row in (await db.execute(statement)).mappings()]


async def _find(db: Db, statement: Select[*tuple[object, ...]]) -> StoredAttachment | None:
    return next(iter(await _list(db, statement.limit(1))), None)


async def find_attachment(db: Db, attachment_id: str) -> StoredAttachment | None:
    return await _find(db, _all.where(attachment.c.id == attachment_id))


async def find_by_client_id(db: Db, user_id: str, client_id: str) -> StoredAttachment | None:
    known = (upload.c.user_id == user_id) & (upload.c.client_id == client_id)
    return await _find(db, _all.join(upload, upload.c.attachment_id == attachment.c.id).where(known))


async def find_duplicate(db: Db, twin_key: bytes) -> StoredAttachment | None:
    """Return the pending or stored attachment with this key: the same bytes, name, user and room."""
    return await _find(db, _all.where(attachment.c.twin_key == twin_key))


async def find_same_bytes(db: Db, user_id: str, room_id: str | None, digest: bytes) -> StoredAttachment | None:
    """Return an attachment with the same bytes from the same user in the same room; lock it against deletion."""
    here = attachment.c.room_id.is_(None) if room_id is None else attachment.c.room_id == room_id
    same = (attachment.c.user_id == user_id) & (attachment.c.digest == digest) & (attachment.c.state == "stored")
    return await _find(db, _all.where(same, here).with_for_update())


async def find_avatar(db: Db, user_id: str, attachment_id: str) -> StoredAttachment | None:
    mine = (attachment.c.user_id == user_id) & (attachment.c.state == "stored") & attachment.c.room_id.is_(None)
    return await _find(db, _all.where(attachment.c.id == attachment_id, mine))


async def list_own(db: Db, user_id: str, room_id: str, ids: Collection[str]) -> list[StoredAttachment]:
    """Return those of `ids` that the user uploaded to this room, including deleted ones."""
    mine = (attachment.c.user_id == user_id) & (attachment.c.room_id == room_id)
    was_stored = attachment.c.state.in_(["stored", "deleting", "deleted"])
    return await _list(db, _all.where(attachment.c.id.in_(ids), mine, was_stored))


async def list_in_room(db: Db, room_id: str, ids: Collection[str]) -> list[StoredAttachment]:
    here = (attachment.c.room_id == room_id) & attachment.c.state.in_(["stored", "deleting"])
    return await _list(db, _all.where(attachment.c.id.in_(ids), here).order_by(attachment.c.id))


async def lock_avatars(db: Db, user_id: str) -> list[StoredAttachment]:
    """Return the user's avatars that are not deleted, locked until the transaction ends."""
    mine = (attachment.c.user_id == user_id) & attachment.c.room_id.is_(None)
    here = attachment.c.state.in_(["pending", "stored", "deleting"])
    return await _list(db, _all.where(mine, here).order_by(attachment.c.id).with_for_update())


async def list_in_state(db: Db, state: State, before: int, limit: int) -> list[StoredAttachment]:
    """Return attachments in a state with a deadline before `before`, the oldest first."""
    old = (attachment.c.state == state) & (attachment.c.deadline_at < before)
    return await _list(db, _all.where(old).order_by(attachment.c.deadline_at).limit(limit))


async def stored_bytes(db: Db, user_id: str) -> int:
    """Return the size of all of the user's pending and stored files. An index holds everything that this reads."""
    kept = (attachment.c.user_id == user_id) & attachment.c.state.in_(["pending", "stored"])
    return int((await db.execute(select(func.coalesce(func.sum(attachment.c.size), 0)).where(kept))).scalar_one())


async def insert_attachment(db: Db, stored: StoredAttachment) -> None:
    await db.execute(attachment.insert(), [msgspec.structs.asdict(stored)])


async def record_client_id(db: Db, user_id: str, client_id: str | None, attachment_id: str) -> None:
    """Record that the client id belongs to this attachment."""
    if client_id is not None:
        row = {"user_id": user_id, "client_id": client_id, "attachment_id": attachment_id}
        await run_upsert(db, upload, [row], replace=["attachment_id"])


async def set_state(db: Db, ids: Collection[str], before: State, after: State) -> int:
    """Change those of `ids` that are in the state `before` to `after`; return how many.

    An attachment that is no longer active frees its duplicate key; a deleted one loses its filename.
    """
    values: dict[str, object] = {"state": after}
    if after != "stored":
        values["twin_key"] = None
    if after == "deleted":
        values["filename"] = ""
    changed = update(attachment).where(attachment.c.id.in_(sorted(ids)), attachment.c.state == before)
    return (await db.execute(changed.values(values))).rowcount


async def remove_failed(db: Db, ids: Collection[str]) -> None:
    """Delete the rows of failed uploads and their client ids."""
    gone = select(attachment.c.id).where(attachment.c.id.in_(ids), attachment.c.state == "failed")
    found = list((await db.execute(gone)).scalars())
    await db.execute(upload.delete().where(upload.c.attachment_id.in_(found)))
    await db.execute(attachment.delete().where(attachment.c.id.in_(found), attachment.c.state == "failed"))


async def active_keys(db: Db, object_keys: Collection[str]) -> set[str]:
    """Return those of the keys that belong to a pending or stored row."""
    found = select(attachment.c.object_key).where(attachment.c.object_key.in_(object_keys))
    found = found.where(attachment.c.state.in_(["pending", "stored"]))
    return set((await db.execute(found)).scalars())
