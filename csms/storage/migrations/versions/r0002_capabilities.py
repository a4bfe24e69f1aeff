"""What is known of how chargers take limits: of each charger, and of each model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "capabilities",
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("charger_id", name="pk_capabilities"),
    )
    op.create_table(
        "model_capabilities",
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("firmware", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", "model", "firmware", name="pk_model_capabilities"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("model_capabilities")
    op.drop_table("capabilities")
