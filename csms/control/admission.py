"""Who is meant by a name, and who knocked: chargers refused because no station has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

KNOCKS_KEPT = 200


def known_as(names: Sequence[str], charger_ids: Iterable[str]) -> str | None:
    """The charger that the first of these names means that means any; None when none does.

    A charger is meant by its id, and in other letters than its id's by nobody else's. The time this
    takes does not depend on whether one is found.
    """
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    for charger_id in charger_ids:
        spellings[charger_id.casefold()].add(charger_id)
    found: str | None = None
    for name in names:
        spelt = spellings.get(name.casefold(), set())
        meant = name if name in spelt else min(spelt, default=None) if len(spelt) == 1 else None
        found = meant if found is None else found
    return found


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
