from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ocpp.messages import CallError, CallResult
from websockets.exceptions import ConnectionClosed

from simulators.charge_point.answers import Answers
from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.messages import (
    BootDue,
    HeartbeatDue,
    Message,
    MeterSampled,
    Status,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.meter import Reading
from simulators.charge_point.quirks import Quirks
from simulators.charge_point.wire import CallFailedError, Wire, request
from simulators.moment import Moment
from tests.unit.simulators.central import NOON_S, Central, MemorySocket, profile, until

HARDWARE = Hardware.uniform("CP001", 200_000.0, 2)
NOON = "2025-01-01T12:00:00Z"


class Link:
    """A wire, the central system at its other end, and what it was asked to send."""

    def __init__(self, wire: Wire, central: Central, socket: MemorySocket) -> None:
        self.wire = wire
        self.central = central
        self.socket = socket
        self.resets: Callable[[], None] = lambda: None

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        return await self.central.call("CP001", action, payload)


@asynccontextmanager
async def linked(
    *,
    timeout_s: float = 20.0,
    slow_answer_s: float = 0.0,
    deaf: bool = False,
    quirks: Quirks | None = None,
) -> AsyncIterator[Link]:
    behaviour = Behaviour(HARDWARE, Configuration(HARDWARE), quirks or Quirks())
    sent: list[Message] = []
    answers = Answers(
        behaviour,
        moment=lambda: Moment(NOON_S, 0.0),
        changed=lambda: None,
        send=sent.append,
        reset=lambda _: link.resets(),
    )
    central = Central()
    await central.dial_for("CP001")()
    socket = central.sockets["CP001"]
    wire = Wire(
        "CP001",
        socket,
        answers,
        call_timeout_s=timeout_s,
        slow_answer_s=slow_answer_s,
        deaf=deaf,
    )
    link = Link(wire, central, socket)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wire.start()), group.create_task(wire.answer_calls())]
        yield link
        for task in tasks:
            task.cancel()


# ---------------------------------------------------------------------------- what it says

TRANSACTION = Transaction(
    2, "TAG", NOON_S, 100, transaction_id=7, stopped_at=NOON_S + 60, meter_stop_wh=900
)
READING = Reading(energy_wh=500, power_w=50_000.0, offered_w=60_000.0)


@pytest.mark.parametrize(
    ("message", "action", "payload"),
    [
        (
            BootDue(),
            "BootNotification",
            {
                "chargePointModel": "Charge point",
                "chargePointVendor": "Simulated",
                "chargePointSerialNumber": "CP001",
                "firmwareVersion": "1.0",
            },
        ),
        (HeartbeatDue(), "Heartbeat", {}),
        (TokenPresented(1, "TAG"), "Authorize", {"idTag": "TAG"}),
        (
            StatusChanged(2, Status.SUSPENDED_EVSE, NOON_S),
            "StatusNotification",
            {
                "connectorId": 2,
                "errorCode": "NoError",
                "status": "SuspendedEVSE",
                "timestamp": NOON,
            },
        ),
        (
            TransactionBegun(TRANSACTION),
            "StartTransaction",
            {"connectorId": 2, "idTag": "TAG", "meterStart": 100, "timestamp": NOON},
        ),
        (
            TransactionOver(TRANSACTION),
            "StopTransaction",
            {
                "meterStop": 900,
                "timestamp": "2025-01-01T12:01:00Z",
                "transactionId": 7,
                "reason": "Local",
            },
        ),
        (
            MeterSampled(2, TRANSACTION, READING, NOON_S),
            "MeterValues",
            {
                "connectorId": 2,
                "transactionId": 7,
                "meterValue": [
                    {
                        "timestamp": NOON,
                        "sampledValue": [
                            {
                                "value": "50000.0",
                                "measurand": "Power.Active.Import",
                                "unit": "W",
                                "context": "Sample.Periodic",
                            }
                        ],
                    }
                ],
            },
        ),
    ],
)
async def test_each_message_on_the_wire(
    message: Message, action: str, payload: dict[str, Any]
) -> None:
    async with linked() as link:
        await link.wire.ask(request(message, HARDWARE, ["Power.Active.Import"]))
        assert link.central.heard["CP001"] == [(action, payload)]


async def test_a_sample_outside_a_transaction_names_none() -> None:
    async with linked() as link:
        sample = MeterSampled(1, None, READING, NOON_S, "Trigger")
        await link.wire.ask(request(sample, HARDWARE, []))
        ((_, payload),) = link.central.heard["CP001"]
        assert "transactionId" not in payload


