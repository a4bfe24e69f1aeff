"""SQL for meter samples, and the meter registers of the sessions they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey
from csms.storage import sessions
from csms.storage.tables import meter_samples as table

SampleRow = tuple[str | None, MeterSample]

_COLUMNS = (
    "at",
    "measured_at",
    "power_w",
    "energy_wh",
    "current_a",
    "voltage_v",
    "offered_w",
    "soc_pct",
    "transaction_id",
    "context",
)
_insert = insert(table)
_newest = (
    select(table)
    .where(table.c.session_id == bindparam("session_id"))
    .order_by(table.c.sample_id.desc())
    .limit(bindparam("limit"))
)
_old = (
    select(table.c.sample_id)
    .where(table.c.at < bindparam("before"))
    .order_by(table.c.at)
    .limit(bindparam("at_most"))
    .correlate(None)
)
_prune = delete(table).where(table.c.sample_id.in_(_old))


def save(connection: Connection, rows: Sequence[SampleRow]) -> None:
    """Insert samples, oldest first, and set the meter registers of their sessions."""
    connection.execute(_insert, [_row(session_id, sample) for session_id, sample in rows])
    registers: dict[str, int] = {}
    for session_id, sample in rows:
        if session_id is not None and sample.energy_wh is not None:
            known_wh = registers.get(session_id, sample.energy_wh)
            registers[session_id] = max(known_wh, sample.energy_wh)
    sessions.set_meters(connection, registers)


def newest(connection: Connection, session_id: str, limit: int) -> list[MeterSample]:
    """The newest samples of a session, oldest first."""
    found = connection.execute(_newest, {"session_id": session_id, "limit": max(0, limit)}).all()
    return [_sample(row) for row in reversed(found)]


def prune(connection: Connection, before: float, at_most: int) -> None:
    """Delete the oldest samples taken before `before`, not more than `at_most`."""
    connection.execute(_prune, {"before": before, "at_most": at_most})


def _row(session_id: str | None, sample: MeterSample) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(sample, name) for name in _COLUMNS}
    row["session_id"] = session_id
    row["charger_id"], row["connector_id"] = sample.connector
    return row


def _sample(row: Row[Any]) -> MeterSample:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's documented name
    connector = ConnectorKey(values["charger_id"], values["connector_id"])
    return MeterSample(connector, **{name: values[name] for name in _COLUMNS})
