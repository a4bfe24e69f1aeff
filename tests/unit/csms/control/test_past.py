from __future__ import annotations

from csms.control.past import PastTransactions


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
