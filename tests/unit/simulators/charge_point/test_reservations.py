from __future__ import annotations

import pytest

from simulators.charge_point.reservations import Kept, Reservations

ANNA = Kept(7, 1, "ANNA", None, 100.0)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("Available", "Accepted"),
        ("Charging", "Occupied"),
        ("Faulted", "Faulted"),
        ("Unavailable", "Unavailable"),
    ],
)
def test_a_free_connector_can_be_reserved(status: str, answer: str) -> None:
    kept = Reservations()
    assert kept.add(ANNA, status) == answer
    assert (1 in kept.by_connector) is (answer == "Accepted")


def test_a_reservation_is_renewed_but_not_taken_over() -> None:
    kept = Reservations()
    kept.add(ANNA, "Available")
    assert kept.add(Kept(7, 1, "ANNA", None, 200.0), "Reserved") == "Accepted"
    assert kept.add(Kept(8, 1, "BOB", None, 200.0), "Reserved") == "Occupied"


def test_a_reservation_ends() -> None:
    kept = Reservations()
    kept.add(ANNA, "Available")
    assert kept.cancel(8) == "Rejected"
    assert kept.cancel(7) == "Accepted"
    kept.add(ANNA, "Available")
    kept.expire(99.0)
    assert kept.use(1, "ANNA") == 7
    assert kept.use(1, "ANNA") is None
    kept.add(ANNA, "Available")
    kept.expire(100.0)
    assert kept.by_connector == {}


def test_a_reserved_connector_is_for_its_token_and_its_group() -> None:
    kept = Reservations()
    kept.add(Kept(7, 1, "ANNA", "Family", 100.0), "Available")
    assert not kept.keeps_out(1, "anna", None)
    assert not kept.keeps_out(1, "BOB", "FAMILY")
    assert kept.keeps_out(1, "BOB", None)
    assert not kept.keeps_out(2, "BOB", None)


def test_any_connector_is_used_up_by_its_own_token() -> None:
    kept = Reservations()
    assert kept.add(Kept(8, 0, "BOB", None, 200.0), "Available") == "Accepted"
    assert not kept.keeps_out(1, "ANNA", None)
    assert kept.use(1, "ANNA") is None
    assert kept.use(2, "bob") == 8
    assert kept.use(2, "BOB") is None
