"""Attachments and the client ids that stand for them. A change of state names the state that it comes from."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Select, select, update

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


async def find_twin(db: Db, twin_key: bytes) -> StoredAttachment | None:
    """Pending or stored: the same bytes, name, person and room."""
    return await _find(db, _all.where(attachment.c.twin_key == twin_key))


async def find_same_bytes(db: Db, user_id: str, room_id: str | None, digest: bytes) -> StoredAttachment | None:
    """Stored by the same person in the same room, under any name; kept from being deleted in this transaction."""
    here = attachment.c.room_id.is_(None) if room_id is None else attachment.c.room_id == room_id
    same = (attachment.c.user_id == user_id) & (attachment.c.digest == digest) & (attachment.c.state == "stored")
    return await _find(db, _all.where(same, here).with_for_update())


async def find_avatar(db: Db, user_id: str, attachment_id: str) -> StoredAttachment | None:
    mine = (attachment.c.user_id == user_id) & (attachment.c.state == "stored") & attachment.c.room_id.is_(None)
    return await _find(db, _all.where(attachment.c.id == attachment_id, mine))


async def list_own(db: Db, user_id: str, room_id: str, ids: Collection[str]) -> list[StoredAttachment]:
    """Those of `ids` that the user stored in this room, gone or not."""
    mine = (attachment.c.user_id == user_id) & (attachment.c.room_id == room_id)
    was_stored = attachment.c.state.in_(["stored", "deleting", "deleted"])
    return await _list(db, _all.where(attachment.c.id.in_(ids), mine, was_stored))


async def list_in_room(db: Db, room_id: str, ids: Collection[str]) -> list[StoredAttachment]:
    here = (attachment.c.room_id == room_id) & attachment.c.state.in_(["stored", "deleting"])
    return await _list(db, _all.where(attachment.c.id.in_(ids), here).order_by(attachment.c.id))


async def lock_avatars(db: Db, user_id: str) -> list[StoredAttachment]:
    """All but those that are gone; none of them changes before the transaction ends."""
    mine = (attachment.c.user_id == user_id) & attachment.c.room_id.is_(None)
    here = attachment.c.state.in_(["pending", "stored", "deleting"])
    return await _list(db, _all.where(mine, here).order_by(attachment.c.id).with_for_update())


async def list_in_state(db: Db, state: State, before: int, limit: int) -> list[StoredAttachment]:
    """Those in a state whose deadline lies before a time, the oldest first."""
    old = (attachment.c.state == state) & (attachment.c.deadline_at < before)
    return await _list(db, _all.where(old).order_by(attachment.c.deadline_at).limit(limit))


async def insert_attachment(db: Db, stored: StoredAttachment) -> None:
    await db.execute(attachment.insert(), [msgspec.structs.asdict(stored)])


async def remember_upload(db: Db, user_id: str, client_id: str | None, attachment_id: str) -> None:
    """From now on the client's id stands for this attachment."""
    if client_id is not None:
        row = {"user_id": user_id, "client_id": client_id, "attachment_id": attachment_id}
        await run_upsert(db, upload, [row], replace=["attachment_id"])


async def set_state(db: Db, ids: Collection[str], before: State, after: State) -> int:
    """How many of `ids` were in the state `before` and are now in `after`.

    What ends frees its twin key; what is gone loses its name.
    """
    values: dict[str, object] = {"state": after}
    if after != "stored":
        values["twin_key"] = None
    if after == "deleted":
        values["filename"] = ""
    changed = update(attachment).where(attachment.c.id.in_(sorted(ids)), attachment.c.state == before)
    return (await db.execute(changed.values(values))).rowcount


async def remove_failed(db: Db, ids: Collection[str]) -> None:
    """Rows of uploads that came to nothing, and the client ids that stood for them."""
    gone = select(attachment.c.id).where(attachment.c.id.in_(ids), attachment.c.state == "failed")
    found = list((await db.execute(gone)).scalars())
    await db.execute(upload.delete().where(upload.c.attachment_id.in_(found)))
    await db.execute(attachment.delete().where(attachment.c.id.in_(found), attachment.c.state == "failed"))


async def live_keys(db: Db, object_keys: Collection[str]) -> set[str]:
    """Those object keys that a pending or stored row names."""
    found = select(attachment.c.object_key).where(attachment.c.object_key.in_(object_keys))
    found = found.where(attachment.c.state.in_(["pending", "stored"]))
    return set((await db.execute(found)).scalars())
