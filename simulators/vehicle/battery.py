"""The battery of a vehicle and the power it takes over its state of charge (pure)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

FULL_PCT = 100.0


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """Power over state of charge, linear between points.

    `points` are (soc_pct, power_w), in rising order of soc_pct; outside them the nearest counts.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        socs = [soc for soc, _ in self.points]
        if not socs or socs != sorted(set(socs)):
            msg = "a power curve needs points in strictly rising order of soc_pct"
            raise ValueError(msg)

    def power_w(self, soc_pct: float) -> float:
        """The most the battery takes at this state of charge."""
        index = bisect_right(self.points, soc_pct, key=lambda point: point[0])
        if index == 0:
            return self.points[0][1]
        if index == len(self.points):
            return self.points[-1][1]
        (soc_0, power_0), (soc_1, power_1) = self.points[index - 1], self.points[index]
        return power_0 + (power_1 - power_0) * (soc_pct - soc_0) / (soc_1 - soc_0)

    def scaled(self, peak_w: float) -> PowerCurve:
        """The same shape with this peak."""
        top = max(power for _, power in self.points)
        return PowerCurve(tuple((soc, power * peak_w / top) for soc, power in self.points))


# A fast-charging car in shape only: flat to half full, then a taper.
TYPICAL_DC_CURVE = PowerCurve(
    ((0.0, 0.8), (10.0, 1.0), (50.0, 1.0), (70.0, 0.6), (80.0, 0.4), (95.0, 0.12), (100.0, 0.0))
)


@dataclass(slots=True)
class TractionBattery:
    """What a vehicle carries. `capacity_wh` usable energy, `soc_pct` 0 to 100."""

    capacity_wh: float
    soc_pct: float

    def add(self, energy_wh: float) -> None:
        """Take energy in; never above full."""
        gained_pct = FULL_PCT * energy_wh / self.capacity_wh
        self.soc_pct = min(FULL_PCT, self.soc_pct + gained_pct)

    @property
    def full(self) -> bool:
        """Whether nothing more goes in."""
        return self.soc_pct >= FULL_PCT
