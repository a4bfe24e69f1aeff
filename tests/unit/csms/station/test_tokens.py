from __future__ import annotations

from dataclasses import replace

import pytest

from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation, ReservationState, is_kept_for_others, used_by

A0, A1, A2 = (ConnectorKey("A", number) for number in range(3))
ANNA = Reservation(1, A1, "ANNA", 100.0)
FAMILY = Reservation(2, A1, "ANNA", 100.0, parent_id_token="Family")  # noqa: S106
ANY = Reservation(3, A0, "ANNA", 100.0)
BOBS = Reservation(5, A0, "BOB", 100.0)
ELSEWHERE = Reservation(4, ConnectorKey("B", 1), "ANNA", 100.0)


def test_an_active_reservation_expires_by_itself() -> None:
    assert ANNA.state_at(99.9) is ReservationState.ACTIVE
    assert ANNA.state_at(100.0) is ReservationState.EXPIRED
    used = replace(ANNA, state=ReservationState.USED)
    assert used.state_at(200.0) is ReservationState.USED


@pytest.mark.parametrize(
    ("reservation", "token", "parent", "fits"),
    [
        (ANNA, "anna", None, True),
        (ANNA, "BOB", None, False),
        (ANNA, "BOB", "FAMILY", False),
        (FAMILY, "BOB", "FAMILY", True),
        (FAMILY, "BOB", "OTHER", False),
        (FAMILY, "BOB", None, False),
        (FAMILY, "ANNA", None, True),
    ],
)
def test_a_reservation_is_for_its_token_and_its_group(
    reservation: Reservation, token: str, parent: str | None, fits: bool
) -> None:
    assert reservation.is_for(token, parent) is fits


@pytest.mark.parametrize(
    ("reservations", "connector", "token", "others_free", "kept"),
    [
        ([], A1, "BOB", 0, False),
        ([ANNA], A1, "ANNA", 0, False),
        ([ANNA], A1, "BOB", 1, True),
        ([ANNA], A2, "BOB", 0, False),
        ([ANY], A1, "ANNA", 0, False),
        ([ANY], A1, "BOB", 1, False),
        ([ANY], A1, "BOB", 0, True),
        ([ANY, replace(ANY, reservation_id=9)], A1, "BOB", 1, True),
        ([ANNA, ANY], A2, "BOB", 0, True),
        ([ANNA, BOBS], A1, "BOB", 0, True),
    ],
)
def test_what_is_reserved_is_kept(
    reservations: list[Reservation],
    connector: ConnectorKey,
    token: str,
    others_free: int,
    kept: bool,
) -> None:
    found = is_kept_for_others(reservations, connector, token, None, others_free=others_free)
    assert found is kept


@pytest.mark.parametrize(
    ("reservations", "connector", "token", "named", "used"),
    [
        ([], A1, "ANNA", 1, None),
        ([ANNA], A1, "ANNA", 1, ANNA),
        ([ANNA], A2, "BOB", 1, ANNA),
        ([ANNA], A1, "ANNA", None, ANNA),
        ([ANNA], A1, "ANNA", 77, ANNA),
        ([ANNA], A2, "ANNA", None, None),
        ([ANNA], A1, "BOB", None, None),
        ([ANY, ANNA], A1, "ANNA", None, ANNA),
        ([ANY, ANNA], A2, "ANNA", None, ANY),
        ([ELSEWHERE], A1, "ANNA", None, None),
    ],
)
def test_a_session_uses_up_what_it_names_or_what_is_for_it(
    reservations: list[Reservation],
    connector: ConnectorKey,
    token: str,
    named: int | None,
    used: Reservation | None,
) -> None:
    assert used_by(reservations, connector, token, None, named) == used
