from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ports import BootReport, StartReport, StopReport
from csms.protocol.ocpp16 import core, routes
from csms.station.facts import ConnectorStatusReported, MeterSample
from csms.station.model import ConnectorKey
from csms.station.state import ConnectorStatus
from tests.unit.csms.protocol.ocpp16.fake_recorder import NOON, FakeRecorder
from tests.unit.csms.protocol.ocpp16.reply_schemas import faults

CORE = [
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "Heartbeat",
    "MeterValues",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
]

ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["GOOD", "CHILD", "OLD", "2026-03-01T10:00:00Z", "Charging", "-1", "1e400"])
    | st.lists(st.none() | st.dictionaries(st.text(max_size=3), st.integers()), max_size=2)
)
FIELDS = [
    "chargePointModel",
    "chargePointSerialNumber",
    "connectorId",
    "data",
    "errorCode",
    "idTag",
    "meterStart",
    "meterStop",
    "meterValue",
    "reason",
    "status",
    "timestamp",
    "transactionData",
    "transactionId",
    "vendorId",
]


@given(st.sampled_from(CORE), st.dictionaries(st.sampled_from(FIELDS), ODD))
async def test_any_payload_gets_an_answer_the_standard_allows(
    action: str, payload: dict[str, Any]
) -> None:
    reply = await routes.serve(FakeRecorder(), "CP1", action, payload)
    assert faults(action, reply) == []


# ---------------------------------------------------------------------- Authorize


@pytest.mark.parametrize(
    ("id_tag", "info"),
    [
        ("GOOD", {"status": "Accepted"}),
        (
            "CHILD",
            {
                "status": "Accepted",
                "expiryDate": "2026-03-01T13:00:00Z",
                "parentIdTag": "FAMILY",
            },
        ),
        ("OLD", {"status": "Expired"}),
        ("LOST", {"status": "Blocked"}),
        ("STRANGER", {"status": "Invalid"}),
    ],
)
async def test_authorize(id_tag: str, info: dict[str, str]) -> None:
    reply = await core.authorize(FakeRecorder(), "CP1", {"idTag": id_tag})
    assert reply == {"idTagInfo": info}
    assert faults("Authorize", reply) == []


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ("ABCDEFGHIJKLMNOPQRSTUV", "ABCDEFGHIJKLMNOPQRST"),
        (" GOOD\x10\x0e", "GOOD"),
        (4711, "4711"),
        (None, ""),
    ],
)
async def test_authorize_asks_for_the_tag_as_the_standard_has_it(sent: Any, asked: str) -> None:
    recorder = FakeRecorder()
    await core.authorize(recorder, "CP1", {"idTag": sent})
    assert recorder.asked == [("CP1", asked)]


# ---------------------------------------------------------------------- BootNotification


async def test_boot() -> None:
    recorder = FakeRecorder()
    payload = {
        "chargePointVendor": "Alfen BV",
        "chargePointModel": "NG910",
        "chargePointSerialNumber": "ACE0123456",
        "chargeBoxSerialNumber": "BOX",
        "firmwareVersion": "5.8.1",
        "iccid": "",
    }
    reply = await core.boot_notification(recorder, "CP1", payload)
    assert reply == {"status": "Accepted", "currentTime": "2026-03-01T12:00:00Z", "interval": 300}
    assert recorder.told == [BootReport("CP1", "Alfen BV", "NG910", "ACE0123456", "5.8.1")]
    assert faults("BootNotification", reply) == []


async def test_a_charger_that_must_wait_is_pending() -> None:
    recorder = FakeRecorder(accepts=False)
    recorder.pending = True
    reply = await core.boot_notification(recorder, "CP1", {})
    assert (reply["status"], reply["interval"]) == ("Pending", 60)


async def test_boot_of_a_charger_that_is_not_accepted() -> None:
    reply = await core.boot_notification(FakeRecorder(accepts=False), "CP1", {})
    assert reply == {"status": "Rejected", "currentTime": "2026-03-01T12:00:00Z", "interval": 60}
    assert faults("BootNotification", reply) == []


