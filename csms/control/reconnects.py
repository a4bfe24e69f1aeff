"""Chargers that come again and again: kept out for a moment, then for an hour, and told of.

Counted are chargers that were let in, each from each source: nobody keeps another one out.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum

from csms.control.attempts import source_of

MINUTE_S = 60.0
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class ReconnectLimits:
    """How often a charger may come (safety.md §3.2).

    More than `per_min` in a minute keep it out for `cold_s` (10, 60 s); more than `per_h` in an
    hour for `quarantine_s` (60, 1 h). Of `kept` chargers, those that came last, it is known.
    """

    per_min: int = 10
    cold_s: float = 60.0
    per_h: int = 60
    quarantine_s: float = 3_600.0
    kept: int = 10_000


class Coming(StrEnum):
    """What becomes of a charger that comes. COLD and QUARANTINED are when it begins."""

    FINE = "fine"
    COLD = "reconnects_too_often"
    QUARANTINED = "quarantined"
    KEPT_OUT = "kept out"


@dataclass(slots=True)
class _Visits:
    at: deque[float] = field(default_factory=deque)
    out_until: float = float("-inf")


class Reconnects:
    """Who came how often. `now` is monotonic."""

    def __init__(self, limits: ReconnectLimits) -> None:
        self._limits = limits
        self._visits: OrderedDict[tuple[str, str], _Visits] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visits)

    def comes(self, charger_id: str, address: str, now: float, *, charging: bool) -> Coming:
        """A charger that may come in comes. One that is charging is never in quarantine."""
        limits = self._limits
        key = (charger_id, source_of(address))
        visits = self._visits.setdefault(key, _Visits())
        self._visits.move_to_end(key)
        if len(self._visits) > limits.kept:
            self._visits.popitem(last=False)
        if now < visits.out_until:
            return Coming.KEPT_OUT
        visits.at.append(now)
        while visits.at[0] <= now - HOUR_S:
            visits.at.popleft()
        in_a_minute = sum(at > now - MINUTE_S for at in visits.at)
        if len(visits.at) > limits.per_h and not charging:
            visits.at.clear()
            visits.out_until = now + limits.quarantine_s
            return Coming.QUARANTINED
        if in_a_minute > limits.per_min:
            visits.out_until = now + limits.cold_s
            return Coming.COLD
        while len(visits.at) > limits.per_h:
            visits.at.popleft()
        return Coming.FINE
