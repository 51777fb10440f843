"""Add the references of messages to attachments, and the outbox that reports unreferenced ones to media."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "message_attachment",
        sa.Column("room_id", ID, primary_key=True),
        sa.Column("attachment_id", ID, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        **MYSQL,
    )
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        sa.Column("position", sa.BigInteger, nullable=True, unique=True),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("payload", sa.LargeBinary(65535), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("message_attachment")