@pytest.mark.parametrize(
    ("payload", "report"),
    [
        ({}, BootReport("CP1")),
        ({"chargePointVendor": "", "chargePointModel": None}, BootReport("CP1")),
        ({"chargePointModel": 7}, BootReport("CP1", model="7")),
        (
            {"chargePointSerialNumber": "3N174280530001A01700350023"},
            BootReport("CP1", serial="3N174280530001A01700350023"),
        ),
        (
            {"chargePointSerialNumber": " ", "chargeBoxSerialNumber": "B1"},
            BootReport("CP1", serial="B1"),
        ),
    ],
)
async def test_no_field_of_a_boot_is_needed(payload: dict[str, Any], report: BootReport) -> None:
    recorder = FakeRecorder()
    reply = await core.boot_notification(recorder, "CP1", payload)
    assert reply["status"] == "Accepted"
    assert recorder.told == [report]


# ---------------------------------------------------------------------- DataTransfer


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("free text", "free text"),
        ({"soc": 5}, '{"soc": 5}'),
        (["a", 1], '["a", 1]'),
        (None, ""),
        (12, "12"),
        ("x" * 5000, "x" * 1000),
    ],
)
async def test_data_transfer_is_kept_and_not_served(data: Any, kept: str) -> None:
    recorder = FakeRecorder()
    payload = {"vendorId": "com.evbox", "messageId": "evbStatus", "data": data}
    reply = await core.data_transfer(recorder, "CP1", payload)
    assert reply == {"status": "UnknownVendorId"}
    assert faults("DataTransfer", reply) == []
    detail = {"vendorId": "com.evbox", "messageId": "evbStatus", "data": kept}
    assert recorder.notes == [("CP1", "DataTransfer", detail)]


async def test_data_nested_without_end_is_dropped() -> None:
    data: list[Any] = []
    for _ in range(100_000):
        data = [data]
    recorder = FakeRecorder()
    reply = await core.data_transfer(recorder, "CP1", {"data": data})
    assert reply == {"status": "UnknownVendorId"}
    assert recorder.notes[0][2]["data"] == ""


# ---------------------------------------------------------------------- Heartbeat, MeterValues


async def test_heartbeat_tells_the_time() -> None:
    reply = await core.heartbeat(FakeRecorder(now=NOON + 0.9), "CP1", {})
    assert reply == {"currentTime": "2026-03-01T12:00:00Z"}
    assert faults("Heartbeat", reply) == []


async def test_meter_values_become_samples() -> None:
    recorder = FakeRecorder()
    payload = {
        "connectorId": 1,
        "transactionId": 3,
        "meterValue": [
            {"timestamp": "2026-03-01T11:59:50Z", "sampledValue": [{"value": "1500"}]},
            {"sampledValue": []},
            {"sampledValue": [{"value": "7", "unit": "kW"}]},
        ],
    }
    assert await core.meter_values(recorder, "CP1", payload) == {}
    key = ConnectorKey("CP1", 1)
    assert recorder.told == [
        MeterSample(key, NOON, measured_at=NOON - 10, energy_wh=1500, transaction_id=3),
        MeterSample(key, NOON, power_w=7000, transaction_id=3),
    ]


# ---------------------------------------------------------------------- StartTransaction

START = {
    "connectorId": 1,
    "idTag": "GOOD",
    "meterStart": 1200,
    "timestamp": "2026-03-01T11:59:58.120Z",
}


async def test_start() -> None:
    recorder = FakeRecorder()
    reply = await core.start_transaction(recorder, "CP1", START)
    assert reply == {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}
    assert faults("StartTransaction", reply) == []
    assert recorder.told == [
        StartReport(ConnectorKey("CP1", 1), "GOOD", 1200, "2026-03-01T11:59:58.120Z", NOON - 1.88)
    ]
    assert recorder.notes == []


async def test_a_refused_token_still_gets_a_transaction_id() -> None:
    reply = await core.start_transaction(FakeRecorder(), "CP1", {**START, "idTag": "LOST"})
    assert reply == {"transactionId": 1, "idTagInfo": {"status": "Blocked"}}


async def test_a_repeated_start_gets_the_same_transaction_id() -> None:
    recorder = FakeRecorder()
    first = await core.start_transaction(recorder, "CP1", START)
    recorder.at += 60
    again = await core.start_transaction(recorder, "CP1", dict(START))
    other = await core.start_transaction(recorder, "CP1", {**START, "meterStart": 1201})
    assert [r["transactionId"] for r in (first, again, other)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(None, None), (0, None), (7, 7), ("7", 7), ("none", None)],
)
async def test_the_reservation_of_a_start(sent: Any, kept: int | None) -> None:
    recorder = FakeRecorder()
    await core.start_transaction(recorder, "CP1", {**START, "reservationId": sent})
    (report,) = recorder.told
    assert isinstance(report, StartReport)
    assert report.reservation_id == kept


