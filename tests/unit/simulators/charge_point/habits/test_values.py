from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulators.charge_point.habits.speaking import payload, said

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "SuspendedEV"}
TIME = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("name", "action", "sent", "changed"),
    [
        (
            "no_vendor",
            "BootNotification",
            {"x": 1},
            {"chargePointVendor": "", "chargePointModel": None, "x": 1},
        ),
        ("says_nothing_of_itself", "BootNotification", {"x": 1}, {}),
        (
            "numbers_as_text",
            "StartTransaction",
            {"connectorId": 1, "idTag": "T"},
            {"connectorId": "1", "idTag": "T"},
        ),
        ("numbers_as_fractions", "StartTransaction", {"connectorId": 1}, {"connectorId": 1.2}),
        (
            "readings_as_numbers",
            "MeterValues",
            {"value": "1.5", "unit": "W"},
            {"value": 1.5, "unit": "W"},
        ),
        (
            "own_words",
            "StatusNotification",
            STATUS,
            {"connectorId": 1, "errorCode": "Error", "status": "SUSPENDED_EV"},
        ),
        ("own_words", "StopTransaction", {"reason": "Local"}, {"reason": "PulledOut"}),
        ("statuses_in_1970", "StatusNotification", {}, {"timestamp": "1970-01-01T00:00:00Z"}),
        (
            "statuses_with_errors",
            "StatusNotification",
            {},
            {"errorCode": "OtherError", "info": "door open"},
        ),
        ("no_tag", "Authorize", {"idTag": "T"}, {"idTag": ""}),
        ("rubbish_behind_tag", "Authorize", {"idTag": "T"}, {"idTag": "T\x10\x0e"}),
        ("rubbish_behind_tag", "StopTransaction", {}, {}),
        ("long_tags", "Authorize", {"idTag": "T"}, {"idTag": "T" + "X" * 29}),
        ("long_tags", "StopTransaction", {}, {}),
        ("reservation_zero", "StartTransaction", {}, {"reservationId": 0}),
        ("times_without_zone", "Heartbeat", {"t": TIME}, {"t": "2026-03-01T12:00:00"}),
        ("times_with_offset", "Heartbeat", {"t": TIME}, {"t": "2026-03-01T17:30:00+0530"}),
        ("times_with_short_offset", "Heartbeat", {"t": [TIME]}, {"t": ["2026-03-01T14:00:00+02"]}),
        ("times_with_fraction", "Heartbeat", {"t": TIME}, {"t": "2026-03-01T12:00:00.123456789Z"}),
        (
            "times_with_space",
            "Heartbeat",
            {"t": TIME, "n": 1},
            {"t": "2026-03-01 12:00:00Z", "n": 1},
        ),
    ],
)
def test_what_is_sent_instead(
    name: str, action: str, sent: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert payload(name, action, sent) == changed


def test_fields_are_added() -> None:
    nulls = payload("null_fields", "StopTransaction", {"reason": "Local", "meterStop": 1})
    assert (nulls["reason"], nulls["meterStop"], nulls["idTag"]) == ("Local", 1, None)
    extra = payload("extra_fields", "MeterValues", {"meterValue": [{"timestamp": TIME}]})
    assert extra == {
        "meterValue": [{"timestamp": TIME, "x-vendor": {"a": [1]}}],
        "x-vendor": {"a": [1]},
    }
    long = payload("long_texts", "BootNotification", {})
    assert (len(long["chargePointSerialNumber"]), len(long["chargePointModel"])) == (80, 320)


def test_settings_are_answered_in_other_types_and_letters() -> None:
    items = [
        {"key": "Interval", "readonly": False, "value": "60"},
        {"key": "Unit", "readonly": True, "value": "Power"},
    ]
    answer = [3, "i", {"configurationKey": items, "unknownKey": []}]
    ((_, _, typed),) = said("typed_settings", answer, "GetConfiguration")
    assert typed["configurationKey"] == [
        {"key": "Interval", "readonly": 0, "value": 60},
        {"key": "Unit", "readonly": 1, "value": "Power"},
    ]
    ((_, _, lower),) = said("settings_in_lower_case", answer, "GetConfiguration")
    assert [item["key"] for item in lower["configurationKey"]] == ["interval", "unit"]
    assert lower["unknownKey"] is None
