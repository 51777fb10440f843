"""Add the flag of members whom the other member of their direct room has blocked, and set it for existing blocks.

MySQL keeps the new column if an attempt fails later, so it may exist already.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"

A_BATCH = 500
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
pair = sa.table(
    "blocked_pair", sa.column("user_id", ID), sa.column("blocked_id", ID), sa.column("blocked", sa.Boolean)
)
room = sa.table("room", sa.column("id", ID), sa.column("direct_key", sa.LargeBinary(32)))
member = sa.table(
    "member", sa.column("room_id", ID), sa.column("user_id", ID), sa.column("silenced", sa.Boolean)
)

_user, _blocked = sa.bindparam("user", type_=ID), sa.bindparam("other", type_=ID)
_batch = (
    sa.select(pair.c.user_id, pair.c.blocked_id)
    .where(pair.c.user_id >= _user, (pair.c.user_id > _user) | (pair.c.blocked_id > _blocked))
    .where(pair.c.blocked.is_(True))
    .order_by(pair.c.user_id, pair.c.blocked_id)
    .limit(A_BATCH)
)
_room = sa.select(room.c.id).where(room.c.direct_key == sa.bindparam("key")).scalar_subquery()
_silence = sa.update(member).where(member.c.room_id == _room, member.c.user_id == _blocked).values(silenced=True)


def upgrade() -> None:
    db = op.get_bind()
    if "silenced" not in {column["name"] for column in sa.inspect(db).get_columns("member")}:
        op.add_column("member", sa.Column("silenced", sa.Boolean, nullable=False, server_default=sa.text("0")))
    user, other = bytes(16), bytes(16)
    while rows := db.execute(_batch, {"user": user, "other": other}).all():
        db.execute(_silence, [{"key": b"".join(sorted(row)), "other": row.blocked_id} for row in rows])
        user, other = rows[-1]


def downgrade() -> None:
    op.drop_column("member", "silenced")
