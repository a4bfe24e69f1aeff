from __future__ import annotations

import copy
from typing import Any

import pytest

from csms.errors import ProtocolError
from csms.protocol.ocpp16 import requests

PROFILE: dict[str, Any] = {
    "connectorId": 1,
    "csChargingProfiles": {
        "chargingProfileId": 4,
        "transactionId": 41,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-03-01T11:59:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}],
        },
    },
}


def profile(path: str, value: Any) -> dict[str, Any]:
    """The valid profile with one field changed, or taken away when `value` is ...."""
    changed = copy.deepcopy(PROFILE)
    *parents, last = path.split(".")
    at: Any = changed
    for step in parents:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return changed


SCHEDULE = "csChargingProfiles.chargingSchedule"
PERIOD = f"{SCHEDULE}.chargingSchedulePeriod.0"


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        (
            "ChangeConfiguration",
            requests.change_configuration("MeterValueSampleInterval", "10"),
            {"key": "MeterValueSampleInterval", "value": "10"},
        ),
        ("ClearChargingProfile", requests.clear_charging_profile(), {}),
        ("ClearChargingProfile", requests.clear_charging_profile(2), {"connectorId": 2}),
        (
            "GetCompositeSchedule",
            requests.get_composite_schedule(1, 300),
            {"connectorId": 1, "duration": 300},
        ),
        ("GetConfiguration", requests.get_configuration(), {}),
        ("GetConfiguration", requests.get_configuration(["A", "B"]), {"key": ["A", "B"]}),
        (
            "RemoteStartTransaction",
            requests.remote_start_transaction(1, "CSMS01"),
            {"connectorId": 1, "idTag": "CSMS01"},
        ),
        ("RemoteStopTransaction", requests.remote_stop_transaction(7), {"transactionId": 7}),
        (
            "ChangeAvailability",
            requests.change_availability(1, operative=True),
            {"connectorId": 1, "type": "Operative"},
        ),
        (
            "ChangeAvailability",
            requests.change_availability(0, operative=False),
            {"connectorId": 0, "type": "Inoperative"},
        ),
        ("Reset", requests.reset(hard=True), {"type": "Hard"}),
        ("Reset", requests.reset(hard=False), {"type": "Soft"}),
        (
            "TriggerMessage",
            requests.trigger_message("MeterValues", 1),
            {"requestedMessage": "MeterValues", "connectorId": 1},
        ),
        (
            "TriggerMessage",
            requests.trigger_message("Heartbeat"),
            {"requestedMessage": "Heartbeat"},
        ),
        ("SetChargingProfile", PROFILE, PROFILE),
    ],
)
def test_payloads_are_as_the_standard_has_them(
    action: str, payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    requests.check(action, payload)
    assert payload == expected


def test_every_action_that_is_sent_has_a_schema() -> None:
    for action in requests.SENT:
        with pytest.raises(ProtocolError, match=f"{action}.payload: Additional properties"):
            requests.check(action, {"nonsense": 1})


@pytest.mark.parametrize("limit", [0, 6, 21.4, 15.9, 0.1, 123456.7])
def test_a_limit_has_one_decimal_at_most(limit: float) -> None:
    requests.check("SetChargingProfile", profile(f"{PERIOD}.limit", limit))


@pytest.mark.parametrize(
    ("path", "value", "code", "named"),
    [
        (f"{PERIOD}.limit", 6.25, "PropertyConstraintViolation", f"{PERIOD}.limit"),
        (f"{PERIOD}.limit", -1, "PropertyConstraintViolation", f"{PERIOD}.limit"),
        (f"{PERIOD}.limit", "16", "TypeConstraintViolation", f"{PERIOD}.limit"),
        (f"{PERIOD}.limit", float("nan"), "FormationViolation", "Out of range"),
        (f"{PERIOD}.limit", ..., "OccurenceConstraintViolation", "'limit' is a required"),
        (f"{PERIOD}.numberPhases", 4, "PropertyConstraintViolation", "numberPhases"),
        (f"{PERIOD}.numberPhases", 0, "PropertyConstraintViolation", "numberPhases"),
        (f"{PERIOD}.numberPhases", None, "TypeConstraintViolation", "numberPhases"),
        (f"{PERIOD}.startPeriod", 60, "PropertyConstraintViolation", "the first period starts"),
        (f"{SCHEDULE}.chargingSchedulePeriod", [], "OccurenceConstraintViolation", "Period"),
        (f"{SCHEDULE}.duration", 0, "PropertyConstraintViolation", "duration"),
        (f"{SCHEDULE}.duration", None, "TypeConstraintViolation", "duration"),
        (f"{SCHEDULE}.chargingRateUnit", "kW", "PropertyConstraintViolation", "RateUnit"),
        (
            f"{SCHEDULE}.startSchedule",
            "2026-03-01T11:59:00.5Z",
            "PropertyConstraintViolation",
            "startSchedule",
        ),
        (
            f"{SCHEDULE}.startSchedule",
            "2026-03-01T11:59:00+00:00",
            "PropertyConstraintViolation",
            "startSchedule",
        ),
        (f"{SCHEDULE}.startSchedule", ..., "PropertyConstraintViolation", "Absolute needs its"),
        (
            "csChargingProfiles.chargingProfileKind",
            "Relative",
            "PropertyConstraintViolation",
            "Relative begins with its transaction",
        ),
        (
            "csChargingProfiles.chargingProfileKind",
            "Recurring",
            "PropertyConstraintViolation",
            "recurrencyKind: for a Recurring",
        ),
        (
            "csChargingProfiles.recurrencyKind",
            "Daily",
            "PropertyConstraintViolation",
            "recurrencyKind: for a Recurring",
        ),
        ("csChargingProfiles.stackLevel", -1, "PropertyConstraintViolation", "stackLevel"),
        ("csChargingProfiles.chargingProfileId", 0, "PropertyConstraintViolation", "ProfileId"),
        ("csChargingProfiles.transactionId", ..., "PropertyConstraintViolation", "needs its"),
        ("csChargingProfiles.transactionId", None, "TypeConstraintViolation", "transactionId"),
        (
            "csChargingProfiles.chargingProfilePurpose",
            "TxDefaultProfile",
            "PropertyConstraintViolation",
            "not in a TxDefaultProfile",
        ),
        ("csChargingProfiles.note", "x", "FormationViolation", "'note' was unexpected"),
        ("connectorId", 0, "PropertyConstraintViolation", "connectorId: a TxProfile"),
        ("connectorId", -1, "PropertyConstraintViolation", "connectorId"),
        ("connectorId", True, "TypeConstraintViolation", "connectorId"),
        ("connectorId", {1}, "FormationViolation", "not JSON serializable"),
    ],
)
def test_a_bad_profile_is_refused_with_its_field(
    path: str, value: Any, code: str, named: str
) -> None:
    with pytest.raises(ProtocolError, match="^" + code) as caught:
        requests.check("SetChargingProfile", profile(path, value))
    assert caught.value.code == code
    assert named in caught.value.description


@pytest.mark.parametrize(
    ("kind", "more", "starts"),
    [("Recurring", {"recurrencyKind": "Daily"}, True), ("Relative", {}, False)],
)
def test_profiles_of_every_kind(kind: str, more: dict[str, Any], starts: bool) -> None:
    made = profile("csChargingProfiles.chargingProfileKind", kind)
    made["csChargingProfiles"] |= more
    if not starts:
        del made["csChargingProfiles"]["chargingSchedule"]["startSchedule"]
    requests.check("SetChargingProfile", made)


def test_a_maximum_belongs_to_the_charger() -> None:
    maximum = profile("csChargingProfiles.chargingProfilePurpose", "ChargePointMaxProfile")
    del maximum["csChargingProfiles"]["transactionId"]
    with pytest.raises(ProtocolError, match="belongs to connector 0"):
        requests.check("SetChargingProfile", maximum)
    requests.check("SetChargingProfile", {**maximum, "connectorId": 0})


@pytest.mark.parametrize(
    ("action", "payload", "named"),
    [
        ("RemoteStartTransaction", {"connectorId": 0, "idTag": "A"}, "counted from 1"),
        ("RemoteStartTransaction", {"connectorId": 1, "idTag": "A" * 21}, "idTag"),
        ("RemoteStartTransaction", {"connectorId": 1, "idTag": ""}, "idTag"),
        ("RemoteStartTransaction", {"connectorId": 1}, "'idTag' is a required property"),
        ("RemoteStopTransaction", {"transactionId": "7"}, "transactionId"),
        ("TriggerMessage", {"requestedMessage": "LogStatusNotification"}, "requestedMessage"),
        ("ChangeConfiguration", {"key": "K", "value": 10}, "value"),
        ("ChangeConfiguration", {"key": "K" * 51, "value": "1"}, "key"),
        ("ChangeConfiguration", {"key": "", "value": "1"}, "key"),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": 0}, "duration"),
        ("GetConfiguration", {"key": "K"}, "key"),
        ("GetConfiguration", {"key": ["K" * 51]}, "key.0"),
    ],
)
def test_a_bad_request_is_refused_with_its_field(
    action: str, payload: dict[str, Any], named: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        requests.check(action, payload)
    assert named in caught.value.description


def test_an_action_that_is_not_sent_is_refused() -> None:
    with pytest.raises(ProtocolError, match="NotSupported: Authorize is not sent"):
        requests.check("Authorize", {"idTag": "TAG"})


def test_a_description_is_bounded() -> None:
    with pytest.raises(ProtocolError) as caught:
        requests.check("ChangeConfiguration", {"key": "K", "value": "x" * 100_000})
    assert len(caught.value.description) == 200


START: dict[str, Any] = {"connectorId": 1, "idTag": "TAG"}
TX_PROFILE = {
    key: value for key, value in PROFILE["csChargingProfiles"].items() if key != "transactionId"
}
LATE = copy.deepcopy(TX_PROFILE)
LATE["chargingSchedule"]["chargingSchedulePeriod"][0]["startPeriod"] = 5


@pytest.mark.parametrize(
    ("action", "payload", "field", "value"),
    [
        ("Reset", {"type": "Warm"}, "type", "Warm"),
        ("Reset", {}, "payload", {}),
        ("UnlockConnector", {"connectorId": 0}, "connectorId", 0),
        ("GetDiagnostics", {"location": "files"}, "location", "files"),
        ("UpdateFirmware", {"location": "f://x", "retrieveDate": "now"}, "retrieveDate", "now"),
        (
            "GetLog",
            {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "x y"}},
            "log.remoteLocation",
            "x y",
        ),
        (
            "SignedUpdateFirmware",
            {
                "requestId": 1,
                "firmware": {
                    "location": "https://x/y",
                    "retrieveDateTime": "2026-01-01T00:00:00+01:00",
                    "signingCertificate": "",
                    "signature": "",
                },
            },
            "firmware.retrieveDateTime",
            "2026-01-01T00:00:00+01:00",
        ),
        (
            "RemoteStartTransaction",
            START | {"chargingProfile": TX_PROFILE | {"transactionId": 4}},
            "chargingProfile.transactionId",
            4,
        ),
        (
            "RemoteStartTransaction",
            START
            | {"chargingProfile": TX_PROFILE | {"chargingProfilePurpose": "TxDefaultProfile"}},
            "chargingProfile.chargingProfilePurpose",
            "TxDefaultProfile",
        ),
        (
            "RemoteStartTransaction",
            START | {"chargingProfile": LATE},
            "chargingProfile.chargingSchedule",
            LATE["chargingSchedule"],
        ),
        ("SetChargingProfile", profile(f"{PERIOD}.limit", 6.25), f"{PERIOD}.limit", 6.25),
    ],
)
def test_a_fault_names_its_field_and_its_value(
    action: str, payload: dict[str, Any], field: str, value: Any
) -> None:
    faults = requests.faults(action, payload)
    assert [(f.field, f.value) for f in faults] == [(field, value)]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("UnlockConnector", {"connectorId": 1}),
        ("RemoteStartTransaction", START),
        ("RemoteStartTransaction", START | {"chargingProfile": TX_PROFILE}),
        ("GetDiagnostics", {"location": "ftp://user@host/folder/", "retries": 0}),
    ],
)
def test_what_is_as_the_standard_has_it(action: str, payload: dict[str, Any]) -> None:
    assert requests.faults(action, payload) == []


