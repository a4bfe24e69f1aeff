from __future__ import annotations

from csms.control.guesses import COLD_S, MOST_REFUSED, WINDOW_S, Guesses, Place, Whereabouts
from csms.station.model import ConnectorKey


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


def place(station_id: str, session_id: str = "s", at: float = 0.0) -> Place:
    return Place(station_id, ConnectorKey("A", 1), session_id, at)


def test_a_token_at_another_station_says_where_it_was() -> None:
    whereabouts = Whereabouts()
    first, second = place("S"), place("T", at=5.0)
    assert whereabouts.seen("tag", first) is None
    assert whereabouts.seen("TAG", place("S", at=1.0)) is None
    assert whereabouts.seen("TAG", second) == place("S", at=1.0)
    assert whereabouts.seen("tag", first) == second
    assert str(first) == "A/1 of station S"


def test_the_session_a_token_began_last_is_known() -> None:
    whereabouts = Whereabouts()
    assert not whereabouts.is_known("tag", "s1")
    whereabouts.seen("tag", place("S", "s1"))
    assert whereabouts.is_known("TAG", "s1")
    assert not whereabouts.is_known("tag", "s2")


def test_the_token_longest_not_seen_is_forgotten() -> None:
    whereabouts = Whereabouts(kept=1)
    whereabouts.seen("one", place("S"))
    whereabouts.seen("two", place("S"))
    assert whereabouts.seen("one", place("T")) is None
