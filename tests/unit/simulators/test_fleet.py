from __future__ import annotations

import asyncio

import pytest

from simulators.charge_point.client import ClientSettings
from simulators.fleet import FleetPlan, FleetReport, run_fleet
from simulators.scenario import StationPlan
from tests.unit.simulators.central import Central, TickingClock

QUICK = ClientSettings(tick_s=0.001, redial_first_s=0.0, redial_most_s=0.0)


async def test_a_fleet_boots_charges_and_is_measured() -> None:
    central = Central()
    plan = FleetPlan(chargers=6, boots_per_s=1e6, charging=0.5, duration_s=0.4)
    report = await run_fleet(plan, central.dial_for, TickingClock(), settings=QUICK)
    assert (report.chargers, report.booted, report.charging) == (6, 6, 3)
    assert report.complaints == 0
    assert report.calls >= 6 * 3
    assert report.median_s is not None
    assert report.worst_s is not None
    assert report.median_s <= report.worst_s
    started = [name for name in plan.charger_ids() if "StartTransaction" in central.actions(name)]
    assert started == ["FLEET0001", "FLEET0002", "FLEET0003"]


async def test_a_fleet_without_a_csms_measures_nothing() -> None:
    central = Central()
    central.down = True
    plan = FleetPlan(chargers=2, boots_per_s=1e6, duration_s=0.05)
    report = await run_fleet(plan, central.dial_for, TickingClock(), settings=QUICK)
    assert (report.booted, report.charging, report.calls) == (0, 0, 0)
    assert report.as_json()["latency"] == {"median": None, "p99": None, "worst": None}


async def test_a_fleet_can_be_stopped() -> None:
    stop = asyncio.Event()
    stop.set()
    plan = FleetPlan(chargers=2, boots_per_s=0.001, duration_s=1e6)
    async with asyncio.timeout(10):
        report = await run_fleet(plan, Central().dial_for, TickingClock(), stop=stop)
    assert report.chargers == 2


def test_the_report_as_json() -> None:
    report = FleetReport(10, 9, 5, 123, 1, 0.001, 0.01, 0.02)
    assert report.as_json() == {
        "chargers": 10,
        "booted": 9,
        "charging": 5,
        "calls": 123,
        "complaints": 1,
        "refusals": {},
        "latency": {"median": 0.001, "p99": 0.01, "worst": 0.02},
    }


def test_the_station_of_a_fleet_has_its_chargers() -> None:
    plan = FleetPlan(chargers=3, prefix="LOAD")
    station = StationPlan.model_validate(plan.station("L", 500.0))
    assert [charger.id for charger in station.chargers] == ["LOAD0001", "LOAD0002", "LOAD0003"]
    assert station.grid_capacity == 500.0
    assert plan.charger_ids() == ["LOAD0001", "LOAD0002", "LOAD0003"]


@pytest.mark.parametrize(
    "wrong",
    [{"chargers": 0}, {"chargers": 5001}, {"boots_per_s": 0}, {"charging": 1.5}, {"charging": -1}],
)
def test_a_fleet_is_bounded(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FleetPlan(**wrong)  # type: ignore[arg-type]
