"""A busy afternoon of the stream; `python -m tests.simulation.demand_stream` runs five days."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest

from simulators.vehicle.visits import HOUR_S, Visit, visits
from tests.simulation.demand_stream.site import Knows, Outcome, Pump, Site, fast_chargers

SEED = 3


@cache
def afternoon() -> tuple[Visit, ...]:
    """From half past three to six, when the site is short of power nearly all the time."""
    stream = visits(1.0, Random(SEED))
    return tuple(visit for visit in stream if 15.5 * HOUR_S <= visit.at < 18 * HOUR_S)


@cache
def outcome(knows: Knows, meter_s: float | None = 10.0) -> Outcome:
    return Site(fast_chargers(), knows, meter_s=meter_s, tick_s=2.0).run(afternoon())


def of_oracle(meter_s: float | None = 10.0) -> float:
    """The energy delivered, as a part of what an oracle delivers."""
    return outcome(Knows.ESTIMATE, meter_s).energy_wh / outcome(Knows.ORACLE).energy_wh


def test_the_stream_is_worth_the_trouble() -> None:
    assert len(outcome(Knows.ORACLE).pushes) == len(afternoon()) > 25
    assert outcome(Knows.NAMEPLATE).energy_wh < 0.97 * outcome(Knows.ORACLE).energy_wh


def test_demand_is_met_to_ninety_nine_percent_with_a_dozen_limits_a_session() -> None:
    assert of_oracle() >= 0.99
    assert outcome(Knows.ESTIMATE).pushes_per_session <= 12


@pytest.mark.parametrize(
    ("meter_s", "least", "most_pushes"), [(60.0, 0.97, 12), (900.0, 0.92, 5), (None, 0.92, 5)]
)
def test_slow_meters_and_none_cost_energy_and_no_messages(
    meter_s: float | None, least: float, most_pushes: int
) -> None:
    assert of_oracle(meter_s) >= least
    assert outcome(Knows.ESTIMATE, meter_s).pushes_per_session <= most_pushes


@pytest.mark.parametrize("meter_s", [10.0, 60.0, 900.0, None])
def test_nobody_is_stuck_and_no_limit_swings(meter_s: float | None) -> None:
    found = outcome(Knows.ESTIMATE, meter_s)
    assert found.stuck == 0
    assert found.toggles <= 1
    assert max(found.pushes) <= 40


def a_pump(wake_s: float = 0.0) -> Pump:
    first = afternoon()[0]
    visit = Visit(first.at, first.stay_s, first.model, 20.0, 80.0, wake_s)
    connector = next(fast_chargers().connectors())
    return Pump(connector, visit, visit.vehicle(), "s1")


def test_a_vehicle_that_gets_nothing_counts_as_stuck() -> None:
    pump = a_pump()
    for now in range(0, 130, 10):
        pump.advance(now, now + 10)
    assert pump.stuck
    awake = a_pump()
    awake.limit_w = 50_000
    for now in range(0, 130, 10):
        awake.advance(now, now + 10)
    assert not awake.stuck


def test_a_limit_that_swings_counts_as_a_toggle() -> None:
    pump = a_pump()
    for value_w in (50_000, 70_000, 50_500, 69_500, 30_000):
        pump.push(value_w)
    assert (pump.pushes, pump.toggles) == (5, 1)
