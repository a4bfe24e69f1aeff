from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.dispatch.commands import Scope, SetLimit
from csms.errors import ProtocolError
from csms.protocol.ocpp16 import requests
from csms.protocol.ocpp16.smart_charging import amperes, profile_id, set_charging_profile
from csms.station.model import ConnectorKey, CurrentType, Limit, LimitSource, RateUnit

NOW = 1_772_366_400.7
"""2026-03-01T12:00:00.7Z."""


def session(value_w: int, *, expires_at: float | None = None, **fields: Any) -> SetLimit:
    return SetLimit(
        token=1,
        connector=ConnectorKey("CP1", 2),
        scope=Scope.SESSION,
        limit=Limit(value_w, LimitSource.GRID, expires_at),
        session_id="s1",
        transaction_id=41,
        **fields,
    )


def default(value_w: int, **fields: Any) -> SetLimit:
    command = session(value_w, **fields)
    return replace(command, scope=Scope.DEFAULT, session_id=None, transaction_id=None)


def period(command: SetLimit) -> dict[str, Any]:
    profile = set_charging_profile(command, NOW)["csChargingProfiles"]
    (found,) = profile["chargingSchedule"]["chargingSchedulePeriod"]
    assert isinstance(found, dict)
    return found


def test_the_limit_of_a_session_on_dc() -> None:
    assert set_charging_profile(session(50_000), NOW) == {
        "connectorId": 2,
        "csChargingProfiles": {
            "chargingProfileId": 6,
            "transactionId": 41,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": "2026-03-01T11:59:00Z",
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 50_000}],
            },
        },
    }


def test_the_fallback_of_a_connector() -> None:
    assert set_charging_profile(default(0), NOW) == {
        "connectorId": 2,
        "csChargingProfiles": {
            "chargingProfileId": 5,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": "2026-03-01T11:59:00Z",
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}],
            },
        },
    }


def test_watts_on_ac_name_the_phases() -> None:
    three = session(11_000, current_type=CurrentType.AC)
    one = session(3_680, current_type=CurrentType.AC, phases=1)
    assert period(three) == {"startPeriod": 0, "limit": 11_000, "numberPhases": 3}
    assert period(one) == {"startPeriod": 0, "limit": 3_680, "numberPhases": 1}


def test_amperes_name_the_phases_only_when_they_are_not_three() -> None:
    three = session(11_040, current_type=CurrentType.AC, rate_unit=RateUnit.AMPERES)
    one = session(3_680, current_type=CurrentType.AC, rate_unit=RateUnit.AMPERES, phases=1)
    assert period(three) == {"startPeriod": 0, "limit": 16}
    assert period(one) == {"startPeriod": 0, "limit": 16, "numberPhases": 1}


@pytest.mark.parametrize(
    ("limit_w", "phases", "limit_a"),
    [
        (11_040, 3, 16),
        (11_039, 3, 15.9),
        (11_000, 3, 15.9),
        (4_140, 3, 6),
        (4_139, 3, 5.9),
        (0, 3, 0),
        (22, 1, 0),
        (23, 1, 0.1),
        (7_360, 1, 32),
        (4_922, 1, 21.4),
    ],
)
def test_amperes_are_rounded_down(limit_w: int, phases: int, limit_a: float) -> None:
    command = session(limit_w, rate_unit=RateUnit.AMPERES, phases=phases)
    assert amperes(command) == limit_a


@given(st.integers(0, 1_000_000), st.integers(1, 3), st.integers(100, 500))
def test_amperes_never_give_more_than_the_limit(limit_w: int, phases: int, volts: int) -> None:
    command = session(limit_w, rate_unit=RateUnit.AMPERES, phases=phases, voltage_v=volts)
    limit_a = amperes(command)
    tenths = round(limit_a * 10)
    assert abs(limit_a * 10 - tenths) < 1e-6
    assert tenths * phases * volts <= limit_w * 10 < (tenths + 1) * phases * volts


@pytest.mark.parametrize(("phases", "voltage_v"), [(0, 230), (3, 0), (-1, 230), (1, -230)])
def test_amperes_need_a_voltage_and_phases(phases: int, voltage_v: int) -> None:
    command = session(1, rate_unit=RateUnit.AMPERES, phases=phases, voltage_v=voltage_v)
    with pytest.raises(ProtocolError, match="no amperes from"):
        set_charging_profile(command, NOW)


def test_a_limit_with_an_end_ends_no_later() -> None:
    payload = set_charging_profile(session(5_000, expires_at=NOW + 300), NOW)
    schedule = payload["csChargingProfiles"]["chargingSchedule"]
    assert schedule["startSchedule"] == "2026-03-01T11:59:00Z"
    assert schedule["duration"] == 360


def test_a_limit_that_has_ended_still_replaces_the_one_before() -> None:
    payload = set_charging_profile(session(5_000, expires_at=NOW - 3600), NOW)
    assert payload["csChargingProfiles"]["chargingSchedule"]["duration"] == 1


def test_a_charger_may_need_another_stack_level_for_sessions() -> None:
    payload = set_charging_profile(session(5_000), NOW, session_stack_level=1)
    assert payload["csChargingProfiles"]["stackLevel"] == 1
    payload = set_charging_profile(default(5_000), NOW, session_stack_level=1)
    assert payload["csChargingProfiles"]["stackLevel"] == 0


def test_profile_ids_are_small_positive_and_different() -> None:
    ids = [
        profile_id(replace(session(1), connector=ConnectorKey("CP1", connector), scope=scope))
        for connector in (0, 1, 2, 3)
        for scope in Scope
    ]
    assert ids == [1, 2, 3, 4, 5, 6, 7, 8]


@given(
    st.integers(0, 1_000_000),
    st.sampled_from(RateUnit),
    st.sampled_from(CurrentType),
    st.integers(1, 3),
    st.none() | st.floats(NOW - 1e6, NOW + 1e6),
    st.booleans(),
)
def test_every_limit_makes_a_valid_request(
    limit_w: int,
    unit: RateUnit,
    kind: CurrentType,
    phases: int,
    expires_at: float | None,
    fallback: bool,
) -> None:
    command = (default if fallback else session)(
        limit_w, expires_at=expires_at, rate_unit=unit, current_type=kind, phases=phases
    )
    requests.check("SetChargingProfile", set_charging_profile(command, NOW))
