"""Presumed ends of sessions, registers that begin anew, and what cannot be used.

A session that was superseded kept the last sample as its stop register. That was no word of the
charger: from now on such an end is one that is presumed, and its StopTransaction may still come.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to the sessions, and create the table of what cannot be used."""
    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("stop_timestamp", sa.String()))
        table.add_column(sa.Column("id_expires_at", sa.Double()))
        table.add_column(sa.Column("parent_id_token", sa.String()))
        table.add_column(
            sa.Column("meter_start_told", sa.Boolean(), nullable=False, server_default="1")
        )
        for name in ("meter_before_wh", "meter_fresh_from_wh", "meter_fresh_wh"):
            table.add_column(sa.Column(name, sa.BigInteger()))
    _tell_presumed_ends_apart()
    never_stopped = sa.text("stop_timestamp IS NULL")
    op.create_index(
        "ix_sessions_unfinished",
        "sessions",
        ["charger_id", "ended_at", "started_at"],
        sqlite_where=never_stopped,
        postgresql_where=never_stopped,
    )
    op.create_index("ix_sessions_stopped", "sessions", ["charger_id", "stop_timestamp"])
    _create_quarantine()


def downgrade() -> None:
    """Drop it all; sessions keep their ends."""
    op.drop_table("quarantine")
    op.drop_index("ix_sessions_stopped", "sessions")
    op.drop_index("ix_sessions_unfinished", "sessions")
    with op.batch_alter_table("sessions") as table:
        for column in (
            "meter_fresh_wh",
            "meter_fresh_from_wh",
            "meter_before_wh",
            "meter_start_told",
            "parent_id_token",
            "id_expires_at",
            "stop_timestamp",
        ):
            table.drop_column(column)


def _tell_presumed_ends_apart() -> None:
    sessions = sa.table(
        "sessions",
        sa.column("ended_at"),
        sa.column("reason"),
        sa.column("stop_timestamp"),
        sa.column("meter_stop_wh"),
    )
    superseded = sa.func.coalesce(sessions.c.reason, "") == "Superseded"
    op.execute(sessions.update().where(superseded).values(meter_stop_wh=None))
    op.execute(
        sessions.update()
        .where(sessions.c.ended_at.is_not(None), ~superseded)
        .values(stop_timestamp="")
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column(
            "quarantine_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
        sa.UniqueConstraint("charger_id", "digest", name="uq_quarantine_same"),
    )
    op.create_index("ix_quarantine_charger", "quarantine", ["charger_id", "quarantine_id"])
