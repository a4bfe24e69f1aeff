"""Transactions of the past: what is told of them is no news of now."""

from __future__ import annotations

REMEMBERED = 10_000


class PastTransactions:
    """Transactions that are over by the charger's word, or were when csms first heard of them.

    Bounded: the oldest are forgotten.
    """

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._known: dict[tuple[str, int], None] = {}

    def add(self, charger_id: str, transaction_id: int) -> None:
        """Remember that a transaction is of the past."""
        key = (charger_id, transaction_id)
        self._known.pop(key, None)
        self._known[key] = None
        if len(self._known) > self._capacity:
            del self._known[next(iter(self._known))]

    def has(self, charger_id: str, transaction_id: int | None) -> bool:
        """Whether it is known to be of the past."""
        return transaction_id is not None and (charger_id, transaction_id) in self._known
