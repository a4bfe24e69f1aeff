"""Drivers' tokens that are guessed or copied: how often a charger may ask, and where one was seen.

The number of a card is no secret: it can be read in passing, and short ones can be tried in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from csms.station.model import ConnectorKey

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session began, and when by a monotonic clock."""

    station_id: str
    connector: ConnectorKey
    session_id: str
    at: float

    def __str__(self) -> str:
        return f"{self.connector} of station {self.station_id}"


class Whereabouts:
    """Where each token last began a session. Bounded: the oldest are forgotten."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._seen: OrderedDict[str, Place] = OrderedDict()

    def is_known(self, id_token: str, session_id: str) -> bool:
        """Whether this is the session the token began last: its start has come once more."""
        place = self._seen.get(id_token.casefold())
        return place is not None and place.session_id == session_id

    def seen(self, id_token: str, place: Place) -> Place | None:
        """A session has begun; where the one before it did, when that was at another station."""
        name = id_token.casefold()
        before = self._seen.get(name, place)
        self._seen[name] = place
        self._seen.move_to_end(name)
        if len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return before if before.station_id != place.station_id else None