async def test_a_transaction_csms_never_numbered_ends_as_minus_one() -> None:
    async with linked() as link:
        over = TransactionOver(Transaction(1, "TAG", NOON_S, 0, meter_stop_wh=5))
        await link.wire.ask(request(over, HARDWARE, []))
        ((_, payload),) = link.central.heard["CP001"]
        assert payload["transactionId"] == -1
        assert payload["timestamp"] == NOON


# ---------------------------------------------------------------------------- what it hears


async def test_an_answer_is_given_back() -> None:
    async with linked() as link:
        answer = await link.wire.ask(request(BootDue(), HARDWARE, []))
        assert (answer.status, answer.interval) == ("Accepted", 300)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "InternalError"},
        {"error": "AnErrorNobodyKnows"},
        {"status": "Perhaps", "currentTime": NOON, "interval": 1},
        {"status": "Accepted", "currentTime": NOON, "interval": 1, "surprise": 1},
        {},
    ],
)
async def test_an_error_or_an_unusable_answer_is_a_failed_call(answer: dict[str, Any]) -> None:
    async with linked() as link:
        link.central.answers["BootNotification"] = lambda _, __: answer
        with pytest.raises(CallFailedError, match="BootNotification"):
            await link.wire.ask(request(BootDue(), HARDWARE, []))


async def test_silence_is_a_failed_call_and_a_late_answer_harms_no_later_one() -> None:
    async with linked(timeout_s=0.01) as link:
        link.central.answers["Heartbeat"] = lambda _, __: None
        with pytest.raises(CallFailedError, match="Heartbeat"):
            await link.wire.ask(request(HeartbeatDue(), HARDWARE, []))
        link.socket.deliver(json.dumps([3, "late", {"currentTime": NOON}]))
        answer = await link.wire.ask(request(BootDue(), HARDWARE, []))
        assert answer.status == "Accepted"


async def ask_and_lose_the_link() -> None:
    async with linked() as link:
        link.central.answers["Heartbeat"] = lambda _, __: link.socket.break_off()
        await link.wire.ask(request(HeartbeatDue(), HARDWARE, []))


async def test_a_closed_socket_ends_the_wire_and_the_pending_call() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await ask_and_lose_the_link()
    assert caught.group_contains(ConnectionClosed)


ANSWERS: list[Callable[[str], Any]] = [
    lambda message_id: CallResult(message_id, {"currentTime": NOON}),
    lambda message_id: CallResult(message_id, {"currentTime": 7}),
    lambda message_id: CallError(message_id, "InternalError", "", {}),
]


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_call_that_is_cancelled_as_its_answer_comes_is_cancelled(
    answer: Callable[[str], Any],
) -> None:
    async with linked() as link, asyncio.TaskGroup() as group:
        asking = group.create_task(link.wire.ask(request(HeartbeatDue(), HARDWARE, [])))
        link.central.answers["Heartbeat"] = lambda _, __: None
        await until(lambda: link.central.actions("CP001"))
        link.wire._response_queue.put_nowait(  # noqa: SLF001 - at once, without a read loop's turn
            answer(json.loads(link.socket.sent[-1])[1])
        )
        await asyncio.sleep(0)
        asking.cancel()
    assert asking.cancelled()


@pytest.mark.parametrize("frame", ["", "{", "[]", "{}", "7", "[7]", '[3,"x"]', "[" * 100_000])
async def test_a_frame_that_makes_no_sense_is_passed_over(frame: str) -> None:
    async with linked() as link:
        link.socket.deliver(frame)
        answer = await link.wire.ask(request(BootDue(), HARDWARE, []))
        assert answer.status == "Accepted"


# ---------------------------------------------------------------------------- what it answers


async def test_remote_start_and_stop_are_answered() -> None:
    async with linked() as link:
        start = {"idTag": "TAG", "connectorId": 1}
        assert await link.call("RemoteStartTransaction", start) == {"status": "Accepted"}
        assert await link.call("RemoteStartTransaction", start) == {"status": "Rejected"}
        stop = {"transactionId": 5}
        assert await link.call("RemoteStopTransaction", stop) == {"status": "Rejected"}


