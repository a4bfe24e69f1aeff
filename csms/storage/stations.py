"""SQL for stations, grid limits, and what is remembered of chargers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, select

from csms.ports import ChargerRecord, ModelKey
from csms.storage import dialect
from csms.storage.tables import (
    capabilities,
    charger_reports,
    chargers,
    grid_limits,
    model_capabilities,
    stations,
)

_documents = select(stations.c.station_id, stations.c.document).order_by(stations.c.station_id)
_grid = select(grid_limits.c.document).where(grid_limits.c.station_id == bindparam("station_id"))
_remove = delete(stations).where(stations.c.station_id == bindparam("key"))
_chargers = select(chargers).order_by(chargers.c.charger_id)
_capabilities = select(capabilities).order_by(capabilities.c.charger_id)
_model_capabilities = select(model_capabilities).order_by(*model_capabilities.primary_key)
_reports = select(charger_reports).order_by(charger_reports.c.charger_id)


def save_station(
    connection: Connection, station_id: str, document: Mapping[str, Any], at: float | None
) -> None:
    """Insert or replace a document; `at` is now, None when the time is not known."""
    _save_document(connection, stations, station_id, document, at)


def load_stations(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every document by station id."""
    return {row.station_id: row.document for row in connection.execute(_documents)}


def save_grid(
    connection: Connection, station_id: str, document: Mapping[str, Any], at: float | None
) -> None:
    """Insert or replace what was said of a grid limit; `at` as for `save_station`."""
    _save_document(connection, grid_limits, station_id, document, at)


def _save_document(
    connection: Connection,
    table: Table,
    station_id: str,
    document: Mapping[str, Any],
    at: float | None,
) -> None:
    connection.execute(
        dialect.insert_or_replace(table, connection.dialect.name),
        {"station_id": station_id, "document": dict(document), "updated_at": at},
    )


def load_grid(connection: Connection, station_id: str) -> dict[str, Any] | None:
    """What was said of the grid limit of this station, or None."""
    found: dict[str, Any] | None = connection.execute(
        _grid, {"station_id": station_id}
    ).scalar_one_or_none()
    return found


def remove_station(connection: Connection, station_id: str) -> None:
    """Delete a document, if there is one."""
    connection.execute(_remove, {"key": station_id})


def save_charger(connection: Connection, record: ChargerRecord) -> None:
    """Insert or replace a charger record."""
    replacing = dialect.insert_or_replace(chargers, connection.dialect.name)
    connection.execute(replacing, asdict(record))


def load_chargers(connection: Connection) -> dict[str, ChargerRecord]:
    """Every charger record by charger id."""
    found = connection.execute(_chargers)
    return {row.charger_id: ChargerRecord(**row._mapping) for row in found}  # noqa: SLF001


def save_capability(connection: Connection, charger_id: str, document: Mapping[str, Any]) -> None:
    """Insert or replace what was learned of a charger."""
    connection.execute(
        dialect.insert_or_replace(capabilities, connection.dialect.name),
        {"charger_id": charger_id, "document": dict(document)},
    )


def load_capabilities(connection: Connection) -> dict[str, dict[str, Any]]:
    """What was learned of every charger, by charger id."""
    return {row.charger_id: row.document for row in connection.execute(_capabilities)}


def save_model_capability(
    connection: Connection, model: ModelKey, document: Mapping[str, Any]
) -> None:
    """Insert or replace what is known of a charger model."""
    vendor, name, firmware = model
    connection.execute(
        dialect.insert_or_replace(model_capabilities, connection.dialect.name),
        {"vendor": vendor, "model": name, "firmware": firmware, "document": dict(document)},
    )


def load_model_capabilities(connection: Connection) -> dict[ModelKey, dict[str, Any]]:
    """What is known of every charger model."""
    found = connection.execute(_model_capabilities)
    return {(row.vendor, row.model, row.firmware): row.document for row in found}


def save_reports(connection: Connection, charger_id: str, document: Mapping[str, Any]) -> None:
    """Insert or replace the newest reports of a charger."""
    connection.execute(
        dialect.insert_or_replace(charger_reports, connection.dialect.name),
        {"charger_id": charger_id, "document": dict(document)},
    )


def load_reports(connection: Connection) -> dict[str, dict[str, Any]]:
    """The newest reports of every charger, by charger id."""
    return {row.charger_id: row.document for row in connection.execute(_reports)}
