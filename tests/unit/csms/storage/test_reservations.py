from __future__ import annotations

from dataclasses import replace

from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation, ReservationState
from csms.storage import reservations
from tests.unit.csms.storage.databases import connected

MADE = Reservation(2, ConnectorKey("CP1", 0), "ANNA", 100.5, "FAMILY")


def test_a_reservation_is_kept_whole_replaced_and_forgotten() -> None:
    used = replace(MADE, state=ReservationState.USED, session_id="s1")
    other = Reservation(1, ConnectorKey("CP1", 2), "BOB", 90.0)
    with connected() as connection:
        reservations.save(connection, MADE)
        reservations.save(connection, used)
        reservations.save(connection, other)
        assert reservations.load(connection) == [other, used]
        reservations.forget(connection, 100.5)
        assert reservations.load(connection) == [used]
