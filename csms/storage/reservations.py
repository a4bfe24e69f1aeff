"""SQL for reservations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation, ReservationState
from csms.storage import dialect
from csms.storage.tables import reservations

_all = select(reservations).order_by(reservations.c.reservation_id)
_forget = delete(reservations).where(reservations.c.expires_at < bindparam("before"))


def save(connection: Connection, reservation: Reservation) -> None:
    """Insert or replace a reservation by its number."""
    row = asdict(reservation)
    del row["connector"]
    row["charger_id"], row["connector_id"] = reservation.connector
    row["state"] = reservation.state.value
    connection.execute(dialect.insert_or_replace(reservations, connection.dialect.name), row)


def load(connection: Connection) -> list[Reservation]:
    """Every reservation, in order of number."""
    return [_reservation(row) for row in connection.execute(_all)]


def forget(connection: Connection, before: float) -> None:
    """Delete those that expire before this time."""
    connection.execute(_forget, {"before": before})


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        row.reservation_id,
        ConnectorKey(row.charger_id, row.connector_id),
        row.id_token,
        row.expires_at,
        row.parent_id_token,
        ReservationState(row.state),
        row.session_id,
    )
