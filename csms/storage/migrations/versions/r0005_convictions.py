"""Connectors that do not obey."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "convictions",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String()),
        sa.Column("counted_w", sa.BigInteger(), nullable=False),
        sa.Column("observed_w", sa.BigInteger(), nullable=False),
        sa.Column("allowed_w", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("out_of_service", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("station_id", "charger_id", "connector_id", name="pk_convictions"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("convictions")
