"""Which messages refer to which attachments; changed under the room's lock."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, func, insert, select, tuple_

from rooms.domain.state import AttachmentKey
from rooms.storage.tables import message_attachment
from shared.database.engine import Db

_key = (message_attachment.c.room_id, message_attachment.c.attachment_id)
_counts = (
    select(*_key, func.count(), func.min(message_attachment.c.seq))
    .where(tuple_(*_key).in_(bindparam("keys", expanding=True)))
    .group_by(*_key)
)
_gone = delete(message_attachment).where(tuple_(*_key, message_attachment.c.seq).in_(bindparam("keys", expanding=True)))
RELEASED = 0
"""As a seq."""


async def count_uses(db: Db, keys: Collection[AttachmentKey]) -> dict[AttachmentKey, int | None]:
    """How many messages refer to each; None for those that were let go. Unknown ones are left out."""
    rows = await db.execute(_counts, {"keys": list(keys)})
    return {(row[0], row[1]): None if row[3] == RELEASED else row[2] for row in rows}


async def save_uses(
    db: Db, new: Collection[tuple[str, str, int]], ended: Collection[tuple[str, str, int]],
    released: Collection[AttachmentKey],
) -> None:  # fmt: skip
    if ended:
        await db.execute(_gone, {"keys": sorted(ended)})
    rows = sorted([*new, *((*key, RELEASED) for key in released)])
    if rows:
        values = [{"room_id": room, "attachment_id": attachment, "seq": seq} for room, attachment, seq in rows]
        await db.execute(insert(message_attachment), values)
