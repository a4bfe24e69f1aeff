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
    """Insert samples, oldest first, and add their registers to those of their sessions.

    A sample without a session belongs to the one that has its transaction id.
    """
    named = _by_transaction(connection, rows)
    placed = [(session_id or named.get(_transaction(s)), s) for session_id, s in rows]
    connection.execute(_insert, [_row(session_id, sample) for session_id, sample in placed])
    readings: dict[str, list[int]] = {}
    for session_id, sample in placed:
        if session_id is not None and sample.energy_wh is not None:
            readings.setdefault(session_id, []).append(sample.energy_wh)
    sessions.read_meters(connection, readings)


def _transaction(sample: MeterSample) -> tuple[str, int]:
    """Chargers send 0 or -1 for "no transaction"; no session has such an id."""
    return sample.connector.charger_id, sample.transaction_id or 0


def _by_transaction(
    connection: Connection, rows: Sequence[SampleRow]
) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for key in {_transaction(sample) for session_id, sample in rows if session_id is None}:
        session = sessions.find(connection, *key) if key[1] > 0 else None
        if session is not None:
            found[key] = session.session_id
    return found


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
