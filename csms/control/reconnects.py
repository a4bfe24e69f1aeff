"""Chargers that come again and again: kept out for a moment, then for an hour, and told of.

Counted are chargers that were let in, each from each source: nobody keeps another one out. What
csms does itself is nobody's fault: neither that it answers 503, nor that it closes a connection
because it ends (1012) or cannot keep what it is told (1013).
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum

from csms.control.attempts import source_of
from csms.control.buckets import HOUR_S, MINUTE_S


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
    cold_until: float = -math.inf
    quarantined_until: float = -math.inf
    sent_away: bool = False


class Reconnects:
    """Who came how often. `now` is monotonic."""

    def __init__(self, limits: ReconnectLimits) -> None:
        self._limits = limits
        self._visits: OrderedDict[tuple[str, str], _Visits] = OrderedDict()

    def __len__(self) -> int:
        return len(self._visits)

    def comes(self, charger_id: str, address: str, now: float, *, charging: bool) -> Coming:
        """Whether a charger may come now. One that is charging is never in quarantine.

        Nothing is counted: `came` is for those who were let in.
        """
        limits = self._limits
        key = (charger_id, source_of(address))
        visits = self._visits.get(key)
        if visits is None:
            return Coming.FINE
        self._visits.move_to_end(key)
        if now < visits.cold_until or (now < visits.quarantined_until and not charging):
            return Coming.KEPT_OUT
        while visits.at and visits.at[0] <= now - HOUR_S:
            visits.at.popleft()
        if visits.sent_away:
            return Coming.FINE
        if len(visits.at) >= limits.per_h and not charging:
            visits.at.clear()
            visits.quarantined_until = now + limits.quarantine_s
            return Coming.QUARANTINED
        if sum(at > now - MINUTE_S for at in visits.at) >= limits.per_min:
            visits.cold_until = now + limits.cold_s
            return Coming.COLD
        return Coming.FINE

    def came(self, charger_id: str, address: str, now: float) -> None:
        """A charger was let in: counted, unless csms had sent it away before."""
        visits = self._of(charger_id, address)
        if visits.sent_away:
            visits.sent_away = False
            return
        visits.at.append(now)
        while len(visits.at) > self._limits.per_h:
            visits.at.popleft()

    def sent_away(self, charger_id: str, address: str) -> None:
        """Csms closes its connection for a reason of its own: that it comes again is no fault."""
        self._of(charger_id, address).sent_away = True

    def _of(self, charger_id: str, address: str) -> _Visits:
        key = (charger_id, source_of(address))
        visits = self._visits.setdefault(key, _Visits())
        self._visits.move_to_end(key)
        if len(self._visits) > self._limits.kept:
            self._visits.popitem(last=False)
        return visits
