"""What chargers report beside charging: firmware, diagnostics, logs, security events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "charger_reports",
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("charger_id", name="pk_charger_reports"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("charger_reports")
