"""References of messages to attachments. They change only while the room is locked."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, func, select, tuple_

from rooms.domain.state import AttachmentKey
from rooms.storage.tables import message_attachment
from shared.database.compiled import CompiledStatement
from shared.database.engine import Db, run_insert

_key = (message_attachment.c.room_id, message_attachment.c.attachment_id)
_counts = CompiledStatement(
    select(*_key, func.count(), func.min(message_attachment.c.seq))
    .where(tuple_(*_key).in_(bindparam("keys", expanding=True)))
    .group_by(*_key)
)
_reference = tuple_(*_key, message_attachment.c.seq)
_remove = CompiledStatement(delete(message_attachment).where(_reference.in_(bindparam("keys", expanding=True))))
UNREFERENCED = 0
"""The seq of the row that marks an attachment as unreferenced permanently."""


async def count_references(db: Db, keys: Collection[AttachmentKey]) -> dict[AttachmentKey, int | None]:
    """Return how many messages refer to each attachment, None if it is unreferenced. Unknown ones are omitted."""
    rows = await db.fetch(_counts, {"keys": list(keys)})
    return {(row[0], row[1]): None if row[3] == UNREFERENCED else row[2] for row in rows}


async def save_references(
    db: Db, new: Collection[tuple[str, str, int]], removed: Collection[tuple[str, str, int]],
    unreferenced: Collection[AttachmentKey],
) -> None:  # fmt: skip
    if removed:
        await db.run(_remove, [{"keys": sorted(removed)}])
    rows = sorted([*new, *((*key, UNREFERENCED) for key in unreferenced)])
    values = [{"room_id": room, "attachment_id": attachment, "seq": seq} for room, attachment, seq in rows]
    await run_insert(db, message_attachment, values)
