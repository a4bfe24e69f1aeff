"""Connectors that were paused and have not been seen to obey since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those kept before nothing is known of a pause."""
    with op.batch_alter_table("convictions") as table:
        table.add_column(sa.Column("resumes", sa.Boolean(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("convictions") as table:
        table.drop_column("resumes")
