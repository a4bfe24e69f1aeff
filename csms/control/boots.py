"""A storm of boots: those beyond the rate are told to wait, each until a moment of its own.

`Pending` and never `Rejected`: a rejected charger may drop the link (OCPP 1.6 §4.2).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

from csms.control.buckets import TokenBucket
from csms.station.state import StationState

WHOLE = 2**32


@dataclass(frozen=True, slots=True)
class BootPolicy:
    """How many boots are served at once (safety.md §3.2).

    The rate is that of handshakes (200/s, burst 400). `least_wait_s` is the least interval a
    charger is told (30); what comes on top spreads those who wait over the time their boots take.
    """

    per_s: float = 200.0
    burst: float = 400.0
    least_wait_s: float = 30.0


class Boots:
    """The rate of boots. `now` is monotonic."""

    def __init__(self, policy: BootPolicy) -> None:
        self._policy = policy
        self._bucket = TokenBucket(policy.per_s, policy.burst, 0.0, least=0.0)
        self._waiting: dict[str, float] = {}

    def wait_s(self, charger_id: str, now: float, *, charging: bool) -> int | None:
        """How long this charger is to wait before it boots again; None when it is served now.

        One that is charging never waits. The wait is uniform over the chargers, by their ids.
        """
        policy = self._policy
        if charging or self._bucket.left(now) >= 1:
            self._bucket.take(1, now)
            self._waiting.pop(charger_id, None)
            return None
        self._forget(now)
        self._waiting.pop(charger_id, None)
        span_s = (len(self._waiting) + 1) / policy.per_s
        place = zlib.crc32(charger_id.encode("utf-8", "replace")) / WHOLE
        wait_s = math.ceil(policy.least_wait_s + place * span_s)
        self._waiting[charger_id] = now + 2 * wait_s
        return wait_s

    def _forget(self, now: float) -> None:
        """Of those who did not come again in twice their time, the longest gone first."""
        while self._waiting:
            charger_id = next(iter(self._waiting))
            if self._waiting[charger_id] > now:
                return
            del self._waiting[charger_id]


def has_session(state: StationState, charger_id: str) -> bool:
    """Whether a session runs at this charger."""
    charger = state.station.charger(charger_id)
    return charger is not None and any(
        state.session_on(connector.key) is not None for connector in charger.connectors
    )
