"""The commissioning test over real sockets, of a charger that does as it should and of three not.

Each is alone at a station of its own, with a vehicle that takes all it is given.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from csms.app import App, running
from csms.dispatch.capability import Proof, parse
from csms.station.document import parse_station
from csms.storage.memory import MemoryStore
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e import quick

MAX_W = 150_000.0
LEASE_S = 2.0
PATIENCE_S = 50.0
QUIRKS = {
    "HEALTHY": Quirks(),
    "TO_FULL": Quirks(expiry_to_full_power=True),
    "NO_SECOND": Quirks(second_period_ignored=True),
    "FORGETS": Quirks(forgets_on_reconnect=True, forget_profiles_on_reboot=True),
}


async def commissioned(csms: App, charger_id: str) -> dict[str, Any]:
    """Begin the test by the API and follow it to its end."""
    path = f"/chargers/{charger_id}/commission"
    async with httpx.AsyncClient(base_url=csms.api_url, trust_env=False) as api:
        begun = await api.post(path, json={"connector": 1, "leaseS": LEASE_S})
        assert begun.status_code == 202, begun.text
        again = await api.post(path, json={"connector": 1})
        assert again.status_code == 409, again.text
        while True:
            report: dict[str, Any] = (await api.get(path)).json()
            if report["state"] != "running":
                return report
            await asyncio.sleep(0.2)


async def charging(csms: App, station_id: str) -> None:
    """Until a session runs there."""
    while True:
        if csms.supervisor.status(station_id).sessions():
            return
        await asyncio.sleep(0.02)


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {trial["trial"]: trial["verdict"] for trial in report["trials"]}


def known(report: dict[str, Any]) -> tuple[str, str, str]:
    capability = report["capability"]
    return capability["lease"], capability["survivesReconnect"], capability["survivesReboot"]


async def test_what_chargers_do_with_limits_is_found_out() -> None:
    stations = [
        parse_station(
            {
                "stationId": f"AT_{name}",
                "gridCapacity": 150,
                "chargers": [{"id": name, "maxPower": 150, "connectors": 1}],
            },
            name,
        )
        for name in QUIRKS
    ]
    store = MemoryStore()
    async with running(quick.CONFIG, stations, store=store) as csms, asyncio.timeout(PATIENCE_S):
        site = Site(
            [Hardware.uniform(name, MAX_W, 1) for name in QUIRKS],
            networked(csms.ocpp_url, quick.CLIENT),
            Clock(),
            settings=quick.CLIENT,
            quirks=QUIRKS,
        )
        async with site.running():
            await site.all_booted()
            for name in QUIRKS:
                site.points[name].plug_in(1, ConstantVehicle(MAX_W))
                site.points[name].present_token(1, f"TAG{name}")
            for station in stations:
                await charging(csms, station.station_id)
            found = await asyncio.gather(*(commissioned(csms, name) for name in QUIRKS))
            reports = dict(zip(QUIRKS, found, strict=True))
            worst_w = csms.supervisor.status("AT_HEALTHY").worst_case_w
    assert set(verdicts(reports["HEALTHY"]).values()) == {"passed"}, reports["HEALTHY"]
    assert reports["HEALTHY"]["passed"]
    assert known(reports["HEALTHY"]) == ("yes", "yes", "yes"), reports["HEALTHY"]
    for name in ("TO_FULL", "NO_SECOND"):
        assert verdicts(reports[name])["lease"] == "failed", reports[name]
        assert not reports[name]["passed"]
        assert known(reports[name]) == ("no", "yes", "yes"), reports[name]
    assert verdicts(reports["FORGETS"])["lease"] == "passed", reports["FORGETS"]
    assert known(reports["FORGETS"]) == ("no", "no", "no"), reports["FORGETS"]
    kept = {name: parse(it) for name, it in (await store.load_capabilities()).items()}
    assert kept["HEALTHY"].lease is Proof.YES
    assert kept["FORGETS"].survives_reconnect is Proof.NO
    assert worst_w <= MAX_W
