"""The HTTP API on a running csms, with simulated chargers on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from csms.app import running
from csms.config import Config
from csms.station.document import dump_station, parse_station
from simulators.charge_point.client import ClientSettings
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle

STATION: dict[str, Any] = {
    "stationId": "API",
    "gridCapacity": 400.0,
    "chargers": [
        {"id": "CP001", "maxPower": 200.0, "connectors": 2},
        {"id": "CP002", "maxPower": 200.0, "connectors": 1},
        {"id": "CP003", "maxPower": 100.0, "connectors": 1},
    ],
}
QUICK = ClientSettings(meter_interval_s=1, redial_first_s=0.05, redial_most_s=0.2)
BOUND_S = 30.0


@dataclass
class Bench:
    """A csms, its API, and the simulated chargers that are connected to it."""

    api: httpx.AsyncClient
    site: Site
    ocpp_url: str

    async def get(self, path: str) -> Any:
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def start(self, charger_id: str, idx: int = 1, power: float = 150) -> httpx.Response:
        body = {"connectorId": {"chargerId": charger_id, "idx": idx}, "vehicleMaxPower": power}
        return await self.api.post("/sessions", json=body)

    async def running_session(self, charger_id: str, idx: int = 1) -> dict[str, Any]:
        self.site.points[charger_id].plug_in(idx, ConstantVehicle(150_000.0))
        answer = await self.start(charger_id, idx)
        assert answer.status_code == 201, answer.text
        session: dict[str, Any] = answer.json()["session"]
        return session

    async def under_control(self, *chargers: str) -> None:
        async def reached() -> bool:
            status = await self.get("/station/status")
            conditions = {c["id"]: c["condition"] for c in status["chargers"]}
            return all(conditions[c] == "CONTROLLED" for c in chargers) and status["settled"]

        await until(reached)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not await condition():  # noqa: ASYNC110 - the API tells nobody: it has to be asked
            await asyncio.sleep(0.02)


@asynccontextmanager
async def bench(
    folder: Path, *chargers: str, quirks: Quirks | None = None, **settings: Any
) -> AsyncIterator[Bench]:
    config = Config(
        **{
            "ocpp_port": 0,
            "api_port": 0,
            "database_url": f"sqlite:///{folder / 'csms.db'}",
            "boot_quiet_s": 0.0,
            "meter_interval_s": 1,
            "call_timeout_s": 1.0,
            "remote_start_timeout_s": 1.0,
            "reserve_mb": 0,
            **settings,
        }
    )
    station = parse_station(STATION, "test")
    async with running(config, [station]) as app:
        site = Site(
            [Hardware.uniform(name, 200_000.0, 2) for name in chargers],
            networked(app.ocpp_url, QUICK),
            Clock(),
            settings=QUICK,
            quirks=dict.fromkeys(chargers, quirks or Quirks()),
        )
        client = httpx.AsyncClient(base_url=app.api_url, timeout=BOUND_S, trust_env=False)
        async with client, site.running():
            async with asyncio.timeout(BOUND_S):
                await site.all_booted()
            yield Bench(client, site, app.ocpp_url)


async def test_a_session_from_its_start_to_the_journal(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        await csms.under_control("CP001")
        session = await csms.running_session("CP001")
        session_id = session["sessionId"]
        assert session["connectorId"] == {"chargerId": "CP001", "idx": 1}
        assert (session["vehicleMaxPower"], session["allocatedPower"]) == (150.0, 150.0)

        async def confirmed() -> bool:
            found = (await csms.get("/station/status"))["sessions"][session_id]
            limit = found["limit"]
            return (limit["state"], limit["value"], limit["source"]) == (
                "confirmed",
                150.0,
                "vehicle",
            ) and found["measuredPower"] == 150.0

        await until(confirmed)
        answer = await csms.api.post(
            f"/sessions/{session_id}/power-update", json={"vehicleMaxPower": 80}
        )
        assert answer.json()["session"]["allocatedPower"] == 80.0
        stopped = await csms.api.post(f"/sessions/{session_id}/stop")
        assert stopped.status_code == 200
        assert stopped.json()["session"]["reason"] == "Remote"
        ended = await csms.get("/stations/API/sessions?state=ended")
        assert ended["sessions"] == [stopped.json()["session"]]
        assert (await csms.get("/station/status"))["sessions"] == {}
        kinds = [e["kind"] for e in (await csms.get("/events"))["events"]]
        assert kinds.index("session_started") < kinds.index("session_ended")


async def test_the_flat_form_and_delete(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        csms.site.points["CP001"].plug_in(2, ConstantVehicle(50_000.0))
        body = {"charger_id": "CP001", "connector_id": 2, "vehicle_max_power": 50}
        answer = await csms.api.post("/stations/API/sessions", json=body)
        assert answer.status_code == 201, answer.text
        session_id = answer.json()["session"]["sessionId"]
        stopped = await csms.api.delete(f"/stations/API/sessions/{session_id}")
        assert stopped.json()["session"]["sessionId"] == session_id
        again = await csms.api.delete(f"/stations/API/sessions/{session_id}")
        assert (again.status_code, again.json()["type"]) == (404, "urn:csms:unknown-session")


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        await csms.running_session("CP001")
        for charger_id, idx, status, kind in (
            ("CP001", 1, 409, "connector-occupied"),
            ("CP001", 3, 404, "unknown-connector"),
            ("CP002", 1, 409, "charger-offline"),
            ("CP009", 1, 404, "unknown-charger"),
        ):
            answer = await csms.start(charger_id, idx)
            assert (answer.status_code, answer.json()["type"]) == (status, f"urn:csms:{kind}")


async def test_a_charger_that_does_not_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001", quirks=Quirks(deaf=True)) as csms:
        csms.site.points["CP001"].plug_in(1, ConstantVehicle(50_000.0))
        answer = await csms.start("CP001")
        assert (answer.status_code, answer.json()["type"]) == (504, "urn:csms:charger-silent")


async def test_a_charger_without_a_vehicle_starts_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        answer = await csms.start("CP001")
        assert (answer.status_code, answer.json()["type"]) == (504, "urn:csms:charger-silent")


async def test_a_new_grid_limit_is_in_force_at_once_and_drops_no_socket(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        session_id = (await csms.running_session("CP001"))["sessionId"]
        boots = csms.site.points["CP001"].boots
        changed = {**STATION, "gridCapacity": 60.0}
        answer = await csms.api.post("/station/config", json=changed)
        assert (answer.status_code, answer.json()) == (200, changed)

        async def lowered() -> bool:
            status = await csms.get("/station/status")
            allocated: float = status["sessions"][session_id]["allocatedPower"]
            return (allocated, csms.site.limit_w("CP001/1")) == (60.0, 60_000.0)

        await until(lowered)
        assert csms.site.points["CP001"].boots == boots


async def test_a_configuration_that_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        await csms.running_session("CP001")
        without = {**STATION, "chargers": STATION["chargers"][1:], "staticLoad": 401.0}
        answer = await csms.api.post("/stations/API/config", json=without)
        assert answer.status_code == 409
        assert answer.json()["reasons"] == [
            "static load and reserve are 401.0 kW, more than the grid limit of 400.0 kW",
            "charger CP001 is removed, but CP001/1 is in use",
        ]
        assert await csms.get("/station/config") == STATION


async def test_a_changed_configuration_survives_a_restart(tmp_path: Path) -> None:
    changed = {**STATION, "gridCapacity": 321.0}
    async with bench(tmp_path) as csms:
        assert (await csms.api.post("/station/config", json=changed)).status_code == 200
    async with bench(tmp_path) as csms:
        assert await csms.get("/station/config") == dump_station(parse_station(changed, "test"))


async def test_an_unknown_charger_knocks_until_a_station_has_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as csms:
        stranger = Site(
            [Hardware.uniform("CP009", 50_000.0, 1)],
            networked(csms.ocpp_url, QUICK),
            Clock(),
            settings=QUICK,
        )
        async with stranger.running():

            async def listed() -> bool:
                knocked = (await csms.get("/chargers/knocked"))["chargers"]
                return [k["chargerId"] for k in knocked] == ["CP009"]

            await until(listed)
            added = [*STATION["chargers"], {"id": "CP009", "maxPower": 50.0, "connectors": 1}]
            answer = await csms.api.post("/station/config", json={**STATION, "chargers": added})
            assert answer.status_code == 200
            async with asyncio.timeout(BOUND_S):
                await stranger.all_booted()
            assert (await csms.get("/chargers/knocked"))["chargers"] == []


async def test_frames_metrics_and_health(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        await csms.under_control("CP001")

        async def booted() -> bool:
            frames = (await csms.get("/chargers/CP001/frames"))["frames"]
            return any(f["direction"] == "in" and "BootNotification" in f["text"] for f in frames)

        await until(booted)
        metrics = (await csms.api.get("/metrics")).text
        assert 'csms_connected_chargers{station="API"} 1.0' in metrics
        assert (await csms.get("/health"))["status"] == "ok"
