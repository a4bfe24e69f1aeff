"""Who knocked: chargers that were refused because no station has them."""

from __future__ import annotations

from dataclasses import dataclass, replace

KNOCKS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Knock:
    """A charger id that is in no configuration, and where it came from last."""

    charger_id: str
    address: str
    first_at: float
    last_at: float
    count: int = 1


class KnockList:
    """The chargers that knocked last, newest last; bounded, the longest silent one goes first."""

    def __init__(self, capacity: int = KNOCKS_KEPT) -> None:
        self._capacity = capacity
        self._knocks: dict[str, Knock] = {}

    def add(self, charger_id: str, address: str, now: float) -> None:
        """Keep that the charger was refused."""
        old = self._knocks.pop(charger_id, None)
        if old is not None:
            new = replace(old, address=address, last_at=now, count=old.count + 1)
        else:
            new = Knock(charger_id, address, now, now)
        self._knocks[charger_id] = new
        if len(self._knocks) > self._capacity:
            del self._knocks[next(iter(self._knocks))]

    def forget(self, charger_id: str) -> None:
        """Drop the charger from the list: it is known now."""
        self._knocks.pop(charger_id, None)

    def all(self) -> list[Knock]:
        """Every kept knock, longest silent first."""
        return list(self._knocks.values())
