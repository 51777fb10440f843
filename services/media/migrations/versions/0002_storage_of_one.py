"""Index the sizes of each person's files, for the limit on them."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("ix_attachment_storage", "attachment", ["user_id", "state", "size"])


def downgrade() -> None:
    op.drop_index("ix_attachment_storage", table_name="attachment")
