"""The site's own physics, written down: what every charger may draw and does draw at each moment.

All chargers of a site tell one record on every change, in one thread, so no moment is missed. It
knows nothing of what csms believes: a sum above the grid limit here is a real overload.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from simulators.moment import Moment

STEPS_KEPT = 200_000
OVERLOADS_KEPT = 100
# Below what any meter sees; covers sums of floating point numbers.
TOLERANCE_W = 1.0


@dataclass(frozen=True, slots=True)
class ChargerRecord:
    """One charger at one moment, in watts.

    `limits_w` per connector: what a vehicle may draw, 0 where nothing may flow.
    `cap_w`: what the whole charger may draw.
    """

    limits_w: Mapping[int, float]
    powers_w: Mapping[int, float]
    cap_w: float

    @property
    def limit_w(self) -> float:
        """The most the charger can draw: its connectors' limits, at most its own cap."""
        return min(self.cap_w, sum(self.limits_w.values()))

    @property
    def power_w(self) -> float:
        """What the charger draws."""
        return sum(self.powers_w.values())


@dataclass(frozen=True, slots=True)
class Step:
    """A change: from `at` on this charger was like that."""

    at: Moment
    charger_id: str
    record: ChargerRecord


@dataclass(frozen=True, slots=True)
class Overload:
    """The limits in force summed above what the grid gave."""

    at: Moment
    limit_sum_w: float
    allowed_w: float


class LimitRecord:
    """What a whole site may draw and draws, over time.

    `allow` says what the grid gives the chargers; a lower value counts `grace_s` real seconds
    after it was given, since nobody can obey a limit before hearing of it. `allowed_w` is what
    counts now.
    """

    def __init__(self) -> None:
        self._chargers: dict[str, ChargerRecord] = {}
        self._allowed: list[tuple[float, float]] = []
        self.allowed_w = float("inf")
        self.steps: deque[Step] = deque(maxlen=STEPS_KEPT)
        self.overloads: deque[Overload] = deque(maxlen=OVERLOADS_KEPT)
        self.overload_count = 0
        self.limit_sum_w = 0.0
        self.power_sum_w = 0.0
        self.peak_limit_sum_w = 0.0
        self.peak_power_sum_w = 0.0

    def allow(self, allowed_w: float, at: Moment, *, grace_s: float = 0.0) -> None:
        """From `at` on the grid gives this much to the chargers."""
        self._take_effect(at)
        effective_at = at.utc_s + (grace_s if allowed_w < self.allowed_w else 0.0)
        # A newer limit that counts earlier outdates those still in their grace.
        self._allowed = [item for item in self._allowed if item[0] < effective_at]
        self._allowed.append((effective_at, allowed_w))
        self._take_effect(at)

    def update(self, charger_id: str, record: ChargerRecord, at: Moment) -> None:
        """A charger is like this from `at` on."""
        if self._chargers.get(charger_id) != record:
            self._chargers[charger_id] = record
            self.steps.append(Step(at, charger_id, record))
        self.limit_sum_w = sum(r.limit_w for r in self._chargers.values())
        self.power_sum_w = sum(r.power_w for r in self._chargers.values())
        self.peak_limit_sum_w = max(self.peak_limit_sum_w, self.limit_sum_w)
        self.peak_power_sum_w = max(self.peak_power_sum_w, self.power_sum_w)
        self._judge(at)

    def _take_effect(self, at: Moment) -> None:
        while self._allowed and self._allowed[0][0] <= at.utc_s:
            self.allowed_w = self._allowed.pop(0)[1]

    def _judge(self, at: Moment) -> None:
        self._take_effect(at)
        if self.limit_sum_w > self.allowed_w + TOLERANCE_W:
            self.overload_count += 1
            self.overloads.append(Overload(at, self.limit_sum_w, self.allowed_w))

    def peak_sum(self, charger_ids: Collection[str] | None = None) -> float:
        """The highest sum of limits, in watts, that chargers ever had at one moment.

        `charger_ids` None is all of them; for some it is read from the steps kept.
        """
        if charger_ids is None:
            return self.peak_limit_sum_w
        limits: dict[str, float] = {}
        peak_w = 0.0
        for step in self.steps:
            if step.charger_id in charger_ids:
                limits[step.charger_id] = step.record.limit_w
                peak_w = max(peak_w, sum(limits.values()))
        return peak_w
