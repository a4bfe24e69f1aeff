from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.dispatch.commands import Form, Kind, Purpose, Scope, SetLimit
from csms.errors import ProtocolError
from csms.protocol.ocpp16 import requests
from csms.protocol.ocpp16.smart_charging import profile_id, set_charging_profile
from csms.station.model import ConnectorKey, CurrentType, Limit, LimitSource, RateUnit

NOW = 1_772_366_400.7
"""2026-03-01T12:00:00.7Z."""


def session(
    value_w: int,
    *,
    expires_at: float | None = None,
    unit: RateUnit = RateUnit.WATTS,
    form: Form | None = None,
    **others: Any,
) -> SetLimit:
    return SetLimit(
        token=1,
        connector=ConnectorKey("CP1", 2),
        scope=Scope.SESSION,
        limit=Limit(value_w, LimitSource.GRID, expires_at),
        form=Form(Purpose.SESSION, unit) if form is None else form,
        session_id="s1",
        transaction_id=41,
        **others,
    )


def default(value_w: int, *, unit: RateUnit = RateUnit.WATTS, **others: Any) -> SetLimit:
    command = session(value_w, **{"form": Form(Purpose.DEFAULT, unit), **others})
    return replace(command, scope=Scope.DEFAULT, session_id=None, transaction_id=None)


def profile(command: SetLimit) -> dict[str, Any]:
    found = set_charging_profile(command, NOW)["csChargingProfiles"]
    assert isinstance(found, dict)
    return found


def schedule(command: SetLimit) -> dict[str, Any]:
    found = profile(command)["chargingSchedule"]
    assert isinstance(found, dict)
    return found


def period(command: SetLimit) -> dict[str, Any]:
    (found,) = schedule(command)["chargingSchedulePeriod"]
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
                "startSchedule": "2026-02-28T13:00:00Z",
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
                "startSchedule": "2026-02-28T13:00:00Z",
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
    three = session(11_040, current_type=CurrentType.AC, unit=RateUnit.AMPERES)
    one = session(3_680, current_type=CurrentType.AC, unit=RateUnit.AMPERES, phases=1)
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
    command = session(limit_w, unit=RateUnit.AMPERES, phases=phases)
    assert period(command)["limit"] == limit_a


@given(st.integers(0, 1_000_000), st.integers(1, 3), st.integers(100, 500))
def test_amperes_never_give_more_than_the_limit(limit_w: int, phases: int, volts: int) -> None:
    command = session(limit_w, unit=RateUnit.AMPERES, phases=phases, voltage_v=volts)
    limit_a = period(command)["limit"]
    tenths = round(limit_a * 10)
    assert abs(limit_a * 10 - tenths) < 1e-6
    assert tenths * phases * volts <= limit_w * 10 < (tenths + 1) * phases * volts


@pytest.mark.parametrize(("phases", "voltage_v"), [(0, 230), (3, 0), (-1, 230), (1, -230)])
def test_amperes_need_a_voltage_and_phases(phases: int, voltage_v: int) -> None:
    command = session(1, unit=RateUnit.AMPERES, phases=phases, voltage_v=voltage_v)
    with pytest.raises(ProtocolError, match="is not a current"):
        set_charging_profile(command, NOW)


def test_whole_amperes_are_whole_numbers_on_the_wire() -> None:
    assert json.dumps(period(session(11_040, unit=RateUnit.AMPERES))) == (
        '{"startPeriod": 0, "limit": 16}'
    )


def test_a_limit_with_an_end_says_what_follows_and_never_has_a_duration() -> None:
    assert schedule(session(50_000, expires_at=NOW + 300, after_w=4_000)) == {
        "startSchedule": "2026-02-28T13:00:00Z",
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 50_000},
            {"startPeriod": 83_100, "limit": 4_000},
        ],
    }


def test_both_periods_are_in_the_unit_of_the_form_and_rounded_down() -> None:
    command = session(
        11_039,
        expires_at=NOW + 300,
        after_w=4_139,
        unit=RateUnit.AMPERES,
        current_type=CurrentType.AC,
        phases=1,
    )
    assert schedule(command)["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 47.9, "numberPhases": 1},
        {"startPeriod": 83_100, "limit": 17.9, "numberPhases": 1},
    ]


def test_a_part_of_a_second_is_cut_off_the_end() -> None:
    command = session(5_000, expires_at=1_772_366_400.7 + 299.9)
    assert schedule(command)["chargingSchedulePeriod"][1]["startPeriod"] == 83_100


