"""A row that is written to see whether the database takes one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "probes",
        sa.Column("probe_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("probe_id", name="pk_probes"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("probes")