NOWHERE = "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("action", "payload", "field"),
    [
        ("GetDiagnostics", {"location": NOWHERE}, "location"),
        (
            "UpdateFirmware",
            {"location": NOWHERE, "retrieveDate": "2026-01-01T00:00:00Z"},
            "location",
        ),
        (
            "GetLog",
            {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": NOWHERE}},
            "log.remoteLocation",
        ),
        (
            "SignedUpdateFirmware",
            {
                "requestId": 1,
                "firmware": {
                    "location": NOWHERE,
                    "retrieveDateTime": "2026-01-01T00:00:00Z",
                    "signingCertificate": "",
                    "signature": "",
                },
            },
            "firmware.location",
        ),
    ],
)
def test_a_charger_is_not_sent_to_itself_for_files(
    action: str, payload: dict[str, Any], field: str
) -> None:
    faults = requests.faults(action, payload)
    assert [(f.field, f.value) for f in faults] == [(field, NOWHERE)]


@pytest.mark.parametrize(
    ("action", "payload", "field", "value"),
    [
        ("GetDiagnostics", {"location": NOWHERE}, "location", NOWHERE),
        ("GetDiagnostics", {"location": "https://other.example"}, "location", None),
        ("GetDiagnostics", {}, "location", None),
        ("UpdateFirmware", {"location": 7}, "location", 7),
        ("GetLog", {"log": "x"}, "log.remoteLocation", None),
        ("SignedUpdateFirmware", {"firmware": {}}, "firmware.location", None),
    ],
)
def test_with_a_list_only_its_hosts_are_named_for_files(
    action: str, payload: dict[str, Any], field: str, value: object
) -> None:
    fault = requests.unlisted_place(action, payload, ["files.example"])
    assert fault is not None
    assert fault.field == field
    assert fault.value == (payload.get("location") if value is None else value)
    assert requests.unlisted_place(action, payload, []) is None


def test_a_listed_host_and_other_actions_pass() -> None:
    hosts = ["files.example"]
    there = {"location": "https://files.example/x"}
    assert requests.unlisted_place("GetDiagnostics", there, hosts) is None
    assert requests.unlisted_place("DataTransfer", {"location": NOWHERE}, hosts) is None
