"""The tables, as the code uses them. The migrations build them; a test holds the two together.

Times are UTC epoch seconds (double precision), powers watts, energies watt-hours. Nothing here has
a foreign key: what a charger reports of a session nobody knows is kept all the same.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator


class WireText(TypeDecorator[str]):
    r"""Text that may come from a charger.

    JSON can carry what a database cannot: NUL and lone surrogates (RFC 8259 §8.2). They are stored
    as U+FFFD and `?`, so that no bad character costs a transaction.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as every database takes it."""
        del dialect
        if value is None:
            return None
        if "\0" in value:
            value = value.replace("\0", "\ufffd")
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


# SQLite numbers rows by itself only for a column declared exactly INTEGER PRIMARY KEY.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

stations = Table(
    "stations",
    metadata,
    Column("station_id", String, nullable=False),
    Column("document", JSON, nullable=False),
    Column("updated_at", Double),
    PrimaryKeyConstraint("station_id", name="pk_stations"),
)

# What was said of a grid limit at run time: small, and read as a whole (csms.station.grid).
grid_limits = Table(
    "grid_limits",
    metadata,
    Column("station_id", String, nullable=False),
    Column("document", JSON, nullable=False),
    Column("updated_at", Double),
    PrimaryKeyConstraint("station_id", name="pk_grid_limits"),
)

chargers = Table(
    "chargers",
    metadata,
    Column("charger_id", WireText, nullable=False),
    Column("vendor", WireText, nullable=False),
    Column("model", WireText, nullable=False),
    Column("serial", WireText, nullable=False),
    Column("firmware", WireText, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("last_seen_at", Double),
    PrimaryKeyConstraint("charger_id", name="pk_chargers"),
)

id_tokens = Table(
    "id_tokens",
    metadata,
    Column("folded", WireText, nullable=False),
    Column("id_token", WireText, nullable=False),
    Column("status", String, nullable=False),
    Column("expires_at", Double),
    Column("parent_id_token", WireText),
    Column("parent_folded", WireText),
    Column("concurrency", String, nullable=False, server_default="any"),
    Column("filled", Boolean, nullable=False, server_default="0"),
    PrimaryKeyConstraint("folded", name="pk_id_tokens"),
)
Index("ix_id_tokens_parent", id_tokens.c.parent_folded)

# What a charger's local authorization list holds, as far as csms was told.
local_lists = Table(
    "local_lists",
    metadata,
    Column("charger_id", WireText, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("charger_id", name="pk_local_lists"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", BigInteger, nullable=False, autoincrement=False),
    Column("charger_id", WireText, nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("id_token", WireText, nullable=False),
    Column("parent_id_token", WireText),
    Column("expires_at", Double, nullable=False),
    Column("state", String, nullable=False),
    Column("session_id", String),
    PrimaryKeyConstraint("reservation_id", name="pk_reservations"),
)

capabilities = Table(
    "capabilities",
    metadata,
    Column("charger_id", WireText, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("charger_id", name="pk_capabilities"),
)

model_capabilities = Table(
    "model_capabilities",
    metadata,
    Column("vendor", WireText, nullable=False),
    Column("model", WireText, nullable=False),
    Column("firmware", WireText, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("vendor", "model", "firmware", name="pk_model_capabilities"),
)

# The newest reports of a charger beside charging: small, and read as a whole.
charger_reports = Table(
    "charger_reports",
    metadata,
    Column("charger_id", WireText, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("charger_id", name="pk_charger_reports"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String, nullable=False),
    Column("transaction_id", BigInteger, nullable=False),
    Column("station_id", String, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("id_token", WireText, nullable=False),
    Column("id_status", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("meter_start_wh", BigInteger, nullable=False),
    Column("start_timestamp", WireText, nullable=False),
    Column("vehicle_max_w", BigInteger),
    Column("meter_wh", BigInteger),
    Column("ended_at", Double),
    Column("meter_stop_wh", BigInteger),
    Column("reason", WireText),
    Column("stop_timestamp", WireText),
    Column("id_expires_at", Double),
    Column("parent_id_token", WireText),
    Column("meter_start_told", Boolean, nullable=False, server_default="1"),
    Column("meter_before_wh", BigInteger),
    Column("meter_fresh_from_wh", BigInteger),
    Column("meter_fresh_wh", BigInteger),
    PrimaryKeyConstraint("session_id", name="pk_sessions"),
    UniqueConstraint("transaction_id", name="uq_sessions_transaction_id"),
    UniqueConstraint(
        "charger_id",
        "connector_id",
        "id_token",
        "start_timestamp",
        "meter_start_wh",
        name="uq_sessions_start",
    ),
)
Index(
    "ix_sessions_running",
    sessions.c.started_at,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)
Index("ix_sessions_ended", sessions.c.station_id, sessions.c.ended_at, sessions.c.session_id)
Index(
    "ix_sessions_unfinished",
    sessions.c.charger_id,
    sessions.c.ended_at,
    sessions.c.started_at,
    sqlite_where=text("stop_timestamp IS NULL"),
    postgresql_where=text("stop_timestamp IS NULL"),
)
Index("ix_sessions_stopped", sessions.c.charger_id, sessions.c.stop_timestamp)

meter_samples = Table(
    "meter_samples",
    metadata,
    Column("sample_id", RowNumber, nullable=False),
    Column("session_id", String),
    Column("charger_id", WireText, nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("measured_at", Double),
    Column("power_w", BigInteger),
    Column("energy_wh", BigInteger),
    Column("current_a", Double),
    Column("voltage_v", Double),
    Column("offered_w", BigInteger),
    Column("soc_pct", Double),
    Column("transaction_id", BigInteger),
    Column("context", WireText, nullable=False),
    PrimaryKeyConstraint("sample_id", name="pk_meter_samples"),
)
Index("ix_meter_samples_session", meter_samples.c.session_id, meter_samples.c.sample_id)
Index("ix_meter_samples_at", meter_samples.c.at)

limits = Table(
    "limits",
    metadata,
    Column("station_id", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("scope", String, nullable=False),
    Column("value_w", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("expires_at", Double),
    Column("state", String, nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("settled_at", Double),
    Column("session_id", String),
    Column("counts_until", Double),
    Column("after_w", BigInteger, nullable=False, server_default="0"),
    Column("stack_level", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("station_id", "token", name="pk_limits"),
    CheckConstraint("value_w >= 0", name="ck_limits_value_w"),
)
Index(
    "ix_limits_counting",
    limits.c.station_id,
    limits.c.token,
    sqlite_where=text("state <> 'superseded'"),
    postgresql_where=text("state <> 'superseded'"),
)
Index("ix_limits_state", limits.c.state, limits.c.sent_at)

# Connectors that do not obey (csms.dispatch.conviction).
convictions = Table(
    "convictions",
    metadata,
    Column("station_id", String, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("connector_id", BigInteger, nullable=False),
    Column("cause", String),
    Column("counted_w", BigInteger, nullable=False),
    Column("observed_w", BigInteger, nullable=False),
    Column("allowed_w", BigInteger, nullable=False),
    Column("step", String, nullable=False),
    Column("since", Double, nullable=False),
    Column("out_of_service", Boolean, nullable=False),
    Column("by_hand", Boolean, nullable=False, server_default="0"),
    Column("resumes", Boolean, nullable=False, server_default="0"),
    PrimaryKeyConstraint("station_id", "charger_id", "connector_id", name="pk_convictions"),
)

frames = Table(
    "frames",
    metadata,
    Column("frame_id", RowNumber, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("at", Double, nullable=False),
    Column("inbound", Boolean, nullable=False),
    Column("text", WireText, nullable=False),
    PrimaryKeyConstraint("frame_id", name="pk_frames"),
)
Index("ix_frames_charger", frames.c.charger_id, frames.c.frame_id)

# `digest` is of action, reason and payload: the same from the same charger is kept once.
quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", RowNumber, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("at", Double, nullable=False),
    Column("action", WireText, nullable=False),
    Column("reason", WireText, nullable=False),
    Column("payload", WireText, nullable=False),
    Column("digest", String, nullable=False),
    PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
    UniqueConstraint("charger_id", "digest", name="uq_quarantine_same"),
)
Index("ix_quarantine_charger", quarantine.c.charger_id, quarantine.c.quarantine_id)

# One row, written to see whether the database takes it.
probes = Table(
    "probes",
    metadata,
    Column("probe_id", BigInteger, nullable=False, autoincrement=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("probe_id", name="pk_probes"),
)

# What chargers must show. Keys are kept as keyed hashes only.
credentials = Table(
    "credentials",
    metadata,
    Column("charger_id", WireText, nullable=False),
    Column("profile", BigInteger, nullable=False),
    Column("key", String),
    Column("pending", JSON, nullable=False),
    Column("common_name", WireText),
    Column("changed_at", Double),
    PrimaryKeyConstraint("charger_id", name="pk_credentials"),
)

security_events = Table(
    "security_events",
    metadata,
    Column("event_id", RowNumber, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", WireText, nullable=False),
    Column("charger_id", WireText, nullable=False),
    Column("address", WireText, nullable=False),
    Column("text", WireText, nullable=False),
    PrimaryKeyConstraint("event_id", name="pk_security_events"),
)
Index("ix_security_events_charger", security_events.c.charger_id, security_events.c.event_id)
