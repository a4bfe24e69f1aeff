"""When to ping a charger, and when to give it up. Pure; times are monotonic seconds.

Any frame proves life. A missing pong proves nothing about a client that never sent one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LivenessSettings:
    """`idle_timeout_s` wants to be at least three heartbeat intervals (OCPP 1.6 §4.6)."""

    ping_interval_s: float = 30.0
    missed_pongs: int = 3
    idle_timeout_s: float = 900.0
    first_message_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What a socket showed so far. `spoke` is whether it sent any OCPP message yet."""

    heard_at: float
    pong_seen: bool
    spoke: bool


class Liveness:
    """The ping loop of one socket, without the loop."""

    def __init__(self, settings: LivenessSettings, now: float) -> None:
        self._settings = settings
        self._started_at = now
        self._ping_at = now + settings.ping_interval_s
        self._unheard_pings = 0
        self._pinged_at = now

    def dead(self, signs: Signs, now: float) -> str | None:
        """Why to give the socket up now, or None."""
        settings = self._settings
        if not signs.spoke and now - self._started_at >= settings.first_message_s:
            return "no OCPP message"
        if now - signs.heard_at >= settings.idle_timeout_s:
            return "nothing heard"
        if signs.heard_at > self._pinged_at:
            self._unheard_pings = 0
        missed = self._unheard_pings >= settings.missed_pongs and now >= self._ping_at
        if signs.pong_seen and missed:
            return "pings are not answered"
        return None

    def ping_due(self, now: float) -> bool:
        """Whether to ping now; if so, the next is due an interval later."""
        if now < self._ping_at:
            return False
        self._ping_at = now + self._settings.ping_interval_s
        self._pinged_at = now
        self._unheard_pings += 1
        return True

    def next_at(self, signs: Signs) -> float:
        """When something may next be due."""
        times = [self._ping_at, signs.heard_at + self._settings.idle_timeout_s]
        if not signs.spoke:
            times.append(self._started_at + self._settings.first_message_s)
        return min(times)
