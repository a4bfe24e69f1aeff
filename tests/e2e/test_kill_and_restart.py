"""kill -9 in the middle of everything: what was answered is kept, and the limits still hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from simulators.charge_point.client import ClientSettings
from simulators.charge_point.hardware import Hardware
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e.csms_process import CsmsProcess, csms_process

CHARGERS = 10
SESSIONS = 20
GRID_KW = 400
STATION: dict[str, Any] = {
    "stationId": "KILLED",
    "gridCapacity": GRID_KW,
    "chargers": [
        {"id": f"CP{n:03}", "maxPower": 100, "connectors": 2} for n in range(1, CHARGERS + 1)
    ],
}
SETTINGS = ClientSettings(meter_interval_s=1, redial_first_s=0.1, redial_most_s=0.5)


def site_of(process: CsmsProcess) -> Site:
    hardware = [Hardware.uniform(c["id"], 100_000.0, 2) for c in STATION["chargers"]]
    site = Site(hardware, networked(process.ocpp_url, SETTINGS), Clock(), settings=SETTINGS)
    site.record.allow(GRID_KW * 1000.0, site.clock.moment())
    return site


async def until(
    condition: Callable[[], Awaitable[bool]],
    seen: Callable[[], Awaitable[object]],
    seconds: float = 30.0,
) -> None:
    """Wait; when it does not come true, fail with what is seen then."""
    ends = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > ends:
            raise AssertionError(f"not within {seconds:g} s: {await seen()}")
        await asyncio.sleep(0.05)


def start_all(site: Site) -> None:
    for point in site.points.values():
        for connector_id in (1, 2):
            point.plug_in(connector_id, ConstantVehicle(60_000.0))
            point.present_token(connector_id, "TAG")


def stop_all(site: Site) -> None:
    for point in site.points.values():
        for connector_id in (1, 2):
            point.unplug(connector_id)


def numbered(site: Site) -> dict[str, int]:
    """The transaction ids csms has answered, by connector."""
    found: dict[str, int] = {}
    for charger_id, point in site.points.items():
        for connector in point.behaviour.connectors():
            transaction = connector.transaction
            if transaction is not None and transaction.transaction_id is not None:
                found[f"{charger_id}/{connector.hardware.connector_id}"] = (
                    transaction.transaction_id
                )
    return found


def by_connector(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{s['connectorId']['chargerId']}/{s['connectorId']['idx']}": s
        for s in status["sessions"].values()
    }


async def test_sessions_ids_and_limits_survive_a_kill(tmp_path: Path) -> None:
    async with csms_process(tmp_path, STATION) as process:
        site = site_of(process)
        async with site.running():
            await site.all_booted()

            async def all_charging() -> bool:
                status = await process.status()
                return (
                    len(status["sessions"]) == SESSIONS
                    and status["settled"]
                    and all(s["allocatedPower"] == 20 for s in status["sessions"].values())
                    and all((s["measuredPower"] or 0) > 19 for s in status["sessions"].values())
                )

            start_all(site)
            await until(all_charging, process.status)
            before = by_connector(await process.status())
            answered = numbered(site)
            assert len(answered) == SESSIONS

            await process.kill()
            await process.start()
            # Nobody booted: the chargers reconnect and go on with the meter values they owe.
            right_after = by_connector(await process.status())
            assert {k: s["sessionId"] for k, s in right_after.items()} == {
                k: s["sessionId"] for k, s in before.items()
            }
            assert {k: s["transactionId"] for k, s in right_after.items()} == answered
            assert (await process.status())["sumWorstCase"] <= GRID_KW
            await until(all_charging, process.status)
            assert {p.boots for p in site.points.values()} == {1}

            registers = {
                f"{charger_id}/{c.hardware.connector_id}": c.transaction
                for charger_id, point in site.points.items()
                for c in point.behaviour.connectors()
            }
            stop_all(site)

            async def none_left() -> bool:
                return not (await process.status())["sessions"]

            await until(none_left, process.status)
            ended = (await process.api.get("/stations/KILLED/sessions?state=ended")).json()
            kept = {
                f"{s['connectorId']['chargerId']}/{s['connectorId']['idx']}": s
                for s in ended["sessions"]
            }
            assert {k: s["transactionId"] for k, s in kept.items()} == answered
            for name, transaction in registers.items():
                assert transaction is not None
                assert transaction.meter_stop_wh is not None
                delivered_wh = transaction.meter_stop_wh - transaction.meter_start_wh
                assert delivered_wh > 0
                assert kept[name]["energy"] * 1000 == delivered_wh
        assert site.record.overload_count == 0
        assert site.record.peak_limit_sum_w <= GRID_KW * 1000 + 1
        assert await process.stop() == 0


async def test_nothing_answered_is_lost_when_killed_while_sessions_start(tmp_path: Path) -> None:
    async with csms_process(tmp_path, STATION) as process:
        site = site_of(process)
        async with site.running():
            await site.all_booted()
            for round_number in range(3):
                start_all(site)

                async def some_answered() -> bool:
                    return len(numbered(site)) >= 3 + 5 * round_number  # noqa: B023

                await until(some_answered, process.status)
                await process.kill()
                answered = numbered(site)
                await process.start()
                kept = by_connector(await process.status())
                for name, transaction_id in answered.items():
                    assert kept[name]["transactionId"] == transaction_id

                async def all_known() -> bool:
                    status = await process.status()
                    ids = {k: s["transactionId"] for k, s in by_connector(status).items()}
                    return len(ids) == SESSIONS and ids == numbered(site) and status["settled"]

                async def both_sides() -> object:
                    return numbered(site), await process.status()

                await until(all_known, both_sides)
                stop_all(site)

                async def none_left() -> bool:
                    return not (await process.status())["sessions"]

                await until(none_left, process.status)
        assert site.record.overload_count == 0
        answer = await process.api.get("/stations/KILLED/sessions?state=ended&limit=1000")
        assert len(answer.json()["sessions"]) == 3 * SESSIONS
