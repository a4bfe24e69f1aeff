"""Transactions of the past: what is told of them is no news of now."""

from __future__ import annotations

REMEMBERED = 10_000

OLDEST_S = 90 * 86_400.0
NEWEST_S = 300.0
"""A start or stop older than this, or later than this ahead, is worth a look."""

SECONDS_PER_DAY = 86_400
SECONDS_PER_MINUTE = 60


def out_of_time(said_at: float, now: float, clock_ahead_s: float | None) -> str:
    """How far from now a message says it was written, where that is worth a look; else empty.

    UTC epoch seconds. What the charger's clock explains is not: it is known to be wrong by
    `clock_ahead_s`, None when it is not known at all. Chargers come back after months, so such a
    message is taken all the same; but it may also be an old one that somebody plays again.
    """
    ahead_s = said_at - now
    by_clock_s = ahead_s - (clock_ahead_s or 0.0)
    if ahead_s < -OLDEST_S and by_clock_s < -OLDEST_S:
        return f"{-ahead_s / SECONDS_PER_DAY:.0f} days ago"
    if ahead_s > NEWEST_S and by_clock_s > NEWEST_S:
        return f"{ahead_s / SECONDS_PER_MINUTE:.0f} minutes ahead"
    return ""


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
