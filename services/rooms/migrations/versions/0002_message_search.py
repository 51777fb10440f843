"""Add the text by which messages are found, and fill it in for existing messages.

MySQL keeps the new column if an attempt fails later, so it may exist already.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

A_BATCH = 500
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
message = sa.table(
    "message", sa.column("room_id", ID), sa.column("seq", sa.BigInteger), sa.column("body", sa.Text),
    sa.column("search_text", sa.Text),
)  # fmt: skip

_after = sa.bindparam("room", type_=ID)
_batch = (
    sa.select(message.c.room_id, message.c.seq, message.c.body)
    .where(message.c.room_id >= _after, (message.c.room_id > _after) | (message.c.seq > sa.bindparam("after")))
    .order_by(message.c.room_id, message.c.seq)
    .limit(A_BATCH)
)
_fill = (
    sa.update(message)
    .where(message.c.room_id == _after, message.c.seq == sa.bindparam("number"))
    .values(search_text=sa.bindparam("text"))
)


def upgrade() -> None:
    db = op.get_bind()
    if "search_text" not in {column["name"] for column in sa.inspect(db).get_columns("message")}:
        op.add_column("message", sa.Column("search_text", sa.Text, nullable=True))
    room, after = bytes(16), 0
    while rows := db.execute(_batch, {"room": room, "after": after}).all():
        if texts := [{"room": row.room_id, "number": row.seq, "text": _normalised(row.body)} for row in rows if row.body]:
            db.execute(_fill, texts)
        room, after = rows[-1].room_id, rows[-1].seq


def downgrade() -> None:
    op.drop_column("message", "search_text")


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())[:8000]
