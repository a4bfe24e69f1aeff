"""Which chargers out of reach hold leases: limits that end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from csms.dispatch.commands import SetLimit
from csms.station.model import ConnectorKey
from tests.simulation.charger import SimulatedCharger
from tests.simulation.settings import WorldSettings

KNOWN_AFTER_S = 130.0
"""So long a charger must have been in touch: limits are given before it has told its time, which it
does with a reading, and get their end with the next that is confirmed."""

CLOCK_KNOWN_AFTER_S = 600.0
"""After its clock was set right: csms goes by the truest of many readings."""

OUT_OF_TOUCH = frozenset(
    {
        "disconnect",
        "half-open line",
        "charger reboots",
        "charger reboots and forgets",
        "csms died",
    }
)


class Leases:
    """Told what happens to chargers; says whose limits have ended by now.

    csms owes an end to every limit of a charger that was commissioned, that it was in touch with
    for a while, whose clock is right, and that takes limits in a form that has room for an end.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: WorldSettings,
        chargers: Mapping[str, SimulatedCharger],
    ) -> None:
        self.longest_s = settings.given_lease_s + settings.given_skew_s
        self._loop = loop
        self._skew_s = settings.given_skew_s
        self._chargers = chargers
        self._since: dict[str, float] = {}
        self._until: dict[str, float] = {}
        self._clock_at: dict[str, float] = {}
        self._fault_at: dict[str, float] = {}
        self._endless: set[ConnectorKey] = set()

    def touched(self, charger_id: str, why: str) -> None:
        """A fault, or a new line."""
        now = self._loop.time()
        if why == "dialled":
            self._since[charger_id] = now
            self._until.pop(charger_id, None)
        elif why in OUT_OF_TOUCH:
            self._until.setdefault(charger_id, now)
            if self._chargers[charger_id].liar.lie is not None:
                self._fault_at[charger_id] = now
        elif charger_id not in self._until:
            self._fault_at[charger_id] = now
        if why.startswith("clock"):
            self._clock_at[charger_id] = now

    def clock_known_wrong(self, charger_id: str, comply_s: float) -> bool:
        """Whether csms was in touch for long enough, since its clock was set, to have seen it."""
        until = self._until.get(charger_id, self._loop.time())
        known_by = (self._since, self._clock_at, self._fault_at)
        return until - max(at.get(charger_id, 0.0) for at in known_by) > comply_s

    def told(self, command: SetLimit) -> None:
        """A session's limit goes out."""
        if command.form.carries_end:
            self._endless.discard(command.connector)
        else:
            self._endless.add(command.connector)

    def over(self, charger_id: str, since: float, now: float) -> bool:
        """Whether all that this charger was given has ended, had nothing higher after `since`."""
        given_until = max(since, self._until.get(charger_id, since))
        return now > given_until + self.longest_s and self._leased(charger_id, now)

    def _leased(self, charger_id: str, now: float) -> bool:
        charger = self._chargers[charger_id]
        until = self._until.get(charger_id, now)
        in_touch_s = until - self._since.get(charger_id, now)
        clock_known_s = until - self._clock_at.get(charger_id, -1e9)
        return (
            charger.traits.commissioned
            and abs(charger.spells.skew_s) <= self._skew_s
            and in_touch_s >= KNOWN_AFTER_S
            and clock_known_s >= CLOCK_KNOWN_AFTER_S
            and not any((charger_id, number) in self._endless for number in charger.physics_w)
        )
