from __future__ import annotations

from typing import Any

import pytest

from csms.ports import Answer, Outcome
from csms.protocol.ocpp16 import answers


@pytest.mark.parametrize(
    ("action", "status", "outcome"),
    [
        ("SetChargingProfile", "Accepted", Outcome.ACCEPTED),
        ("SetChargingProfile", "accepted ", Outcome.ACCEPTED),
        ("SetChargingProfile", "Rejected", Outcome.REJECTED),
        ("SetChargingProfile", "NotSupported", Outcome.UNSUPPORTED),
        ("SetChargingProfile", "Not Supported", Outcome.UNSUPPORTED),
        ("SetChargingProfile", "Unknown", Outcome.REJECTED),
        ("SetChargingProfile", "Maybe", Outcome.REJECTED),
        ("ClearChargingProfile", "Unknown", Outcome.ACCEPTED),
        ("ClearChargingProfile", "Accepted", Outcome.ACCEPTED),
        ("ChangeConfiguration", "RebootRequired", Outcome.ACCEPTED),
        ("ChangeConfiguration", "NotSupported", Outcome.UNSUPPORTED),
        ("ChangeAvailability", "Accepted", Outcome.ACCEPTED),
        ("ChangeAvailability", "Scheduled", Outcome.ACCEPTED),
        ("SetChargingProfile", "Scheduled", Outcome.REJECTED),
        ("UnlockConnector", "Unlocked", Outcome.ACCEPTED),
        ("UnlockConnector", "UnlockFailed", Outcome.REJECTED),
        ("UnlockConnector", "NotSupported", Outcome.UNSUPPORTED),
        ("SetChargingProfile", "Unlocked", Outcome.REJECTED),
        ("GetLog", "AcceptedCanceled", Outcome.ACCEPTED),
        ("SignedUpdateFirmware", "AcceptedCanceled", Outcome.ACCEPTED),
        ("SignedUpdateFirmware", "InvalidCertificate", Outcome.REJECTED),
        ("TriggerMessage", "NotImplemented", Outcome.UNSUPPORTED),
        ("GetCompositeSchedule", "Rejected", Outcome.REJECTED),
        ("RemoteStartTransaction", "Rejected", Outcome.REJECTED),
    ],
)
def test_the_status_decides(action: str, status: str, outcome: Outcome) -> None:
    payload = {"status": status, "extra": [None]}
    assert answers.result(action, payload) == Answer(outcome, status.strip(), payload)


def test_the_rest_of_an_answer_may_be_wrong() -> None:
    payload = {"status": "Accepted", "connectorId": "one", "chargingSchedule": {"x": 6.25}}
    assert answers.result("GetCompositeSchedule", payload).accepted


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (None, {}),
        ({"chargingRateUnit": "W"}, {}),
        ({"chargingRateUnit": "V", "chargingSchedulePeriod": [{"limit": 1}]}, {}),
        ({"chargingRateUnit": "W", "chargingSchedulePeriod": ["x", {"startPeriod": 0}]}, {}),
        (
            {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"limit": 5}, {"limit": "7.5"}]},
            {"unit": "W", "limit": 7.5},
        ),
        (
            {"chargingRateUnit": "a", "chargingSchedulePeriod": [{"limit": 6, "numberPhases": 1}]},
            {"unit": "A", "limit": 6.0, "phases": 1},
        ),
    ],
)
def test_a_composite_schedule_is_its_highest_limit(schedule: Any, told: dict[str, Any]) -> None:
    payload = {"status": "Accepted", "chargingSchedule": schedule}
    answer = answers.result("GetCompositeSchedule", payload)
    assert answer == Answer(Outcome.ACCEPTED, "Accepted", told)


@pytest.mark.parametrize("payload", [{}, None, [], {"status": None}, {"status": ["Accepted"]}])
def test_an_answer_without_a_status_proves_nothing(payload: Any) -> None:
    answer = answers.result("SetChargingProfile", payload)
    assert answer.outcome is Outcome.INVALID
    assert answer.detail == "an answer without a status"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("NotSupported", Outcome.UNSUPPORTED),
        ("NotImplemented", Outcome.UNSUPPORTED),
        ("notimplemented", Outcome.UNSUPPORTED),
        ("FormationViolation", Outcome.INVALID),
        ("FormatViolation", Outcome.INVALID),
        ("PropertyConstraintViolation", Outcome.INVALID),
        ("OccurenceConstraintViolation", Outcome.INVALID),
        ("OccurrenceConstraintViolation", Outcome.INVALID),
        ("TypeConstraintViolation", Outcome.INVALID),
        ("ProtocolError", Outcome.INVALID),
        ("InternalError", Outcome.REJECTED),
        ("GenericError", Outcome.REJECTED),
        ("SecurityError", Outcome.REJECTED),
        ("VendorSpecial", Outcome.REJECTED),
        ("", Outcome.REJECTED),
    ],
)
def test_error_codes(code: str, outcome: Outcome) -> None:
    assert answers.error(code) == Answer(outcome, code)


