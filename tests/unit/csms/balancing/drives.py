"""A car at a charger, for whole sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from csms.balancing.demand import Demand, DemandPolicy, next_demand
from csms.station.model import Connector, ConnectorKey
from csms.station.register import Register
from csms.station.state import LimitStep, Reading, Session

KEY = ConnectorKey("CP001", 1)
DC = Connector(KEY, 150_000)
POLICY = DemandPolicy()


@dataclass
class Drive:
    """A car at a charger: a second at a time, a reading every `every_s`, the limit obeyed.

    `wish` gives what the car would draw at a time, `offer` what the station could give it.
    """

    wish: Callable[[float], int]
    offer: Callable[[float], int]
    connector: Connector = DC
    every_s: int = 5
    seen: Session = field(default_factory=lambda: Session("s1", 1, KEY, "TAG", 0.0, Register(0)))
    bounds: dict[int, int] = field(default_factory=dict)
    drawn: dict[int, int] = field(default_factory=dict)
    demand: Demand | None = None

    def run(self, seconds: int) -> Drive:
        for now in range(seconds):
            if now % self.every_s == 0 and self.drawn:
                self.seen.readings.append(Reading(float(now), self.drawn[now - 1]))
            self.demand = next_demand(self.demand, self.seen, self.connector, POLICY, float(now))
            limit_w = min(self.demand.bound_w, self.offer(now))
            if not self.seen.limits or self.seen.limits[-1].limit_w != limit_w:
                self.seen.limits.append(LimitStep(float(now), limit_w))
            self.bounds[now] = self.demand.bound_w
            self.drawn[now] = min(limit_w, self.wish(now))
        return self

    def changes(self) -> int:
        values = list(self.bounds.values())
        return sum(a != b for a, b in pairwise(values))


def slow_start(now: float) -> int:
    """0 W for 40 s, a ramp of 6 kW/s to 120 kW, level for 10 minutes, then a taper to nothing."""
    if now < 40:
        return 0
    level_w = 120_000 if now < 660 else max(0, 120_000 - int(now - 660) * 100)
    return int(min(level_w, (now - 40) * 6_000))