def test_a_limit_that_has_ended_still_replaces_the_one_before() -> None:
    command = session(5_000, expires_at=NOW - 3600)
    assert schedule(command)["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 5_000},
        {"startPeriod": 79_200, "limit": 0},
    ]


def test_an_end_is_left_out_for_a_charger_that_takes_one_period() -> None:
    form = Form(Purpose.SESSION, RateUnit.WATTS, periods=1)
    assert period(session(5_000, expires_at=NOW + 300, form=form)) == {
        "startPeriod": 0,
        "limit": 5_000,
    }


def test_a_relative_schedule_has_neither_a_start_nor_an_end() -> None:
    form = Form(Purpose.SESSION, RateUnit.WATTS, kind=Kind.RELATIVE)
    command = session(5_000, expires_at=NOW + 300, form=form)
    assert profile(command)["chargingProfileKind"] == "Relative"
    assert schedule(command) == {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5_000}],
    }


def test_the_stack_level_is_that_of_the_form() -> None:
    form = Form(Purpose.SESSION, RateUnit.WATTS, stack_level=8)
    assert profile(session(5_000, form=form))["stackLevel"] == 8
    assert profile(session(5_000))["stackLevel"] == 0


@pytest.mark.parametrize("told", [True, False])
def test_the_phases_are_told_as_the_form_says(told: bool) -> None:
    form = Form(Purpose.SESSION, RateUnit.AMPERES, tells_phases=told)
    assert ("numberPhases" in period(session(5_000, form=form, phases=1))) is told


def test_the_limit_of_a_session_as_a_default_profile_names_no_transaction() -> None:
    form = Form(Purpose.DEFAULT, RateUnit.WATTS)
    payload = set_charging_profile(session(5_000, form=form), NOW)
    assert payload["connectorId"] == 2
    assert "transactionId" not in payload["csChargingProfiles"]
    assert payload["csChargingProfiles"]["chargingProfilePurpose"] == "TxDefaultProfile"


@pytest.mark.parametrize("make", [session, default])
def test_a_limit_of_the_whole_charger_is_on_connector_0(make: Callable[..., SetLimit]) -> None:
    form = Form(Purpose.CHARGER, RateUnit.WATTS, periods=1)
    assert set_charging_profile(make(5_000, form=form), NOW) == {
        "connectorId": 0,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": "2026-02-28T13:00:00Z",
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5_000}],
            },
        },
    }


def test_every_purpose_has_a_small_id_of_its_own_on_every_connector() -> None:
    ids = [
        profile_id(
            replace(
                session(1),
                connector=ConnectorKey("CP1", connector),
                form=Form(purpose, RateUnit.WATTS),
            )
        )
        for connector in (1, 2, 3)
        for purpose in (Purpose.DEFAULT, Purpose.SESSION)
    ]
    whole = profile_id(session(1, form=Form(Purpose.CHARGER, RateUnit.WATTS)))
    assert [whole, *ids] == [1, 3, 4, 5, 6, 7, 8]


def test_limits_of_one_purpose_have_one_id_whatever_their_scope() -> None:
    form = Form(Purpose.DEFAULT, RateUnit.WATTS)
    assert profile_id(session(1, form=form)) == profile_id(default(1))


@given(
    st.integers(0, 1_000_000),
    st.integers(0, 1_000_000),
    st.builds(
        Form,
        st.sampled_from(Purpose),
        st.sampled_from(RateUnit),
        st.integers(0, 8),
        st.integers(1, 2),
        st.sampled_from(Kind),
        st.none() | st.booleans(),
    ),
    st.sampled_from(CurrentType),
    st.integers(1, 3),
    st.none() | st.floats(NOW - 1e6, NOW + 1e6),
)
def test_every_limit_makes_a_valid_request(
    limit_w: int,
    after_w: int,
    form: Form,
    kind: CurrentType,
    phases: int,
    expires_at: float | None,
) -> None:
    command = (session if form.purpose is Purpose.SESSION else default)(
        limit_w,
        expires_at=expires_at,
        after_w=after_w,
        form=form,
        current_type=kind,
        phases=phases,
    )
    payload = set_charging_profile(command, NOW)
    requests.check("SetChargingProfile", payload)
    found = payload["csChargingProfiles"]["chargingSchedule"]
    starts = [p["startPeriod"] for p in found["chargingSchedulePeriod"]]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert "duration" not in found
