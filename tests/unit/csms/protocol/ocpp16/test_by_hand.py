from __future__ import annotations

from typing import Any

import pytest

from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.protocol.ocpp16 import by_hand
from csms.station.model import RateUnit
from tests.unit.csms.protocol.ocpp16.fake_recorder import NOON

SCHEDULE: dict[str, Any] = {
    "startSchedule": "2026-03-01T11:59:00Z",
    "chargingRateUnit": "W",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5}, {"startPeriod": 60, "limit": 9}],
}
PROFILE: dict[str, Any] = {
    "chargingProfileId": 1_000,
    "stackLevel": 4,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": SCHEDULE,
}
READ = Reach(connector_id=1, limit=9, stack_level=4)


def told(profile: Any, connector_id: Any = 1, *, valid: bool = True) -> Reach | None:
    payload = {"connectorId": connector_id, "csChargingProfiles": profile}
    return by_hand.reach("SetChargingProfile", payload, NOON, valid=valid)


def scheduled(**changes: Any) -> dict[str, Any]:
    schedule = {key: value for key, value in (SCHEDULE | changes).items() if value is not ...}
    return PROFILE | {"chargingSchedule": schedule}


def test_the_highest_of_all_periods_counts() -> None:
    assert told(PROFILE) == READ


@pytest.mark.parametrize("connector_id", [0, None])
def test_connector_zero_is_every_connector(connector_id: int | None) -> None:
    found = told(PROFILE, connector_id)
    assert found is not None
    assert (found.connector_id, found.limit) == (None, 9)


def test_unit_phases_and_transaction_are_read() -> None:
    periods = [
        {"startPeriod": 0, "limit": 16, "numberPhases": 1},
        {"startPeriod": 5, "limit": 6.5},
    ]
    profile = scheduled(chargingRateUnit="A", chargingSchedulePeriod=periods)
    assert told(profile | {"transactionId": 7}) == Reach(
        connector_id=1,
        limit=16,
        unit=RateUnit.AMPERES,
        phases=1,
        stack_level=4,
        transaction_id=7,
    )


@pytest.mark.parametrize(
    "profile",
    [
        PROFILE | {"validFrom": "2026-01-01T00:00:00Z"},
        PROFILE | {"validTo": "2027-01-01T00:00:00Z"},
        PROFILE | {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"},
        PROFILE | {"chargingProfileKind": "Relative"},
        scheduled(duration=60),
        scheduled(startSchedule="2026-03-01T11:59:01Z"),
        scheduled(startSchedule=...),
    ],
)
def test_what_may_not_be_in_force_for_good_is_not_believed(profile: dict[str, Any]) -> None:
    found = told(profile)
    assert found is not None
    assert (found.connector_id, found.limit, found.refused) == (1, None, "")


def test_a_relative_schedule_begins_with_the_session() -> None:
    found = told(scheduled(startSchedule=...) | {"chargingProfileKind": "Relative"})
    assert found is not None
    assert found.limit == 9


def test_what_is_not_as_the_standard_has_it_counts_as_the_worst() -> None:
    assert told({"chargingProfileId": 1_000}, "x", valid=False) == Reach()


@pytest.mark.parametrize("profile_id", [1, 999, "1000", None, 1_000.5])
def test_an_id_that_may_be_one_of_csms_is_refused(profile_id: Any) -> None:
    found = told(PROFILE | {"chargingProfileId": profile_id}, valid=False)
    assert found is not None
    assert found.refused.startswith("chargingProfileId must be a number from 1000 on")


@pytest.mark.parametrize("profile", [None, [], "x"])
def test_a_profile_that_is_none_is_refused(profile: Any) -> None:
    found = told(profile, valid=False)
    assert found is not None
    assert found.refused


@pytest.mark.parametrize(("payload", "everything"), [({}, True), ({"id": 4}, False)])
def test_clearing_takes_limits_away(payload: dict[str, Any], everything: bool) -> None:
    found = by_hand.reach("ClearChargingProfile", payload, NOON, valid=True)
    assert found == Reach(clears=True, clears_all=everything)


def test_a_remote_start_may_bring_a_profile() -> None:
    start = {"connectorId": 1, "idTag": "TAG"}
    assert by_hand.reach("RemoteStartTransaction", start, NOON, valid=True) is None
    with_profile = start | {"chargingProfile": PROFILE}
    assert by_hand.reach("RemoteStartTransaction", with_profile, NOON, valid=True) == READ
    misspelt = by_hand.reach(
        "RemoteStartTransaction", start | {"ChargingProfile": PROFILE}, NOON, valid=False
    )
    assert misspelt is not None
    assert misspelt.refused


@pytest.mark.parametrize("action", ["Reset", "ChangeConfiguration", "DataTransfer"])
def test_other_requests_are_not_about_limits(action: str) -> None:
    assert by_hand.reach(action, {}, NOON, valid=True) is None


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"connectorId": 2, "type": "Inoperative"}, Availability(2, operative=False)),
        ({"connectorId": 0, "type": "inoperative"}, Availability(0, operative=False)),
        ({"connectorId": 1, "type": "Operative"}, Availability(1, operative=True)),
        ({"connectorId": "1", "type": "Open"}, Availability(0, operative=True)),
        ({"connectorId": True}, Availability(0, operative=True)),
        ({"connectorId": -1, "type": 7}, Availability(0, operative=True)),
    ],
)
def test_what_goes_into_or_out_of_service(payload: dict[str, Any], said: Availability) -> None:
    assert by_hand.availability("ChangeAvailability", payload) == said
    assert by_hand.availability("Reset", payload) is None


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"key": "AuthorizationKey", "value": "0123456789"}, NewKey("0123456789")),
        ({"key": " authorizationKEY", "value": "0123456789"}, NewKey("0123456789")),
        ({"key": "AuthorizationKey", "value": 1234567890}, NewKey("")),
        ({"key": "AuthorizationKey"}, NewKey("")),
        ({"key": "HeartbeatInterval", "value": "5"}, None),
        ({"key": ["AuthorizationKey"], "value": "5"}, None),
        ({}, None),
    ],
)
def test_a_key_that_is_told_is_seen(payload: dict[str, Any], told: NewKey | None) -> None:
    assert by_hand.new_key("ChangeConfiguration", payload) == told
    assert by_hand.new_key("DataTransfer", payload) is None
