from __future__ import annotations

from csms.protocol.ocpp16 import requests
from csms.protocol.ocpp16.reservation import cancel_reservation, reserve_now
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation


def test_a_reservation() -> None:
    reservation = Reservation(7, ConnectorKey("CP1", 0), "ANNA", 1_772_366_400.9)
    payload = reserve_now(reservation)
    assert payload == {
        "connectorId": 0,
        "expiryDate": "2026-03-01T12:00:00Z",
        "idTag": "ANNA",
        "reservationId": 7,
    }
    requests.check("ReserveNow", payload)


def test_a_reservation_for_a_group() -> None:
    parent = "FAMILY"
    payload = reserve_now(Reservation(7, ConnectorKey("CP1", 2), "A", 0.0, parent))
    assert (payload["connectorId"], payload["parentIdTag"]) == (2, "FAMILY")
    requests.check("ReserveNow", payload)


def test_the_end_of_a_reservation() -> None:
    payload = cancel_reservation(7)
    assert payload == {"reservationId": 7}
    requests.check("CancelReservation", payload)
