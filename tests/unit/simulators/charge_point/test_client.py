from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from simulators.charge_point.client import ChargePointClient, ClientSettings
from simulators.charge_point.events import Event
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.record import LimitRecord
from simulators.vehicle.vehicle import ConstantVehicle
from tests.unit.simulators.central import Central, ManualClock, profile, until

QUICK = ClientSettings(
    call_timeout_s=20.0, tick_s=0.001, redial_first_s=0.0, redial_most_s=0.0, boot_retry_s=0.0
)


@dataclass
class Bench:
    """A charge point that lives, and everything around it."""

    point: ChargePointClient
    central: Central
    clock: ManualClock
    record: LimitRecord
    life: asyncio.Task[None]
    events: list[Event] = field(default_factory=list)

    @property
    def actions(self) -> list[str]:
        return self.central.actions("CP001")

    def payloads(self, action: str) -> list[dict[str, Any]]:
        return self.central.payloads("CP001", action)

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        return await self.central.call("CP001", action, payload)

    async def heard(self, action: str, times: int = 1) -> None:
        await until(lambda: len(self.payloads(action)) >= times)

    async def idle(self) -> None:
        await until(lambda: self.point.booted.is_set() and not self.point.unsent)

    async def charge(self, connector_id: int = 1, vehicle_w: float = 150_000.0) -> int:
        """Plug in, start, and return the transaction's number."""
        self.point.plug_in(connector_id, ConstantVehicle(vehicle_w))
        self.point.present_token(connector_id, "TAG")
        connector = self.point.behaviour.connector(connector_id)
        await until(lambda: connector.transaction and connector.transaction.transaction_id)
        await self.idle()
        assert connector.transaction is not None
        assert connector.transaction.transaction_id is not None
        return connector.transaction.transaction_id

    async def limit(self, limit_w: float, transaction_id: int) -> None:
        payload = {
            "connectorId": 1,
            "csChargingProfiles": profile(limit_w, transaction_id=transaction_id),
        }
        assert await self.call("SetChargingProfile", payload) == {"status": "Accepted"}


