"""Create the table of revoked sessions, from which gateways learn of a revocation without Redis."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
ID = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "revocation",
        sa.Column("session_id", ID, primary_key=True),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("replaced", sa.Boolean, nullable=False),
        **MYSQL,
    )


def downgrade() -> None:
    op.drop_table("revocation")