async def test_a_start_with_nothing_in_it() -> None:
    recorder = FakeRecorder()
    reply = await core.start_transaction(recorder, "CP1", {})
    assert reply == {"transactionId": 1, "idTagInfo": {"status": "Invalid"}}
    key = ConnectorKey("CP1", 0)
    assert recorder.told == [StartReport(key, "", None, "2026-03-01T12:00:00Z", NOON, timed=False)]
    detail = {"unreadable": True, "timestamp": "", "meterStart": ""}
    assert recorder.notes == [("CP1", "StartTransaction", detail)]


@pytest.mark.parametrize(
    ("sent", "kept"), [("12.6", 13), (12.5, 13), (0, 0), (-5, None), ("many", None), (None, None)]
)
async def test_the_register_of_a_start(sent: Any, kept: int | None) -> None:
    recorder = FakeRecorder()
    await core.start_transaction(recorder, "CP1", {**START, "meterStart": sent})
    (report,) = recorder.told
    assert isinstance(report, StartReport)
    assert report.meter_start_wh == kept


async def test_two_starts_without_a_time_are_two_sessions() -> None:
    recorder = FakeRecorder()
    payload = {**START, "timestamp": None}
    first = await core.start_transaction(recorder, "CP1", payload)
    recorder.at += 3600
    second = await core.start_transaction(recorder, "CP1", payload)
    assert (first["transactionId"], second["transactionId"]) == (1, 2)


async def test_a_start_by_a_clock_that_was_never_set() -> None:
    recorder = FakeRecorder()
    await core.start_transaction(recorder, "CP1", {**START, "timestamp": "1970-01-01T00:03:11Z"})
    (report,) = recorder.told
    assert isinstance(report, StartReport)
    assert (report.timestamp, report.started_at) == ("1970-01-01T00:03:11Z", NOON)
    assert not report.timed


# ---------------------------------------------------------------------- StatusNotification


@pytest.mark.parametrize(
    ("payload", "connector_id", "status", "error_code"),
    [
        (
            {"connectorId": 1, "status": "Charging", "errorCode": "NoError"},
            1,
            ConnectorStatus.CHARGING,
            "NoError",
        ),
        (
            {"connectorId": 0, "status": "Available", "errorCode": "NoError"},
            0,
            ConnectorStatus.AVAILABLE,
            "NoError",
        ),
        (
            {"connectorId": 1, "status": "suspendedEVSE", "errorCode": "groundfailure"},
            1,
            ConnectorStatus.SUSPENDED_EVSE,
            "GroundFailure",
        ),
        (
            {"connectorId": 1, "status": "Faulted", "errorCode": "Error"},
            1,
            ConnectorStatus.FAULTED,
            "Error",
        ),
        (
            {"connectorId": "2", "status": "Finishing", "errorCode": None, "timestamp": "1970"},
            2,
            ConnectorStatus.FINISHING,
            "NoError",
        ),
        (
            {"connectorId": 99, "status": "Preparing"},
            99,
            ConnectorStatus.PREPARING,
            "NoError",
        ),
        ({"status": "Reserved"}, 0, ConnectorStatus.RESERVED, "NoError"),
    ],
)
async def test_status(
    payload: dict[str, Any], connector_id: int, status: ConnectorStatus, error_code: str
) -> None:
    recorder = FakeRecorder()
    assert await core.status_notification(recorder, "CP1", payload) == {}
    key = ConnectorKey("CP1", connector_id)
    assert recorder.told == [ConnectorStatusReported(key, NOON, status, error_code)]
    assert recorder.notes == []


async def test_an_unknown_status_is_kept_as_unknown_with_what_was_sent() -> None:
    recorder = FakeRecorder()
    await core.status_notification(recorder, "CP1", {"connectorId": 1, "status": "Occupied"})
    key = ConnectorKey("CP1", 1)
    assert recorder.told == [ConnectorStatusReported(key, NOON, ConnectorStatus.UNKNOWN)]
    detail = {"connectorId": 1, "status": "Occupied", "errorCode": "NoError"}
    assert recorder.notes == [("CP1", "StatusNotification", detail)]


async def test_what_a_vendor_says_of_a_fault_is_kept() -> None:
    recorder = FakeRecorder()
    payload = {
        "connectorId": 1,
        "status": "Faulted",
        "errorCode": "OtherError",
        "info": "RCD",
        "vendorErrorCode": "0x42",
        "vendorId": "",
    }
    await core.status_notification(recorder, "CP1", payload)
    assert recorder.notes == [
        (
            "CP1",
            "StatusNotification",
            {
                "connectorId": 1,
                "status": "Faulted",
                "errorCode": "OtherError",
                "info": "RCD",
                "vendorErrorCode": "0x42",
            },
        )
    ]


