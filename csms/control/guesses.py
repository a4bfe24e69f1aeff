"""Drivers' tokens that are guessed or copied: how often a charger may ask, and where one was seen.

The number of a card is no secret: it can be read in passing, and short ones can be tried in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

MOST_REFUSED = 10
WINDOW_S = 60.0
COLD_S = 60.0
"""So many refused tokens within the window, and for so long the next are refused unseen."""

TRAVEL_S = 600.0
"""Nobody is at two stations within this time."""

KEPT = 10_000


@dataclass(slots=True)
class _Tries:
    refused_at: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_REFUSED))
    cold_until: float = float("-inf")


class Guesses:
    """Which chargers have asked for too many wrong tokens. `now` is monotonic. Bounded."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def is_cold(self, charger_id: str, now: float) -> bool:
        """Whether this charger's tokens are not looked at now."""
        tries = self._tries.get(charger_id)
        return tries is not None and now < tries.cold_until

    def refused(self, charger_id: str, now: float) -> bool:
        """Count a token that was refused; whether the charger's next are not looked at."""
        tries = self._tries.setdefault(charger_id, _Tries())
        self._tries.move_to_end(charger_id)
        if len(self._tries) > self._kept:
            self._tries.popitem(last=False)
        tries.refused_at.append(now)
        if len(tries.refused_at) < MOST_REFUSED or now - tries.refused_at[0] > WINDOW_S:
            return False
        tries.cold_until = now + COLD_S
        tries.refused_at.clear()
        return True


class Whereabouts:
    """At which station each token last began a session. Bounded: the oldest are forgotten."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._seen: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def seen(self, id_token: str, station_id: str, now: float) -> str | None:
        """A session has begun; the other station where the token was a moment ago, or None."""
        name = id_token.casefold()
        before, at = self._seen.get(name, (station_id, now))
        self._seen[name] = (station_id, now)
        self._seen.move_to_end(name)
        if len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return before if before != station_id and now - at <= TRAVEL_S else None
