"""Create the tables of accounts, sessions and signing keys, and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")
DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("id", ID, primary_key=True),
        sa.Column("webchat_id", sa.String(20), nullable=True),
        sa.Column("webchat_id_hash", DIGEST, nullable=False, unique=True),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("email_key", sa.String(254), nullable=True, unique=True),
        sa.Column("display_name", sa.String(60), nullable=False),
        sa.Column("name_version", sa.Integer, nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        **MYSQL,
    )
    op.create_table(
        "session",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("user.id"), nullable=False, index=True),
        sa.Column("secret_hash", DIGEST, nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        **MYSQL,
    )
    op.create_table(
        "signing_key",
        sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kid", sa.String(36), nullable=False, unique=True),
        sa.Column("public_jwk", sa.String(512), nullable=False),
        sa.Column("sealed_jwk", sa.LargeBinary(1024), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
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
    for name in ("outbox", "signing_key", "session", "user"):
        op.drop_table(name)