# ---------------------------------------------------------------------- StopTransaction

STOPPED_AT = "2026-03-01T11:59:00Z"
STOP = {
    "transactionId": 1,
    "meterStop": 5200,
    "timestamp": "2026-03-01T11:59:00Z",
    "reason": "EVDisconnected",
}


async def test_stop_without_a_token() -> None:
    recorder = FakeRecorder()
    assert await core.stop_transaction(recorder, "CP1", STOP) == {}
    assert recorder.told == [
        StopReport("CP1", 1, 5200, NOON - 60, "EVDisconnected", None, STOPPED_AT)
    ]


async def test_stop_with_a_token() -> None:
    recorder = FakeRecorder()
    reply = await core.stop_transaction(recorder, "CP1", {**STOP, "idTag": "GOOD"})
    assert reply == {"idTagInfo": {"status": "Accepted"}}
    assert faults("StopTransaction", reply) == []
    report = StopReport("CP1", 1, 5200, NOON - 60, "EVDisconnected", "GOOD", STOPPED_AT)
    assert recorder.told == [report]
    assert report.payload == {}
    assert [r.payload for r in recorder.told if isinstance(r, StopReport)] == [
        {**STOP, "idTag": "GOOD"}
    ]


async def test_stop_with_a_token_nobody_knows() -> None:
    reply = await core.stop_transaction(FakeRecorder(), "CP1", {**STOP, "idTag": "STRANGER"})
    assert reply == {"idTagInfo": {"status": "Invalid"}}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(0, 0), (-1, -1), (None, None), ("", None), ("12", 12), (2**63 - 1, None)],
)
async def test_the_transaction_id_of_a_stop_is_passed_on(sent: Any, kept: int | None) -> None:
    recorder = FakeRecorder()
    reply = await core.stop_transaction(recorder, "CP1", {**STOP, "transactionId": sent})
    assert reply == {}
    (report,) = recorder.told
    assert isinstance(report, StopReport)
    assert report.transaction_id == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("5200", 5200), (5199.6, 5200), (0, 0), (-1, None), ("x", None), (None, None)],
)
async def test_the_register_of_a_stop(sent: Any, kept: int | None) -> None:
    recorder = FakeRecorder()
    await core.stop_transaction(recorder, "CP1", {**STOP, "meterStop": sent})
    (report,) = recorder.told
    assert isinstance(report, StopReport)
    assert report.meter_stop_wh == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(None, "Local"), ("", "Local"), ("remote", "Remote"), ("SuspendedEV", "SuspendedEV")],
)
async def test_the_reason_of_a_stop(sent: Any, kept: str) -> None:
    recorder = FakeRecorder()
    await core.stop_transaction(recorder, "CP1", {**STOP, "reason": sent})
    (report,) = recorder.told
    assert isinstance(report, StopReport)
    assert report.reason == kept


async def test_a_stop_with_nothing_in_it_is_answered() -> None:
    recorder = FakeRecorder()
    assert await core.stop_transaction(recorder, "CP1", {}) == {}
    assert recorder.told == [StopReport("CP1", None, None, NOON)]


async def test_the_data_of_a_transaction_comes_before_its_end() -> None:
    recorder = FakeRecorder()
    data = [
        {
            "timestamp": "2026-03-01T11:00:00Z",
            "sampledValue": [{"value": "1200", "context": "Transaction.Begin"}],
        },
        {
            "timestamp": "2026-03-01T11:59:00Z",
            "sampledValue": [{"value": "5200", "context": "Transaction.End"}],
        },
    ]
    await core.stop_transaction(recorder, "CP1", {**STOP, "transactionData": data})
    key = ConnectorKey("CP1", 0)
    assert recorder.told == [
        MeterSample(
            key,
            NOON,
            measured_at=NOON - 3600,
            energy_wh=1200,
            transaction_id=1,
            context="Transaction.Begin",
        ),
        MeterSample(
            key,
            NOON,
            measured_at=NOON - 60,
            energy_wh=5200,
            transaction_id=1,
            context="Transaction.End",
        ),
        StopReport("CP1", 1, 5200, NOON - 60, "EVDisconnected", None, STOPPED_AT),
    ]
