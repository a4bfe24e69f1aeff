"""What csms sends in the Reservation profile (OCPP 1.6 §5.2, §5.13)."""

from __future__ import annotations

from typing import Any

from csms.protocol.ocpp16 import fields
from csms.station.tokens import Reservation


def reserve_now(reservation: Reservation) -> dict[str, Any]:
    """ReserveNow.req (§6.43). Connector 0 means any one of the charger."""
    payload: dict[str, Any] = {
        "connectorId": reservation.connector.connector_id,
        "expiryDate": fields.time_text(reservation.expires_at),
        "idTag": reservation.id_token,
        "reservationId": reservation.reservation_id,
    }
    if reservation.parent_id_token is not None:
        payload["parentIdTag"] = reservation.parent_id_token
    return payload


def cancel_reservation(reservation_id: int) -> dict[str, Any]:
    """CancelReservation.req (§6.3)."""
    return {"reservationId": reservation_id}
