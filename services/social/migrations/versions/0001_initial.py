"""Create the tables of profiles, follows, blocks and revisions, and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("webchat_id", sa.String(20), nullable=True, unique=True),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("name_version", sa.Integer, nullable=False),
        sa.Column("status_message", sa.String(200), nullable=False),
        sa.Column("avatar_id", ID, nullable=True),
        sa.Column("account_version", sa.Integer, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        **MYSQL,
    )
    op.create_table(
        "follow",
        sa.Column("follower_id", ID, primary_key=True),
        sa.Column("followee_id", ID, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Index("ix_follow_following", "follower_id", "since", "followee_id"),
        sa.Index("ix_follow_followers", "followee_id", "since", "follower_id"),
        **MYSQL,
    )
    op.create_table(
        "block",
        sa.Column("blocker_id", ID, primary_key=True),
        sa.Column("blocked_id", ID, primary_key=True),
        sa.Column("standing", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Index("ix_block_blocked", "blocked_id", "blocker_id"),
        **MYSQL,
    )
    op.create_table(
        "friend_revision",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
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
    for name in ("outbox", "friend_revision", "block", "follow", "person"):
        op.drop_table(name)