def test_an_error_keeps_its_words() -> None:
    assert answers.error("InternalError", "out of memory").detail == "InternalError: out of memory"
    assert answers.error("InternalError", None).detail == "InternalError"


def test_configuration_values_are_text_by_key() -> None:
    payload = {
        "configurationKey": [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "NumberOfConnectors", "readonly": 1, "value": 2},
            {"key": "LocalAuthorizeOffline", "value": True},
            {"key": "CpoName", "readonly": True, "value": None},
            {"key": "VendorKey", "readonly": False},
        ],
        "unknownKey": [],
    }
    assert answers.result("GetConfiguration", payload) == Answer(
        Outcome.ACCEPTED,
        "",
        {
            "HeartbeatInterval": "300",
            "NumberOfConnectors": "2",
            "LocalAuthorizeOffline": "true",
            "CpoName": "",
            "VendorKey": "",
        },
    )


def test_configuration_keys_are_spelt_as_asked_else_as_in_the_standard() -> None:
    payload = {
        "configurationKey": [
            {"key": "METERVALUESAMPLEINTERVAL", "value": "60"},
            {"key": "vendor.special", "value": "x"},
        ],
        "unknownKey": ["supportedfeatureprofiles", "other"],
    }
    answer = answers.result("GetConfiguration", payload, ["Vendor.Special"])
    assert answer.payload == {
        "MeterValueSampleInterval": "60",
        "Vendor.Special": "x",
        "unknownKey": ["SupportedFeatureProfiles", "other"],
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, {}),
        (None, {}),
        ({"configurationKey": []}, {}),
        ({"configurationKey": None, "unknownKey": None}, {}),
        ({"configurationKey": [None, 5, {"value": "x"}, {"key": ""}]}, {}),
        ({"configurationKey": {"key": "A", "value": "1"}}, {"A": "1"}),
        ({"unknownKey": "A"}, {"unknownKey": ["A"]}),
        ({"unknownKey": ["A", None, ""]}, {"unknownKey": ["A"]}),
        ({"configurationKey": [{"key": "A", "value": "1"}], "status": "Accepted"}, {"A": "1"}),
    ],
)
def test_configuration_of_any_shape(payload: Any, expected: dict[str, Any]) -> None:
    answer = answers.result("GetConfiguration", payload)
    assert answer.accepted
    assert answer.payload == expected


def test_a_configuration_that_is_only_a_status() -> None:
    answer = answers.result("GetConfiguration", {"status": "NotSupported"})
    assert answer.outcome is Outcome.UNSUPPORTED


def test_configuration_is_bounded() -> None:
    entries = [{"key": f"K{i}", "value": "x" * 5000} for i in range(900)]
    unknown = [f"U{i}" for i in range(900)]
    payload = {"configurationKey": entries, "unknownKey": unknown}
    regular = answers.result("GetConfiguration", payload).payload
    assert len(regular) == 501
    assert len(regular["K0"]) == 2000
    assert len(regular["unknownKey"]) == 500


@pytest.mark.parametrize(
    ("payload", "outcome", "told"),
    [
        ({"listVersion": 0}, Outcome.ACCEPTED, {"version": 0}),
        ({"listVersion": "12"}, Outcome.ACCEPTED, {"version": 12}),
        ({"listVersion": -1}, Outcome.UNSUPPORTED, {"listVersion": -1}),
        ({}, Outcome.INVALID, {}),
        (None, Outcome.INVALID, {}),
    ],
)
def test_the_version_of_a_local_list(payload: Any, outcome: Outcome, told: dict[str, Any]) -> None:
    answer = answers.result("GetLocalListVersion", payload)
    assert (answer.outcome, answer.payload) == (outcome, told)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("GetDiagnostics", {}),
        ("GetDiagnostics", {"fileName": "x.zip"}),
        ("UpdateFirmware", {}),
    ],
)
def test_answers_that_have_no_status_by_the_standard(action: str, payload: dict[str, Any]) -> None:
    assert answers.result(action, payload) == Answer(Outcome.ACCEPTED, "", payload)
