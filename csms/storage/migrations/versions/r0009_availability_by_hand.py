"""Connectors that an operator has taken out of service."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those kept before were taken out of service by csms alone."""
    with op.batch_alter_table("convictions") as table:
        table.add_column(sa.Column("by_hand", sa.Boolean(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("convictions") as table:
        table.drop_column("by_hand")
