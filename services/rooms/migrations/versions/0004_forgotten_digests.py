"""Remove the digests of edited and deleted messages: anyone could confirm a guess of their first text with them.

There is no key here to seal them with. A retry of such a message is answered by its client id alone from now on.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

A_BATCH = 500
FORGOTTEN = bytes(32)
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
message = sa.table(
    "message", sa.column("room_id", ID), sa.column("seq", sa.BigInteger), sa.column("digest", sa.LargeBinary),
    sa.column("deleted", sa.Boolean), sa.column("edited_at", sa.BigInteger),
)  # fmt: skip

_after = sa.bindparam("room", type_=ID)
_batch = (
    sa.select(message.c.room_id, message.c.seq, message.c.deleted, message.c.edited_at)
    .where(message.c.room_id >= _after, (message.c.room_id > _after) | (message.c.seq > sa.bindparam("after")))
    .order_by(message.c.room_id, message.c.seq)
    .limit(A_BATCH)
)
_forget = (
    sa.update(message)
    .where(message.c.room_id == _after, message.c.seq == sa.bindparam("number"))
    .values(digest=FORGOTTEN)
)


def upgrade() -> None:
    db = op.get_bind()
    room, after = bytes(16), 0
    while rows := db.execute(_batch, {"room": room, "after": after}).all():
        changed = [row for row in rows if row.deleted or row.edited_at is not None]
        if changed:
            db.execute(_forget, [{"room": row.room_id, "number": row.seq} for row in changed])
        room, after = rows[-1].room_id, rows[-1].seq


def downgrade() -> None:
    """Nothing to undo: the previous release reads such a digest as that of another message."""
