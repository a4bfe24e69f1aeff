from __future__ import annotations

import pytest

from simulators.charge_point.behaviour import NotPossibleError
from simulators.charge_point.client import ClientSettings
from simulators.charge_point.events import Event
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.site import Site, networked, split_name
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.central import Central, ManualClock, profile, until

QUICK = ClientSettings(tick_s=0.001, redial_first_s=0.0, redial_most_s=0.0)
HARDWARE = [Hardware.uniform("CP001", 200_000.0, 2), Hardware.uniform("CP002", 50_000.0, 1)]


def site_of(central: Central, quirks: dict[str, Quirks] | None = None) -> tuple[Site, list[Event]]:
    events: list[Event] = []
    site = Site(
        HARDWARE,
        central.dial_for,
        ManualClock(),
        settings=QUICK,
        quirks=quirks,
        watcher=events.append,
    )
    return site, events


async def test_every_charge_point_boots_on_a_link_of_its_own() -> None:
    central = Central()
    site, events = site_of(central)
    async with site.running():
        await site.all_booted()
    assert central.actions("CP001")[0] == central.actions("CP002")[0] == "BootNotification"
    assert {event.charger_id for event in events if event.name == "booted"} == {
        "CP001",
        "CP002",
    }


async def test_leaving_the_block_closes_every_link() -> None:
    central = Central()
    site, _ = site_of(central)
    async with site.running():
        await site.all_booted()
    assert all(socket.closed for socket in central.sockets.values())
    assert not any(point.booted.is_set() for point in site.points.values())


async def test_all_chargers_write_one_record() -> None:
    central = Central()
    site, _ = site_of(central)
    async with site.running():
        await site.all_booted()
        for charger_id, point in site.points.items():
            point.plug_in(1, ConstantVehicle(150_000.0))
            point.present_token(1, "TAG")
            await until(lambda: point.behaviour.connector(1).transaction)  # noqa: B023
            assert site.limit_w(f"{charger_id}/1") == point.hardware.max_w
        assert site.record.limit_sum_w == 250_000.0
        assert site.record.power_sum_w == 200_000.0
        limits = {"connectorId": 1, "csChargingProfiles": profile(70_000)}
        assert await central.call("CP001", "SetChargingProfile", limits) == {"status": "Accepted"}
        assert site.limit_w("CP001/1") == 70_000.0
        assert site.limit_w("CP001/2") == 0.0
        assert site.record.limit_sum_w == 120_000.0
        assert site.record.peak_sum({"CP001"}) == 200_000.0


async def test_quirks_and_complaints_belong_to_their_charger() -> None:
    central = Central()
    central.answers["StatusNotification"] = lambda charger_id, _: (
        {"error": "GenericError"} if charger_id == "CP002" else {}
    )
    site, _ = site_of(central, {"CP001": Quirks(refuse_profiles=True)})
    async with site.running():
        await site.all_booted()
        default = profile(0, purpose="TxDefaultProfile")
        request = {"connectorId": 0, "csChargingProfiles": default}
        assert await central.call("CP001", "SetChargingProfile", request) == {"status": "Rejected"}
        assert await central.call("CP002", "SetChargingProfile", request) == {"status": "Accepted"}
        await until(lambda: len(site.complaints()) == 2)
        assert all(complaint.startswith("CP002: ") for complaint in site.complaints())


@pytest.mark.parametrize(
    ("name", "parts"), [("CP001/2", ("CP001", 2)), ("SITE/A/1", ("SITE/A", 1))]
)
def test_connector_names(name: str, parts: tuple[str, int]) -> None:
    assert split_name(name) == parts


async def test_a_connector_that_is_not_there() -> None:
    site, _ = site_of(Central())
    with pytest.raises(NotPossibleError):
        site.limit_w("CP001/3")


async def test_networked_diallers_end_in_the_chargers_id() -> None:
    settings = ClientSettings(open_timeout_s=0.5)
    dial = networked("ws://127.0.0.1:1/ocpp/", settings)("CP001")
    with pytest.raises(OSError, match="1"):
        await dial()
