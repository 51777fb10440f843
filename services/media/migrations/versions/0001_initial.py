"""Create the tables of attachments, client ids of uploads, the deletion log and closed accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("twin_key", DIGEST, nullable=True, unique=True),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("content_type", sa.String(100), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=True),
        sa.Column("height", sa.Integer, nullable=True),
        sa.Column("thumbnail", sa.Boolean, nullable=False),
        sa.Column("object_key", sa.String(64), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("deadline_at", sa.BigInteger, nullable=False),
        sa.Index("ix_attachment_bytes", "user_id", "digest"),
        sa.Index("ix_attachment_state", "state", "deadline_at"),
        **MYSQL,
    )
    op.create_table(
        "upload",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("client_id", ID, primary_key=True),
        sa.Column("attachment_id", ID, nullable=False, index=True),
        **MYSQL,
    )
    op.create_table(
        "deletion_receipt",
        sa.Column("attachment_id", ID, primary_key=True),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger, nullable=True),
        **MYSQL,
    )
    op.create_table(
        "closed_account",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        **MYSQL,
    )


def downgrade() -> None:
    for name in ("closed_account", "deletion_receipt", "upload", "attachment"):
        op.drop_table(name)
