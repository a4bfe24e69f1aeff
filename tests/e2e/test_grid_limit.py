"""The grid limit changes while vehicles charge: what chargers on real sockets then may draw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from csms.app import running
from csms.config import Config
from csms.station.document import parse_station
from simulators.charge_point.client import ClientSettings
from simulators.charge_point.hardware import Hardware
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e.csms_process import csms_process

CHARGERS = ("CP001", "CP002", "CP003")
STATION: dict[str, Any] = {
    "stationId": "CUT",
    "gridCapacity": 300.0,
    "chargers": [{"id": name, "maxPower": 150.0, "connectors": 1} for name in CHARGERS],
}
WATCHED = {**STATION, "gridLimitSource": {"failsafe": 45.0, "timeoutS": 4.0}}
QUICK = ClientSettings(meter_interval_s=1, redial_first_s=0.05, redial_most_s=0.2)
BOUND_S = 30.0
REACTION_S = 3.0
LIMIT = '"SetChargingProfile"'


@dataclass
class Bench:
    """A csms and the simulated chargers that are connected to it, all of them charging."""

    api: httpx.AsyncClient
    site: Site

    async def ask(self, method: str, path: str = "", **body: Any) -> dict[str, Any]:
        answer = await self.api.request(method, f"/station/grid-limit{path}", json=body or None)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def allow(self, kilowatts: float, *, grace_s: float = 0.0) -> None:
        self.site.record.allow(kilowatts * 1_000, self.site.clock.moment(), grace_s=grace_s)

    def draws(self, kilowatts: float) -> Callable[[], bool]:
        """Whether the limits in force at the chargers sum to this, to a kilowatt."""
        return lambda: abs(self.site.record.limit_sum_w - kilowatts * 1_000) < 1_000

    async def limits_sent(self, charger_id: str) -> list[str]:
        """When each limit went out to this charger."""
        answer = await self.api.get(f"/chargers/{charger_id}/frames", params={"limit": 1000})
        frames = answer.json()["frames"]
        return [f["at"] for f in frames if f["direction"] == "out" and LIMIT in f["text"]]

    async def under_control(self) -> bool:
        status = (await self.api.get("/station/status")).json()
        return all(charger["condition"] == "CONTROLLED" for charger in status["chargers"])

    async def controlled(self) -> None:
        """Until the fallback of every charger is confirmed."""
        async with asyncio.timeout(BOUND_S):
            while not await self.under_control():  # noqa: ASYNC110 - it has to be asked
                await asyncio.sleep(0.02)

    async def all_charging(self) -> None:
        """Only then: before its fallback is confirmed a charger may draw what it likes."""
        await self.controlled()
        for point in self.site.points.values():
            point.plug_in(1, ConstantVehicle(150_000.0))
            point.present_token(1, "TAG")
        # Two of them alone sum to the same on the way.
        await until(lambda: {self.site.limit_w(f"{name}/1") for name in CHARGERS} == {100_000.0})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not holds():  # noqa: ASYNC110 - the chargers' record tells nobody
            await asyncio.sleep(0.01)


def site_at(ocpp_url: str) -> Site:
    hardware = [Hardware.uniform(name, 150_000.0, 1) for name in CHARGERS]
    return Site(hardware, networked(ocpp_url, QUICK), Clock(), settings=QUICK)


def quick_config(folder: Path) -> Config:
    """As it is by default, but for what would only take time."""
    return Config(
        ocpp_port=0,
        api_port=0,
        database_url=f"sqlite:///{folder / 'csms.db'}",
        boot_quiet_s=0.0,
        meter_interval_s=1,
        reserve_mb=0,
    )


@asynccontextmanager
async def charging(folder: Path, document: dict[str, Any]) -> AsyncIterator[Bench]:
    async with running(quick_config(folder), [parse_station(document, "test")]) as app:
        site = site_at(app.ocpp_url)
        client = httpx.AsyncClient(base_url=app.api_url, timeout=BOUND_S, trust_env=False)
        async with client, site.running():
            bench = Bench(client, site)
            bench.allow(300.0)
            await bench.all_charging()
            yield bench


async def test_a_sudden_cut_is_obeyed_within_seconds(tmp_path: Path) -> None:
    async with charging(tmp_path, STATION) as csms:
        csms.allow(60.0, grace_s=REACTION_S)
        shown = await csms.ask("PUT", limit=60.0)
        await until(csms.draws(60.0))
        assert (shown["limit"], shown["source"]) == (60.0, "given")
        status = (await csms.api.get("/station/status")).json()
        assert (status["gridCapacity"], status["available"]) == (60.0, 60.0)

        # Back again: raises only into room that is there.
        csms.allow(300.0)
        assert (await csms.ask("DELETE"))["source"] == "configured"
        await until(csms.draws(300.0))
        assert list(csms.site.record.overloads) == []


async def test_a_scheduled_limit_is_obeyed_from_its_time_on(tmp_path: Path) -> None:
    async with charging(tmp_path, STATION) as csms:
        step_at = csms.site.clock.moment().utc_s + 2.5
        start = datetime.fromtimestamp(step_at, UTC).isoformat()
        shown = await csms.ask("PUT", "/schedule", steps=[{"from": start, "limit": 90.0}])
        assert (shown["source"], shown["limit"]) == ("configured", 300.0)
        assert csms.draws(300.0)()
        await until(csms.draws(90.0))
        assert 0 <= csms.site.clock.moment().utc_s - step_at < REACTION_S
        assert (await csms.ask("GET"))["source"] == "schedule"


async def test_a_limit_ends_when_it_was_to_end(tmp_path: Path) -> None:
    async with charging(tmp_path, STATION) as csms:
        await csms.ask("PUT", limit=60.0, validForS=3)
        await until(csms.draws(60.0))
        await until(csms.draws(300.0))
        assert (await csms.ask("GET"))["given"] is None


async def test_a_lost_source_means_the_failsafe_limit_until_it_is_back(tmp_path: Path) -> None:
    async with charging(tmp_path, WATCHED) as csms:
        await csms.ask("PUT", limit=240.0)
        await until(csms.draws(240.0))
        for _ in range(3):
            await asyncio.sleep(2.0)
            await csms.ask("POST", "/heartbeat")
        assert csms.draws(240.0)()

        lost_at = csms.site.clock.moment().utc_s + 4.0
        csms.allow(45.0, grace_s=4.0 + REACTION_S)
        await until(csms.draws(45.0))
        assert -0.5 < csms.site.clock.moment().utc_s - lost_at < REACTION_S
        shown = await csms.ask("GET")
        assert (shown["source"], shown["awaited"]) == ("failsafe", ["heartbeat", "limit"])
        refused = await csms.api.delete("/station/grid-limit")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:csms:grid-failsafe")

        shown = await csms.ask("POST", "/heartbeat")
        assert (shown["source"], shown["awaited"]) == ("failsafe", ["limit"])
        await asyncio.sleep(1.0)
        assert csms.draws(45.0)()
        csms.allow(210.0)
        shown = await csms.ask("PUT", limit=210.0)
        assert (shown["source"], shown["awaited"]) == ("given", [])
        await until(csms.draws(210.0))
        assert list(csms.site.record.overloads) == []
        events = (await csms.api.get("/events")).json()["events"]
        kinds = [e["kind"] for e in events if e["kind"].startswith("grid_source")]
        assert kinds == ["grid_source_lost", "grid_source_back"]


async def test_an_active_source_is_lost_when_csms_is_killed(tmp_path: Path) -> None:
    async with csms_process(tmp_path, WATCHED) as process:
        site = site_at(process.ocpp_url)
        bench = Bench(process.api, site)
        async with site.running():
            await bench.all_charging()
            bench.allow(240.0, grace_s=REACTION_S)
            await bench.ask("PUT", limit=240.0)
            await until(bench.draws(240.0))
            await process.kill()
            await process.start()
            shown = await bench.ask("GET")
            assert (shown["source"], shown["limit"]) == ("failsafe", 45.0)
            assert shown["given"]["limit"] == 240.0
            await until(bench.draws(45.0))
            assert list(site.record.overloads) == []


async def test_a_cut_waits_for_the_gap_between_requests_only_once_at_each_charger(
    tmp_path: Path,
) -> None:
    names = [f"TWO{number:02d}" for number in range(20)]
    document = {
        "stationId": "PAIRS",
        "gridCapacity": 400.0,
        "chargers": [{"id": name, "maxPower": 40.0, "connectors": 2} for name in names],
    }
    settings = ClientSettings(meter_interval_s=60, redial_first_s=0.05, redial_most_s=0.2)
    config = quick_config(tmp_path)
    assert config.call_gap_s > 0
    async with running(config, [parse_station(document, "test")]) as app:
        hardware = [Hardware.uniform(name, 40_000.0, 2) for name in names]
        site = Site(hardware, networked(app.ocpp_url, settings), Clock(), settings=settings)
        client = httpx.AsyncClient(base_url=app.api_url, timeout=BOUND_S, trust_env=False)
        async with client, site.running():
            bench = Bench(client, site)
            await bench.controlled()
            for point in site.points.values():
                for connector_id in (1, 2):
                    point.plug_in(connector_id, ConstantVehicle(20_000.0))
                    point.present_token(connector_id, "TAG")
            await until(bench.draws(400.0))
            before = {name: len(await bench.limits_sent(name)) for name in names}
            await bench.ask("PUT", limit=100.0)
            await until(bench.draws(100.0))
            sent = [(await bench.limits_sent(name))[before[name] :] for name in names]
            assert {len(limits) for limits in sent} == {2}
            assert max(first for first, _ in sent) < min(second for _, second in sent)
