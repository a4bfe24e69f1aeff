"""A24: a charger that lies to get more power.

Eight chargers share what four could take; one lies. What it says of its vehicle (state of charge,
energy, what it offers) moves nothing. What it says it draws is believed as far as its hardware
goes, since not to believe it may overload the grid: that is safety before fairness, and the row's
10 % do not hold for it. It is bounded, and it ends with the measures against a connector that does
not obey: tests/unit/csms/control/test_station_loop_watch.py.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import Csms, Dialogue, csms_of, station, until

NAMES = [f"C{number}" for number in range(8)]
GRID_KW, EACH_KW = 200.0, 50.0
FAIR_KW = GRID_KW / len(NAMES)

LIES = [
    {"measurand": "SoC", "value": "0", "unit": "Percent"},
    {"measurand": "SoC", "value": "100", "unit": "Percent"},
    {"measurand": "SoC", "value": "-40", "unit": "Percent"},
    {"measurand": "Power.Offered", "value": "999999", "unit": "W"},
    {"measurand": "Power.Offered", "value": "0", "unit": "W"},
    {"measurand": "Current.Offered", "value": "9999", "unit": "A"},
    {"measurand": "Energy.Active.Import.Register", "value": "0", "unit": "kWh"},
    {"measurand": "Energy.Active.Import.Register", "value": "999999", "unit": "MWh"},
    {"measurand": "Power.Active.Import", "value": "NaN", "unit": "W"},
    {"measurand": "Power.Active.Import", "value": "-99999", "unit": "W"},
    {"measurand": "Temperature", "value": "999", "unit": "Celsius"},
]


def says(*values: dict[str, Any]) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"sampledValue": list(values)}]}


def power(watts: float) -> dict[str, Any]:
    return {"measurand": "Power.Active.Import", "value": str(watts), "unit": "W"}


async def shares(csms: Csms) -> dict[str, float]:
    """What each session is to have, in kW, when all that was said has been acted on."""
    loop = csms.app.supervisor.loop_of("C0")
    assert loop is not None
    await loop.caught_up()
    return {
        s["connectorId"]["chargerId"]: s["allocatedPower"] for s in await csms.sessions("running")
    }


async def charging(csms: Csms, stack: contextlib.AsyncExitStack) -> list[Dialogue]:
    """Eight sessions, each drawing its fair share."""
    found = [await stack.enter_async_context(csms.dial(name)) for name in NAMES]
    for number, each in enumerate(found):
        await each.boot()
        await each.start(timestamp=f"2026-01-01T10:00:0{number}Z")
    loop = csms.app.supervisor.loop_of("C0")
    assert loop is not None
    await until(lambda: loop.settled and not loop.state.connectors.keys() - loop.balancer.goals)
    for each in found:
        await each.told("MeterValues", says(power(FAIR_KW * 1_000)))
    return found


async def test_what_is_said_of_a_vehicle_moves_no_share(tmp_path: Path) -> None:
    document = station(*NAMES, grid_kw=GRID_KW, power_kw=EACH_KW)
    async with csms_of(tmp_path, document) as csms, contextlib.AsyncExitStack() as stack:
        liar, *_ = await charging(csms, stack)
        before = await shares(csms)
        assert before == dict.fromkeys(NAMES, FAIR_KW)
        for lie in LIES:
            for _ in range(3):
                await liar.told("MeterValues", says(lie))
            assert (lie, await shares(csms)) == (lie, before)


async def test_what_is_said_to_be_drawn_takes_no_more_than_the_hardware(tmp_path: Path) -> None:
    document = station(*NAMES, grid_kw=GRID_KW, power_kw=EACH_KW)
    async with csms_of(tmp_path, document) as csms, contextlib.AsyncExitStack() as stack:
        liar, *_ = await charging(csms, stack)
        for watts in (60_000, 999_999, 9_999_999, 1e12):
            for _ in range(3):
                await liar.told("MeterValues", says(power(watts)))
            found = await shares(csms)
            others = [share for name, share in found.items() if name != "C0"]
            assert found["C0"] <= FAIR_KW
            assert min(others) >= (GRID_KW - EACH_KW) / len(others) - 0.001
            status = await csms.get("/stations/S/status")
            assert status["overcommitted"] is False