async def test_profiles_are_taken_compounded_and_cleared() -> None:
    async with linked() as link:
        default = profile(4_140.5, purpose="TxDefaultProfile")
        request_ = {"connectorId": 0, "csChargingProfiles": default}
        assert await link.call("SetChargingProfile", request_) == {"status": "Accepted"}
        composite = await link.call("GetCompositeSchedule", {"connectorId": 1, "duration": 60})
        assert composite == {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": NOON,
            "chargingSchedule": {
                "duration": 60,
                "startSchedule": NOON,
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4140.5}],
            },
        }
        nowhere = {"connectorId": 3, "duration": 60}
        assert await link.call("GetCompositeSchedule", nowhere) == {"status": "Rejected"}
        assert await link.call("ClearChargingProfile", {"id": 9}) == {"status": "Unknown"}
        assert await link.call("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}


async def test_configuration_is_told_and_changed() -> None:
    async with linked() as link:
        change = {"key": "MeterValueSampleInterval", "value": "30"}
        assert await link.call("ChangeConfiguration", change) == {"status": "Accepted"}
        told = await link.call("GetConfiguration", {"key": ["MeterValueSampleInterval", "X"]})
        assert told == {
            "configurationKey": [
                {"key": "MeterValueSampleInterval", "readonly": False, "value": "30"}
            ],
            "unknownKey": ["X"],
        }
        everything = await link.call("GetConfiguration", {})
        assert len(everything["configurationKey"]) == 28


async def test_a_local_list_is_taken_and_its_version_told() -> None:
    async with linked() as link:
        assert await link.call("GetLocalListVersion", {}) == {"listVersion": 0}
        entry = {"idTag": "TAG", "idTagInfo": {"status": "Accepted", "parentIdTag": "P"}}
        update = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [entry]}
        assert await link.call("SendLocalList", update) == {"status": "Accepted"}
        again = {"listVersion": 3, "updateType": "Differential"}
        assert await link.call("SendLocalList", again) == {"status": "VersionMismatch"}
        assert await link.call("GetLocalListVersion", {}) == {"listVersion": 3}


async def test_a_connector_is_reserved_and_given_back() -> None:
    async with linked() as link:
        asked = {
            "connectorId": 1,
            "expiryDate": "2099-01-01T00:00:00Z",
            "idTag": "TAG",
            "reservationId": 7,
            "parentIdTag": "P",
        }
        assert await link.call("ReserveNow", asked) == {"status": "Accepted"}
        another = {**asked, "reservationId": 8}
        assert await link.call("ReserveNow", another) == {"status": "Occupied"}
        assert await link.call("CancelReservation", {"reservationId": 7}) == {"status": "Accepted"}
        assert await link.call("CancelReservation", {"reservationId": 7}) == {"status": "Rejected"}


async def test_the_rest_is_answered() -> None:
    async with linked() as link:
        trigger = {"requestedMessage": "Heartbeat"}
        assert await link.call("TriggerMessage", trigger) == {"status": "Accepted"}
        assert await link.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
        out = {"connectorId": 1, "type": "Inoperative"}
        assert await link.call("ChangeAvailability", out) == {"status": "Accepted"}
        transfer = {"vendorId": "Anybody", "messageId": "1", "data": "x"}
        assert await link.call("DataTransfer", transfer) == {"status": "UnknownVendorId"}


async def test_a_deaf_charger_answers_nothing_and_still_speaks() -> None:
    async with linked(deaf=True) as link:
        unanswered = link.central.ask("CP001", "Reset", {"type": "Soft"})
        answer = await link.wire.ask(request(BootDue(), HARDWARE, []))
        assert answer.status == "Accepted"
        assert not unanswered.done()


async def test_a_profile_that_is_refused_with_an_error() -> None:
    quirks = Quirks(only_amperes=True, refuses_with_error=True)
    async with linked(quirks=quirks) as link:
        limit = {"connectorId": 1, "csChargingProfiles": profile(1, purpose="TxDefaultProfile")}
        assert await link.call("SetChargingProfile", limit) == "PropertyConstraintViolation"


async def test_a_slow_answer_does_not_hold_up_its_own_calls() -> None:
    async with linked(slow_answer_s=3600.0) as link:
        unanswered = link.central.ask("CP001", "Reset", {"type": "Soft"})
        answer = await link.wire.ask(request(BootDue(), HARDWARE, []))
        assert answer.status == "Accepted"
        assert not unanswered.done()


async def test_a_call_is_served_after_the_answer_that_came_before_it() -> None:
    async with linked() as link:
        taken: list[str] = []

        def answer_then_call(_: str, __: dict[str, Any]) -> None:
            message_id = json.loads(link.socket.sent[-1])[1]
            link.socket.deliver(json.dumps([3, message_id, {"currentTime": NOON}]))
            link.socket.deliver(json.dumps([2, "1", "Reset", {"type": "Soft"}]))

        link.resets = lambda: taken.append("call")
        link.central.answers["Heartbeat"] = answer_then_call
        await link.wire.ask(request(HeartbeatDue(), HARDWARE, []))
        taken.append("answer")
        await until(lambda: len(taken) == 2)
        assert taken == ["answer", "call"]


async def test_a_stray_answer_holds_up_no_call() -> None:
    async with linked() as link:
        link.socket.deliver(json.dumps([3, "stray", {}]))
        assert await link.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}
