"""Five days at a fast-charging site, or any other number: who comes when, and what it wants (pure).

The synthetic stream that demand estimates are judged by. The same seed gives the same visits.

- **Arrivals** are a Poisson process whose rate follows the hour of the day (`BY_HOUR`): quiet
  nights, a peak at noon, a higher one in the early evening.
- **Vehicles** are drawn from `MODELS`: usable battery, peak power, and the shape of the power it
  takes over the state of charge. Every shape ends in a taper; one begins it at 15 %.
- **Start**: nothing at all for 30 to 40 s, then a ramp of 5 s, as measured on real cars.
- **State of charge** at arrival 10 to 60 %, target 70 to 100 %.
- **Stay**: a vehicle leaves at its target, or when its parking time of 15 to 40 minutes is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from simulators.vehicle.battery import TYPICAL_DC_CURVE, PowerCurve, TractionBattery
from simulators.vehicle.vehicle import DcVehicle

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S

# The part of the busiest hour's rate in each hour of the day.
BY_HOUR = (
    *(0.10, 0.08, 0.06, 0.06, 0.08, 0.15),
    *(0.30, 0.55, 0.65, 0.65, 0.75, 0.90),
    *(1.00, 0.95, 0.80, 0.75, 0.85, 1.00),
    *(1.00, 0.90, 0.65, 0.45, 0.30, 0.18),
)

# Shapes only: power at its peak is 1. Below the typical shape, one that holds its power long and
# one that has its peak early and then falls all the way.
HOLDING = PowerCurve(
    ((0.0, 0.7), (8.0, 1.0), (55.0, 0.97), (75.0, 0.75), (82.0, 0.35), (95.0, 0.1), (100.0, 0.02))
)
FALLING = PowerCurve(
    ((0.0, 0.9), (5.0, 1.0), (15.0, 1.0), (40.0, 0.62), (60.0, 0.42), (80.0, 0.26), (100.0, 0.03))
)


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of vehicle. `share` is how often it comes, relative to the others."""

    share: int
    capacity_wh: float
    peak_w: float
    curve: PowerCurve


MODELS = (
    Model(2, 39_000.0, 46_000.0, HOLDING),
    Model(3, 52_000.0, 100_000.0, TYPICAL_DC_CURVE),
    Model(3, 58_000.0, 120_000.0, FALLING),
    Model(4, 77_000.0, 135_000.0, TYPICAL_DC_CURVE),
    Model(3, 75_000.0, 190_000.0, FALLING),
    Model(2, 77_000.0, 220_000.0, HOLDING),
    Model(1, 94_000.0, 155_000.0, HOLDING),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One vehicle that comes at `at`, in seconds from midnight of the first day.

    It stays for `stay_s`, or until it has reached `target_pct`.
    """

    at: float
    stay_s: float
    model: Model
    soc_pct: float
    target_pct: float
    wake_s: float

    def vehicle(self) -> DcVehicle:
        """The vehicle, as it arrives."""
        return DcVehicle(
            TractionBattery(self.model.capacity_wh, self.soc_pct),
            self.model.peak_w,
            curve=self.model.curve,
            wake_s=self.wake_s,
        )


def visits(days: float, random: Random, *, per_day: float = 145.6) -> Iterator[Visit]:
    """The visits of so many days, in order of time; `per_day` of them on average."""
    busiest_per_s = per_day / (sum(BY_HOUR) * HOUR_S)
    at = 0.0
    while True:
        # A Poisson process of the busiest rate, thinned to the rate of the hour.
        at += random.expovariate(busiest_per_s)
        if at >= days * DAY_S:
            return
        if random.random() < BY_HOUR[int(at % DAY_S // HOUR_S)]:
            yield _visit(at, random)


def _visit(at: float, random: Random) -> Visit:
    return Visit(
        at=at,
        stay_s=random.uniform(15, 40) * 60,
        model=random.choices(MODELS, [model.share for model in MODELS])[0],
        soc_pct=random.uniform(10, 60),
        target_pct=random.choice((70.0, 80.0, 80.0, 80.0, 90.0, 100.0)),
        wake_s=random.uniform(30, 40),
    )
