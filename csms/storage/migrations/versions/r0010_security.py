"""What chargers must show to be let in, and security events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "credentials",
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("profile", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String()),
        sa.Column("pending", sa.JSON(), nullable=False),
        sa.Column("common_name", sa.String()),
        sa.Column("changed_at", sa.Double()),
        sa.PrimaryKeyConstraint("charger_id", name="pk_credentials"),
    )
    op.create_table(
        "security_events",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_security_events"),
    )
    op.create_index("ix_security_events_charger", "security_events", ["charger_id", "event_id"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("security_events")
    op.drop_table("credentials")
