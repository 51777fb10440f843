"""Create the tables of rooms: rooms and their events, blocks and closed accounts, the epoch and the sweep."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
BYTES_32 = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
EMOJI = sa.LargeBinary(32).with_variant(mysql.VARBINARY(32), "mysql", "mariadb")
DATA = sa.LargeBinary(1024).with_variant(mysql.VARBINARY(1024), "mysql", "mariadb")


def integer(name: str, *, nullable: bool = False, **options: object) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=nullable, autoincrement=False, **options)


def upgrade() -> None:
    op.create_table(
        "room",
        sa.Column("id", ID, primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("direct_key", BYTES_32, nullable=True, unique=True),
        integer("created_at"),
        integer("head_version"),
        integer("head_seq"),
        sa.Column("member_count", sa.Integer, nullable=False),
        integer("pinned_seq", nullable=True),
        integer("updated_at", index=True),
        **MYSQL,
    )
    op.create_table(
        "member",
        sa.Column("room_id", ID, primary_key=True),
        sa.Column("user_id", ID, primary_key=True, index=True),
        sa.Column("role", sa.String(8), nullable=False, server_default="member"),
        integer("read_seq"),
        integer("joined_seq", server_default=sa.text("0")),
        integer("joined_version", server_default=sa.text("0")),
        integer("joined_at", server_default=sa.text("0")),
        sa.Column("muted", sa.Boolean, nullable=False, server_default=sa.text("0")),
        integer("shown_version", server_default=sa.text("0")),
        sa.Column("hidden", sa.Boolean, nullable=False, server_default=sa.text("0")),
        integer("left_version", nullable=True),
        sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.text("0")),
        **MYSQL,
    )
    op.create_table(
        "message",
        sa.Column("room_id", ID, primary_key=True),
        integer("seq", primary_key=True),
        integer("version"),
        sa.Column("sender_id", ID, nullable=False),
        sa.Column("client_id", ID, nullable=False),
        sa.Column("digest", BYTES_32, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        integer("at"),
        integer("edited_at", nullable=True),
        sa.Column("deleted", sa.Boolean, nullable=False),
        integer("reply_to", nullable=True),
        sa.Column("attachments", sa.LargeBinary(65535), nullable=True),
        sa.Column("mentions", sa.LargeBinary(65535), nullable=True),
        sa.Column("reaction_count", sa.SmallInteger, nullable=False),
        sa.UniqueConstraint("room_id", "sender_id", "client_id", name="message_client"),
        sa.Index("message_at", "room_id", "at"),
        **MYSQL,
    )
    op.create_table(
        "reaction",
        sa.Column("room_id", ID, primary_key=True),
        integer("seq", primary_key=True),
        sa.Column("emoji", EMOJI, primary_key=True),
        sa.Column("user_id", ID, primary_key=True),
        integer("version"),
        **MYSQL,
    )
    op.create_table(
        "room_event",
        sa.Column("room_id", ID, primary_key=True),
        integer("version", primary_key=True),
        integer("at", index=True),
        sa.Column("op", sa.String(20), nullable=False),
        integer("seq", nullable=True),
        sa.Column("actor_id", ID, nullable=False),
        sa.Column("target_id", ID, nullable=True),
        sa.Column("command_id", ID, nullable=True),
        sa.Column("data", DATA, nullable=True),
        sa.UniqueConstraint("room_id", "actor_id", "command_id", name="room_event_command"),
        **MYSQL,
    )
    op.create_table(
        "log_epoch", integer("id", primary_key=True), sa.Column("epoch", sa.String(32), nullable=False), **MYSQL
    )
    op.create_table("room_revision", sa.Column("user_id", ID, primary_key=True), integer("revision"), **MYSQL)
    op.create_table(
        "blocked_pair",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("blocked_id", ID, primary_key=True, index=True),
        integer("version"),
        sa.Column("blocked", sa.Boolean, nullable=False),
        **MYSQL,
    )
    op.create_table("closed_user", sa.Column("user_id", ID, primary_key=True), integer("at"), **MYSQL)
    op.create_table("sweep", integer("id", primary_key=True), integer("began_at"), **MYSQL)


def downgrade() -> None:
    for name in (
        "sweep", "closed_user", "blocked_pair", "room_revision", "log_epoch",
        "room_event", "reaction", "message", "member", "room",
    ):
        op.drop_table(name)
