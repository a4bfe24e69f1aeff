"""Grid limits given, promised and scheduled at run time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "grid_limits",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Double()),
        sa.PrimaryKeyConstraint("station_id", name="pk_grid_limits"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("grid_limits")
