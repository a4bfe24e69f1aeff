from __future__ import annotations

import pytest

from csms.control.guesses import COLD_S, MOST_REFUSED, TRAVEL_S, WINDOW_S, Guesses, Whereabouts


def test_ten_refusals_in_a_minute_are_too_many() -> None:
    guesses = Guesses()
    found = [guesses.refused("A", now) for now in range(MOST_REFUSED)]
    assert found == [False] * 9 + [True]
    assert guesses.is_cold("A", MOST_REFUSED - 1 + COLD_S - 0.1)
    assert not guesses.is_cold("A", MOST_REFUSED - 1 + COLD_S)
    assert not guesses.is_cold("B", 0.0)
    assert not guesses.refused("A", 100.0)


def test_ten_refusals_in_an_hour_are_drivers_with_the_wrong_card() -> None:
    guesses = Guesses()
    assert not any(guesses.refused("A", now * (WINDOW_S / 9 + 0.1)) for now in range(100))


def test_the_charger_longest_not_heard_of_is_forgotten() -> None:
    guesses = Guesses(kept=1)
    for now in range(MOST_REFUSED):
        guesses.refused("A", now)
    assert guesses.is_cold("A", 10.0)
    guesses.refused("B", 10.0)
    assert not guesses.is_cold("A", 10.0)


@pytest.mark.parametrize(
    ("station_id", "after_s", "elsewhere"),
    [("S", 1.0, None), ("T", TRAVEL_S, "S"), ("T", TRAVEL_S + 1, None)],
)
def test_nobody_is_at_two_stations(station_id: str, after_s: float, elsewhere: str | None) -> None:
    whereabouts = Whereabouts()
    assert whereabouts.seen("tag", "S", 0.0) is None
    assert whereabouts.seen("TAG", station_id, after_s) == elsewhere


def test_the_token_longest_not_seen_is_forgotten() -> None:
    whereabouts = Whereabouts(kept=1)
    whereabouts.seen("one", "S", 0.0)
    whereabouts.seen("two", "S", 0.0)
    assert whereabouts.seen("one", "T", 0.0) is None
