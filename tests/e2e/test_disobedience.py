"""A charger that says yes to everything and obeys nothing: what csms does, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from csms.app import running
from csms.ports import Frame
from csms.station.document import parse_station
from csms.storage.memory import MemoryStore
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e import quick

NAME = "STUBBORN"
MAX_W = 50_000.0
STATION: dict[str, Any] = {
    "stationId": "DEFIED",
    "gridCapacity": 30.0,
    "chargers": [{"id": NAME, "maxPower": MAX_W / 1000, "connectors": 1}],
}
QUIRKS = Quirks(ignore_profiles=True, ignores_remote_stop=True)
BOUND_S = 60.0


def asked(frames: list[Frame]) -> list[str]:
    """What csms did against the charger, in order."""
    words = {
        "RemoteStopTransaction": "RemoteStopTransaction",
        '"Inoperative"': "Inoperative",
        '"Operative"': "Operative",
    }
    texts = [frame.text for frame in frames if not frame.inbound and frame.text.startswith("[2")]
    return [said for text in texts for mark, said in words.items() if mark in text]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not holds():  # noqa: ASYNC110 - the charger tells nobody
            await asyncio.sleep(0.02)


async def test_it_is_stopped_then_taken_out_of_service_and_pardoned() -> None:
    store = MemoryStore()
    configured = parse_station(STATION, "test")
    async with running(quick.CONFIG, [configured], store=store) as app:
        site = Site(
            [Hardware.uniform(NAME, MAX_W, 1, CurrentType.DC)],
            networked(app.ocpp_url, quick.CLIENT),
            Clock(),
            settings=quick.CLIENT,
            quirks={NAME: QUIRKS},
        )
        client = httpx.AsyncClient(base_url=app.api_url, timeout=BOUND_S, trust_env=False)
        async with client, site.running():
            await site.all_booted()
            point = site.points[NAME]
            point.plug_in(1, ConstantVehicle(MAX_W))
            point.present_token(1, "TAG")
            connector = point.behaviour.connector(1)
            await until(lambda: connector.inoperative)
            steps = asked(await store.frames(NAME, limit=1000))
            assert steps == ["RemoteStopTransaction", "Inoperative"]

            shown = (await client.get("/station/status")).json()["chargers"][0]["connectors"][0]
            assert shown["condition"] == "UNCONTROLLED"
            assert shown["reason"] == "draws 50.0 kW above 30.0 kW"

            pardoned = await client.post(f"/chargers/{NAME}/pardon", json={"connector": 1})
            assert pardoned.status_code == 200, pardoned.text
            # A word is no reading: it goes on counting in full.
            assert pardoned.json()["worstCase"] == MAX_W / 1000
            await until(lambda: not connector.inoperative)
            steps = asked(await store.frames(NAME, limit=1000))
            assert steps[:3] == ["RemoteStopTransaction", "Inoperative", "Operative"]
