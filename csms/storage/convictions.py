"""SQL for connectors that do not obey."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from csms.dispatch.compliance import Cause, Step
from csms.dispatch.conviction import Conviction
from csms.station.model import ConnectorKey
from csms.storage import dialect
from csms.storage.tables import convictions as table

ConvictionRow = tuple[str, ConnectorKey, Conviction | None]
"""Station, connector, and what is to be kept of it; None deletes."""

_of_station = (
    select(table)
    .where(table.c.station_id == bindparam("station_id"))
    .order_by(table.c.charger_id, table.c.connector_id)
)
_delete = delete(table).where(
    table.c.station_id == bindparam("of_station"),
    table.c.charger_id == bindparam("of_charger"),
    table.c.connector_id == bindparam("of_connector"),
)


def save(connection: Connection, rows: Collection[ConvictionRow]) -> None:
    """Insert, replace or delete."""
    kept = [_row(station_id, conviction) for station_id, _, conviction in rows if conviction]
    over = [
        {"of_station": station_id, "of_charger": key.charger_id, "of_connector": key.connector_id}
        for station_id, key, conviction in rows
        if conviction is None
    ]
    if kept:
        connection.execute(dialect.insert_or_replace(table, connection.dialect.name), kept)
    if over:
        connection.execute(_delete, over)


def load(connection: Connection, station_id: str) -> list[Conviction]:
    """What is kept of a station, in order of its connectors."""
    found = connection.execute(_of_station, {"station_id": station_id})
    return [_conviction(row) for row in found]


def _row(station_id: str, conviction: Conviction) -> dict[str, object]:
    return {
        "station_id": station_id,
        "charger_id": conviction.connector.charger_id,
        "connector_id": conviction.connector.connector_id,
        "cause": None if conviction.cause is None else conviction.cause.name,
        "counted_w": conviction.counted_w,
        "observed_w": conviction.observed_w,
        "allowed_w": conviction.allowed_w,
        "step": conviction.step.name,
        "since": conviction.since,
        "out_of_service": conviction.out_of_service,
        "by_hand": conviction.by_hand,
        "resumes": conviction.resumes,
    }


def _conviction(row: Row[Any]) -> Conviction:
    return Conviction(
        ConnectorKey(row.charger_id, row.connector_id),
        None if row.cause is None else Cause[row.cause],
        row.counted_w,
        row.observed_w,
        row.allowed_w,
        Step[row.step],
        row.since,
        row.out_of_service,
        row.by_hand,
        row.resumes,
    )
