from __future__ import annotations

from typing import Any

import pytest

from simulators.charge_point.habits.habit import HangUpError
from tests.unit.simulators.charge_point.habits.speaking import asked, heard, said

PLAIN: dict[str, Any] = {
    "chargingProfileId": 1,
    "transactionId": 7,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "startSchedule": "2026-03-01T11:59:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 14.4}],
    },
}
TRIGGER = "TriggerMessage"


def profile(connector_id: int = 1, **changed: Any) -> dict[str, Any]:
    return {"connectorId": connector_id, "csChargingProfiles": PLAIN | changed}


def schedule(**period: Any) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": 14.4} | period]
    changed: dict[str, Any] = PLAIN["chargingSchedule"] | {"chargingSchedulePeriod": periods}
    return changed


@pytest.mark.parametrize(
    ("name", "action", "bad", "good"),
    [
        ("small_buffer", "GetConfiguration", {"key": ["k" * 99] * 8}, {"key": ["k"]}),
        (
            "reboots_when_asked_to_boot",
            TRIGGER,
            {"requestedMessage": "BootNotification"},
            {"requestedMessage": "Heartbeat"},
        ),
        ("one_key_at_a_time", "GetConfiguration", {}, {"key": ["K"]}),
        ("hangs_up_on_clear", "ClearChargingProfile", {}, None),
        ("hangs_up_on_null", "Reset", {"a": [{"b": None}]}, {"a": 1}),
        (
            "plain_times_only",
            "Reset",
            {"validFrom": "2026-03-01T12:00:00+00:00"},
            {"validFrom": "2026-03-01T12:00:00Z"},
        ),
    ],
)
def test_what_it_hangs_up_on(
    name: str, action: str, bad: dict[str, Any], good: dict[str, Any] | None
) -> None:
    with pytest.raises(HangUpError):
        asked(name, action, bad)
    assert good is None or asked(name, action, good) is None
    assert asked(name, "UnlockConnector", {}) is None


def test_it_hates_haste() -> None:
    memory: dict[str, Any] = {}
    assert asked("hates_haste", "Reset", {}, at=1.0, memory=memory) is None
    assert heard("hates_haste", [3, "i", {}], "Heartbeat", at=1.001, memory=memory) is None
    assert asked("hates_haste", "Reset", {}, at=1.05, memory=memory) is None
    with pytest.raises(HangUpError):
        asked("hates_haste", "Reset", {}, at=1.06, memory=memory)


def test_a_transaction_must_have_a_number() -> None:
    good = [3, "i", {"transactionId": 1}]
    assert heard("no_number_zero", good, "StartTransaction") is None
    with pytest.raises(HangUpError):
        heard("no_number_zero", [3, "i", {"transactionId": 0}], "StartTransaction")


@pytest.mark.parametrize(
    ("name", "action", "bad", "good"),
    [
        ("start_needs_connector", "RemoteStartTransaction", {"idTag": "T"}, {"connectorId": 1}),
        ("settings_read_only", "ChangeConfiguration", {"key": "K"}, None),
        (
            "needs_number",
            "SetChargingProfile",
            {"connectorId": 1, "csChargingProfiles": {"chargingProfilePurpose": "TxProfile"}},
            profile(),
        ),
        ("relative_only", "SetChargingProfile", profile(), profile(chargingProfileKind="Relative")),
        (
            "no_phases",
            "SetChargingProfile",
            profile(chargingSchedule=schedule(numberPhases=3)),
            profile(),
        ),
        (
            "phases_always",
            "SetChargingProfile",
            profile(),
            profile(chargingSchedule=schedule(numberPhases=3)),
        ),
        (
            "tenths_only",
            "SetChargingProfile",
            profile(chargingSchedule=schedule(limit=14.49)),
            profile(),
        ),
        ("no_connector_zero", "SetChargingProfile", profile(0), profile()),
    ],
)
def test_what_it_rejects(
    name: str, action: str, bad: dict[str, Any], good: dict[str, Any] | None
) -> None:
    rejected = asked(name, action, bad)
    assert rejected is not None
    assert rejected.sends == [[3, "i", {"status": "Rejected"}]]
    assert good is None or asked(name, action, good) is None
    assert asked(name, "Reset", {}) is None


def test_settings_it_does_not_tell() -> None:
    unit = "ChargingScheduleAllowedChargingRateUnit"
    unknown = asked("unit_unknown", "GetConfiguration", {"key": [unit]})
    assert unknown is not None
    assert unknown.sends == [[3, "i", {"unknownKey": [unit]}]]
    assert asked("unit_unknown", "GetConfiguration", {"key": ["K"]}) is None
    failed = asked("settings_fail", "GetConfiguration", {"key": ["K"]})
    assert failed is not None
    assert failed.sends == [[4, "i", "InternalError", "", {}]]
    assert asked("settings_fail", "Reset", {}) is None
    items = [{"key": unit.lower(), "value": "Power"}, {"key": "K", "value": "V"}]
    ((_, _, told),) = said(
        "unit_in_own_words", [3, "i", {"configurationKey": items}], "GetConfiguration"
    )
    assert [item["value"] for item in told["configurationKey"]] == [" power ", "V"]


def test_schedules_that_begin_later() -> None:
    memory: dict[str, Any] = {}
    boot = [3, "b", {"currentTime": "2026-03-01T12:00:00Z"}]
    assert heard("needs_past_start", boot, "BootNotification", memory=memory) is None
    set_to = "SetChargingProfile"
    assert asked("needs_past_start", set_to, profile(), memory=memory) is None
    relative = profile(chargingProfileKind="Relative")
    assert asked("needs_past_start", set_to, relative, memory=memory) is None
    later = profile(chargingSchedule=schedule() | {"startSchedule": "2026-03-01T12:01:00Z"})
    assert asked("needs_past_start", set_to, later, memory=memory) is not None


def test_profiles_need_a_place_and_a_transaction() -> None:
    memory: dict[str, Any] = {}
    ids = [1, 2, 1, 3]
    taken = [
        asked("few_slots", "SetChargingProfile", profile(chargingProfileId=i), memory=memory)
        is None
        for i in ids
    ]
    assert taken == [True, True, True, False]
    assert asked("busy_only", "SetChargingProfile", profile(), memory=memory) is not None
    heard("busy_only", [3, "i", {}], "StartTransaction", memory=memory)
    assert asked("busy_only", "SetChargingProfile", profile(), memory=memory) is None
    heard("busy_only", [3, "i", {}], "StopTransaction", memory=memory)
    assert asked("busy_only", "SetChargingProfile", profile(), memory=memory) is not None