@asynccontextmanager
async def living(
    central: Central | None = None,
    *,
    quirks: Quirks | None = None,
    settings: ClientSettings = QUICK,
    boots: bool = True,
) -> AsyncIterator[Bench]:
    central = central or Central()
    clock, record = ManualClock(), LimitRecord()
    events: list[Event] = []
    point = ChargePointClient(
        Hardware.uniform("CP001", 200_000.0, 2),
        central.dial_for("CP001"),
        clock,
        settings=settings,
        quirks=quirks,
        record=record,
        watcher=events.append,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(point.run())
        if boots:
            await point.booted.wait()
        yield Bench(point, central, clock, record, task, events)
        task.cancel()


# ---------------------------------------------------------------------------- booting


async def test_it_boots_then_reports_every_connector() -> None:
    async with living() as bench:
        await bench.heard("StatusNotification", 3)
        assert bench.actions[:4] == ["BootNotification"] + 3 * ["StatusNotification"]
        statuses = [(p["connectorId"], p["status"]) for p in bench.payloads("StatusNotification")]
        assert statuses == [(0, "Available"), (1, "Available"), (2, "Available")]
        await bench.idle()
        assert bench.actions.count("StatusNotification") == 3


async def test_it_sends_nothing_until_its_boot_is_accepted() -> None:
    central = Central()
    verdicts = iter(["Rejected", "Pending"])

    def verdict(_: str, __: dict[str, Any]) -> dict[str, Any]:
        status = next(verdicts, "Accepted")
        return {"status": status, "currentTime": "2025-01-01T12:00:00Z", "interval": 0}

    central.answers["BootNotification"] = verdict
    async with living(central) as bench:
        await bench.heard("StatusNotification")
        assert bench.actions[:4] == 3 * ["BootNotification"] + ["StatusNotification"]
        assert bench.point.boots == 3


async def test_a_boot_that_fails_is_tried_again() -> None:
    central = Central()
    failures = iter([{"error": "InternalError"}, {"status": "nonsense"}])
    accepted = {"status": "Accepted", "currentTime": "2025-01-01T12:00:00Z", "interval": 60}
    central.answers["BootNotification"] = lambda _, __: next(failures, accepted)
    async with living(central) as bench:
        assert bench.actions.count("BootNotification") == 3
        assert len(bench.point.complaints) == 2


async def test_it_beats_at_the_interval_it_was_told() -> None:
    async with living() as bench:
        await bench.idle()
        assert bench.point.configuration.number("HeartbeatInterval") == 300
        bench.clock.elapsed_s = 299.0
        bench.point.present_token(1, "WAKE")
        await bench.heard("Authorize")
        assert "Heartbeat" not in bench.actions
        bench.clock.elapsed_s = 300.0
        bench.point.present_token(2, "WAKE")
        await bench.heard("Heartbeat")


async def test_a_refused_heartbeat_is_noted_and_forgotten() -> None:
    central = Central()
    central.answers["Heartbeat"] = lambda _, __: {"error": "InternalError"}
    async with living(central) as bench:
        await bench.idle()
        bench.clock.elapsed_s = 301.0
        bench.point.present_token(1, "WAKE")
        await bench.heard("Heartbeat")
        await bench.heard("Authorize")
        assert len(bench.point.complaints) == 1


# ---------------------------------------------------------------------------- charging


async def test_plugged_and_shown_a_token_it_charges_and_stops_when_unplugged() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        bench.clock.elapsed_s = 3.6
        bench.point.unplug(1)
        await bench.heard("StopTransaction")
        assert bench.payloads("StartTransaction") == [
            {
                "connectorId": 1,
                "idTag": "TAG",
                "meterStart": 0,
                "timestamp": "2025-01-01T12:00:00Z",
            }
        ]
        assert bench.payloads("StopTransaction") == [
            {
                "transactionId": transaction_id,
                "meterStop": 150,
                "timestamp": "2025-01-01T12:00:03Z",
                "reason": "EVDisconnected",
            }
        ]
        assert bench.point.complaints == type(bench.point.complaints)()


async def test_a_token_that_is_not_valid_starts_nothing() -> None:
    central = Central()
    central.answers["Authorize"] = lambda _, __: {"idTagInfo": {"status": "Blocked"}}
    async with living(central) as bench:
        bench.point.plug_in(1, ConstantVehicle(1.0))
        bench.point.present_token(1, "TAG")
        await bench.heard("Authorize")
        await bench.idle()
        assert "StartTransaction" not in bench.actions
        assert [e.detail for e in bench.events if e.name == "authorised"] == [{"status": "Blocked"}]


async def test_a_transaction_csms_does_not_allow_is_ended() -> None:
    central = Central()
    central.answers["StartTransaction"] = lambda _, __: {
        "transactionId": 9,
        "idTagInfo": {"status": "Invalid"},
    }
    async with living(central) as bench:
        bench.point.plug_in(1, ConstantVehicle(1.0))
        bench.point.present_token(1, "TAG")
        await bench.heard("StopTransaction")
        (stop,) = bench.payloads("StopTransaction")
        assert (stop["transactionId"], stop["reason"]) == (9, "DeAuthorized")


async def test_a_remote_start_charges_the_plugged_vehicle() -> None:
    async with living() as bench:
        bench.point.plug_in(2, ConstantVehicle(1.0))
        request = {"idTag": "REMOTE", "connectorId": 2}
        assert await bench.call("RemoteStartTransaction", request) == {"status": "Accepted"}
        await bench.heard("StartTransaction")
        (start,) = bench.payloads("StartTransaction")
        assert (start["connectorId"], start["idTag"]) == (2, "REMOTE")
        assert "Authorize" not in bench.actions


async def test_a_remote_stop_ends_it() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        stop = {"transactionId": transaction_id}
        assert await bench.call("RemoteStopTransaction", stop) == {"status": "Accepted"}
        await bench.heard("StopTransaction")
        assert bench.payloads("StopTransaction")[0]["reason"] == "Remote"


async def test_it_samples_while_it_charges() -> None:
    async with living() as bench:
        transaction_id = await bench.charge(vehicle_w=36_000.0)
        bench.clock.elapsed_s = 10.0
        await bench.heard("MeterValues")
        (sample,) = bench.payloads("MeterValues")
        assert (sample["connectorId"], sample["transactionId"]) == (1, transaction_id)
        values = {
            value["measurand"]: value["value"] for value in sample["meterValue"][0]["sampledValue"]
        }
        assert values == {
            "Energy.Active.Import.Register": "100",
            "Power.Active.Import": "36000.0",
            "Current.Import": "90.0",
        }


async def test_a_limit_is_obeyed_recorded_and_told() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        assert bench.record.limit_sum_w == 200_000.0
        await bench.limit(80_000.0, transaction_id)
        assert bench.record.limit_sum_w == 80_000.0
        assert bench.record.power_sum_w == 80_000.0
        assert bench.record.peak_limit_sum_w == 200_000.0
        limits = [e.detail["limit_kw"] for e in bench.events if e.name == "limit"]
        assert limits == [200.0, 80.0]
        bench.point.unplug(1)
        assert bench.record.limit_sum_w == 0.0


async def test_what_happens_is_told_in_order() -> None:
    async with living() as bench:
        await bench.charge()
        bench.point.unplug(1)
        await bench.heard("StopTransaction")
        assert [event.name for event in bench.events if event.name != "limit"] == [
            "connected",
            "booted",
            "arrived",
            "authorised",
            "started",
            "numbered",
            "stopped",
            "left",
        ]


# ---------------------------------------------------------------------------- the link


async def test_a_reconnect_boots_no_more_and_reports_what_changed() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        heard = len(bench.actions)
        bench.point.go_offline()
        await until(lambda: not bench.point.booted.is_set())
        bench.point.plug_in(2, ConstantVehicle(1.0))
        bench.point.go_online()
        await bench.point.booted.wait()
        await bench.idle()
        assert bench.central.heard["CP001"][heard:] == [
            (
                "StatusNotification",
                {
                    "connectorId": 2,
                    "errorCode": "NoError",
                    "status": "Preparing",
                    "timestamp": "2025-01-01T12:00:00Z",
                },
            )
        ]
        await bench.limit(50_000.0, transaction_id)


async def test_some_boot_at_every_connection() -> None:
    async with living(quirks=Quirks(no_boot_on_reconnect=False)) as bench:
        await bench.idle()
        bench.point.go_offline()
        await until(lambda: not bench.point.booted.is_set())
        bench.point.go_online()
        await bench.heard("BootNotification", 2)
        await bench.heard("StatusNotification", 6)


async def test_some_forget_their_profiles_with_the_link() -> None:
    async with living(quirks=Quirks(forgets_on_reconnect=True)) as bench:
        transaction_id = await bench.charge()
        await bench.limit(36_000.0, transaction_id)
        bench.point.go_offline()
        await until(lambda: bench.record.limit_sum_w == 200_000.0)


async def test_offline_it_goes_on_charging_under_its_profile_and_tells_later() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        await bench.limit(36_000.0, transaction_id)
        bench.point.go_offline()
        await until(lambda: not bench.point.booted.is_set())
        heard = len(bench.actions)
        for second in (10.0, 20.0, 100.0):
            bench.clock.elapsed_s = second
            await until(lambda: bench.point.behaviour.connector(1).meter.read_at == second)  # noqa: B023
        assert bench.record.power_sum_w == 36_000.0
        bench.point.unplug(1)
        bench.point.plug_in(1, ConstantVehicle(1.0))
        bench.point.present_token(1, "OFFLINE")
        bench.point.unplug(1)
        assert bench.actions[heard:] == []
        bench.point.go_online()
        await bench.heard("StopTransaction", 2)
        assert bench.actions[heard:] == [
            "StatusNotification",
            "MeterValues",
            "MeterValues",
            "MeterValues",
            "StopTransaction",
            "StartTransaction",
            "StopTransaction",
        ]
        first, second_stop = bench.payloads("StopTransaction")
        assert (first["transactionId"], first["meterStop"]) == (transaction_id, 1_000)
        assert second_stop["transactionId"] == transaction_id + 1


async def test_it_survives_a_central_system_that_dies_in_the_middle_of_an_answer() -> None:
    central = Central()
    async with living(central) as bench:
        await bench.idle()

        def die(_: str, __: dict[str, Any]) -> None:
            central.stop()

        central.answers["StartTransaction"] = die
        bench.point.plug_in(1, ConstantVehicle(1.0))
        bench.point.present_token(1, "TAG")
        await until(lambda: any(event.name == "dial_failed" for event in bench.events))
        assert bench.point.behaviour.connector(1).transaction is not None
        del central.answers["StartTransaction"]
        central.down = False
        await bench.heard("StartTransaction", 2)
        await bench.idle()
        starts = bench.payloads("StartTransaction")
        assert starts[0] == starts[1]
        assert bench.actions.count("BootNotification") == 1


async def test_a_transaction_message_that_fails_is_sent_again() -> None:
    central = Central()
    accepted = {"transactionId": 5, "idTagInfo": {"status": "Accepted"}}
    failures = iter([{"error": "InternalError"}, {"error": "GenericError"}])
    central.answers["StartTransaction"] = lambda _, __: next(failures, accepted)
    async with living(central) as bench:
        bench.point.configuration.change("TransactionMessageRetryInterval", "0")
        assert await bench.charge() == 5
        assert bench.actions.count("StartTransaction") == 3
        assert len(bench.point.complaints) == 2


async def test_a_frame_that_breaks_the_library_costs_only_the_link() -> None:
    async with living() as bench:
        await bench.idle()
        bench.central.sockets["CP001"].deliver('[2,"x",["not","an","action"],{}]')
        await until(lambda: bench.point.complaints)
        await bench.point.booted.wait()
        await bench.charge()
        assert [event.name for event in bench.events].count("connected") == 2


async def test_a_charger_that_is_offline_does_not_stay_on_a_link_it_just_made() -> None:
    central = Central()
    async with living(central) as bench:
        await bench.idle()
        central.stop()
        await until(lambda: not bench.point.booted.is_set())
        bench.point.go_offline()
        central.down = False
        await until(lambda: bench.events[-1].name in {"disconnected", "dial_failed"})
        bench.point.go_online()
        await bench.point.booted.wait()


@pytest.mark.parametrize("turns", range(12))
async def test_it_ends_even_when_its_link_is_lost_at_that_moment(turns: int) -> None:
    async with living() as bench:
        await bench.idle()
        bench.central.stop()
        for _ in range(turns):
            await asyncio.sleep(0)
        bench.life.cancel()
        for _ in range(50):
            await asyncio.sleep(0)
        ended = bench.life.cancelled()
        if not ended:  # end whatever goes on, or the test would not
            bench.central.down = False
            await bench.point.booted.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
    assert ended


# ---------------------------------------------------------------------------- rebooting


async def test_a_reset_ends_transactions_and_boots_again() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        assert await bench.call("Reset", {"type": "Hard"}) == {"status": "Accepted"}
        await bench.heard("BootNotification", 2)
        await bench.heard("StopTransaction")
        (stop,) = bench.payloads("StopTransaction")
        assert (stop["transactionId"], stop["reason"]) == (transaction_id, "HardReset")


@pytest.mark.parametrize("message", ["BootNotification", "Heartbeat", "MeterValues"])
async def test_a_trigger_is_followed(message: str) -> None:
    async with living() as bench:
        await bench.idle()
        before = bench.actions.count(message)
        trigger = {"requestedMessage": message}
        assert await bench.call("TriggerMessage", trigger) == {"status": "Accepted"}
        await bench.heard(message, before + 1)


async def test_how_long_csms_takes_is_measured() -> None:
    async with living() as bench:
        await bench.idle()
        assert bench.point.calls == 4
        assert list(bench.point.latencies_s) == [0.0, 0.0, 0.0, 0.0]


# ---------------------------------------------------------------------------- at the charger


async def test_the_token_that_began_ends_it_and_is_named() -> None:
    async with living() as bench:
        transaction_id = await bench.charge()
        bench.point.present_token(1, "TAG")
        await bench.heard("StopTransaction")
        (stop,) = bench.payloads("StopTransaction")
        assert (stop["transactionId"], stop["idTag"], stop["reason"]) == (
            transaction_id,
            "TAG",
            "Local",
        )
        assert bench.actions.count("Authorize") == 2


async def test_a_broken_connector_is_reported_also_after_a_reboot() -> None:
    async with living() as bench:
        await bench.idle()
        bench.point.break_down(1, "ConnectorLockFailure")
        await bench.heard("StatusNotification", 4)
        bench.point.reboot(power_lost=True)
        await bench.heard("BootNotification", 2)
        await bench.heard("StatusNotification", 7)
        told = bench.payloads("StatusNotification")
        for status in (told[3], told[5]):
            assert (status["status"], status["errorCode"]) == ("Faulted", "ConnectorLockFailure")
        assert bench.point.errands.failure == ""
