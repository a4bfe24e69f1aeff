from __future__ import annotations

import pytest

from csms.control.past import PastTransactions, out_of_time


def test_a_transaction_is_of_the_past_at_its_own_charger() -> None:
    past = PastTransactions()
    past.add("A", 7)
    assert past.has("A", 7)
    assert [past.has("A", 8), past.has("B", 7), past.has("A", None)] == [False, False, False]


def test_the_oldest_are_forgotten() -> None:
    past = PastTransactions(capacity=2)
    for transaction_id in (1, 2, 1, 3):
        past.add("A", transaction_id)
    assert [past.has("A", n) for n in (1, 2, 3)] == [True, False, True]


DAY_S, NOW = 86_400.0, 1_800_000_000.0


@pytest.mark.parametrize(
    ("ahead_s", "clock_s", "words"),
    [
        (0.0, None, ""),
        (-90 * DAY_S, None, ""),
        (-91 * DAY_S, None, "91 days ago"),
        (-91 * DAY_S, 0.0, "91 days ago"),
        (-91 * DAY_S, -91 * DAY_S, ""),
        (-91 * DAY_S, 3_600.0, "91 days ago"),
        (300.0, 0.0, ""),
        (600.0, 0.0, "10 minutes ahead"),
        (600.0, None, "10 minutes ahead"),
        (600.0, 590.0, ""),
        # A clock that is far ahead explains nothing that is far behind.
        (-91 * DAY_S, 91 * DAY_S, "91 days ago"),
        (600.0, -DAY_S, "10 minutes ahead"),
    ],
)
def test_what_is_out_of_time_and_not_by_a_wrong_clock(
    ahead_s: float, clock_s: float | None, words: str
) -> None:
    assert out_of_time(NOW + ahead_s, NOW, clock_s) == words
