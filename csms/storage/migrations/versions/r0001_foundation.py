"""Everything csms keeps: stations, chargers, tokens, sessions, samples, the ledger, frames."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    _create_stations()
    _create_sessions()
    _create_meter_samples()
    _create_limits()
    _create_frames()


def downgrade() -> None:
    """Drop every table."""
    for table in (
        "frames",
        "limits",
        "meter_samples",
        "sessions",
        "id_tokens",
        "chargers",
        "stations",
    ):
        op.drop_table(table)


def _row_number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _create_stations() -> None:
    op.create_table(
        "stations",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Double()),
        sa.PrimaryKeyConstraint("station_id", name="pk_stations"),
    )
    op.create_table(
        "chargers",
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("vendor", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("firmware", sa.String(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.Double()),
        sa.PrimaryKeyConstraint("charger_id", name="pk_chargers"),
    )
    op.create_table(
        "id_tokens",
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("id_token", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("parent_id_token", sa.String()),
        sa.PrimaryKeyConstraint("folded", name="pk_id_tokens"),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("id_token", sa.String(), nullable=False),
        sa.Column("id_status", sa.String(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("meter_start_wh", sa.BigInteger(), nullable=False),
        sa.Column("start_timestamp", sa.String(), nullable=False),
        sa.Column("vehicle_max_w", sa.BigInteger()),
        sa.Column("meter_wh", sa.BigInteger()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("meter_stop_wh", sa.BigInteger()),
        sa.Column("reason", sa.String()),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.UniqueConstraint("transaction_id", name="uq_sessions_transaction_id"),
        sa.UniqueConstraint(
            "charger_id",
            "connector_id",
            "id_token",
            "start_timestamp",
            "meter_start_wh",
            name="uq_sessions_start",
        ),
    )
    op.create_index(
        "ix_sessions_running",
        "sessions",
        ["started_at"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_sessions_ended", "sessions", ["station_id", "ended_at", "session_id"])


def _create_meter_samples() -> None:
    op.create_table(
        "meter_samples",
        sa.Column("sample_id", _row_number(), nullable=False),
        sa.Column("session_id", sa.String()),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("measured_at", sa.Double()),
        sa.Column("power_w", sa.BigInteger()),
        sa.Column("energy_wh", sa.BigInteger()),
        sa.Column("current_a", sa.Double()),
        sa.Column("voltage_v", sa.Double()),
        sa.Column("offered_w", sa.BigInteger()),
        sa.Column("soc_pct", sa.Double()),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("context", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sample_id", name="pk_meter_samples"),
    )
    op.create_index("ix_meter_samples_session", "meter_samples", ["session_id", "sample_id"])
    op.create_index("ix_meter_samples_at", "meter_samples", ["at"])


def _create_limits() -> None:
    op.create_table(
        "limits",
        sa.Column("station_id", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("value_w", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=False),
        sa.Column("settled_at", sa.Double()),
        sa.Column("session_id", sa.String()),
        sa.PrimaryKeyConstraint("station_id", "token", name="pk_limits"),
        sa.CheckConstraint("value_w >= 0", name="ck_limits_value_w"),
    )
    op.create_index(
        "ix_limits_counting",
        "limits",
        ["station_id", "token"],
        sqlite_where=sa.text("state <> 'superseded'"),
        postgresql_where=sa.text("state <> 'superseded'"),
    )
    op.create_index("ix_limits_state", "limits", ["state", "sent_at"])


def _create_frames() -> None:
    op.create_table(
        "frames",
        sa.Column("frame_id", _row_number(), nullable=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("inbound", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("frame_id", name="pk_frames"),
    )
    op.create_index("ix_frames_charger", "frames", ["charger_id", "frame_id"])
