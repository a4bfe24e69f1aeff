"""Limits that end by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Limits kept before have no end."""
    with op.batch_alter_table("limits") as table:
        table.add_column(sa.Column("counts_until", sa.Double()))
        table.add_column(sa.Column("after_w", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(
            sa.Column("stack_level", sa.BigInteger(), nullable=False, server_default="0")
        )


def downgrade() -> None:
    """Drop the columns."""
    with op.batch_alter_table("limits") as table:
        for column in ("stack_level", "after_w", "counts_until"):
            table.drop_column(column)
