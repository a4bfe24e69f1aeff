from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from simulators.charge_point.profiles import (
    ProfileError,
    ProfileStack,
    Purpose,
    RateUnit,
    RunningTransaction,
    StackLimits,
    read_profile,
)
from simulators.moment import instant

CASES = json.loads(
    (Path(__file__).parents[3] / "cases" / "profiles.json").read_text(encoding="utf-8")
)
NOON = instant("2025-01-01T12:00:00Z")
RUNNING = RunningTransaction(7, NOON)


def transaction_of(entry: dict[str, Any]) -> RunningTransaction | None:
    said = entry.get("transaction")
    return None if said is None else RunningTransaction(said["id"], instant(said["startedAt"]))


def profile(
    purpose: Purpose = Purpose.TX_DEFAULT,
    limit: float = 1000.0,
    *,
    profile_id: int = 1,
    level: int = 0,
    **schedule: Any,
) -> Any:
    return read_profile(
        {
            "chargingProfileId": profile_id,
            "stackLevel": level,
            "chargingProfilePurpose": purpose.value,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": "2025-01-01T12:00:00Z",
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            }
            | schedule,
        }
    )


@pytest.mark.parametrize("case", CASES["limits"], ids=lambda case: str(case["name"]))
def test_the_limit_that_follows_from_the_stack(case: dict[str, Any]) -> None:
    stack = ProfileStack(2)
    for entry in case["install"]:
        accepted = stack.install(
            entry["connector"],
            read_profile(entry["profile"]),
            instant(entry["at"]),
            transaction_of(entry),
        )
        assert accepted is entry["accepted"]
    for check in case["checks"]:
        limit_w = stack.effective_limit_w(
            check["connector"],
            instant(check["at"]),
            transaction_of(check),
            check.get("phases", 3),
        )
        expected_w = math.inf if check["limit"] is None else check["limit"]
        assert limit_w == pytest.approx(expected_w, abs=1e-6), check["at"]


@pytest.mark.parametrize("case", CASES["unreadable"], ids=lambda case: str(case["name"]))
def test_what_the_standard_does_not_allow_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        read_profile(case["profile"])


def test_a_unit_the_charger_does_not_take_is_rejected() -> None:
    stack = ProfileStack(1, StackLimits(units=frozenset({RateUnit.AMPERES})))
    assert stack.install(1, profile(), NOON) is False
    assert stack.installed == ()


def test_a_full_stack_takes_only_replacements() -> None:
    stack = ProfileStack(1, StackLimits(max_installed=2))
    assert stack.install(1, profile(profile_id=1, level=0), NOON)
    assert stack.install(1, profile(profile_id=2, level=1), NOON)
    assert stack.install(1, profile(profile_id=3, level=2), NOON) is False
    assert stack.install(1, profile(profile_id=3, level=1, limit=5.0), NOON) is True
    assert [item.profile.profile_id for item in stack.installed] == [1, 3]


def test_the_end_of_a_transaction_drops_its_profiles_and_no_others() -> None:
    stack = ProfileStack(2)
    stack.install(0, profile(limit=100.0), NOON)
    stack.install(1, profile(Purpose.TX, 5000.0, profile_id=2), NOON, RUNNING)
    stack.install(2, profile(Purpose.TX, 6000.0, profile_id=3), NOON, RUNNING)
    stack.end_transaction(1)
    assert stack.effective_limit_w(1, NOON, RUNNING) == 100.0
    assert stack.effective_limit_w(2, NOON, RUNNING) == 6000.0


def test_forgetting_leaves_nothing() -> None:
    stack = ProfileStack(1)
    stack.install(0, profile(), NOON)
    stack.forget()
    assert stack.effective_limit_w(1, NOON, RUNNING) == math.inf


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({}, []),
        ({"profile_id": 2}, [1, 3, 4]),
        ({"profile_id": 2, "connector_id": 1}, [1, 3, 4]),
        ({"profile_id": 99}, [1, 2, 3, 4]),
        ({"connector_id": 1}, [1, 2]),
        ({"purpose": Purpose.TX_DEFAULT}, [1, 4]),
        ({"stack_level": 1}, [1, 2, 3]),
        ({"connector_id": 1, "purpose": Purpose.TX, "stack_level": 1}, [1, 2, 3]),
        ({"connector_id": 1, "purpose": Purpose.TX, "stack_level": 0}, [1, 2, 3, 4]),
        ({"connector_id": 0}, [3, 4]),
    ],
)
def test_clearing_matches_the_id_or_all_else_together(
    criteria: dict[str, Any], left: list[int]
) -> None:
    stack = ProfileStack(1)
    stack.install(0, profile(Purpose.CHARGE_POINT_MAX, profile_id=1), NOON)
    stack.install(0, profile(profile_id=2), NOON)
    stack.install(1, profile(profile_id=3), NOON)
    stack.install(1, profile(Purpose.TX, profile_id=4, level=1), NOON, RUNNING)
    assert stack.clear(**criteria) == 4 - len(left)
    assert [item.profile.profile_id for item in stack.installed] == left


def test_the_charge_points_own_limit() -> None:
    stack = ProfileStack(1)
    assert stack.charge_point_limit_w(NOON) == math.inf
    stack.install(0, profile(Purpose.CHARGE_POINT_MAX, 9000.0, duration=60), NOON)
    assert stack.charge_point_limit_w(NOON + 59) == 9000.0
    assert stack.charge_point_limit_w(NOON + 60) == math.inf


def test_a_composite_schedule_names_each_change_once() -> None:
    stack = ProfileStack(1)
    stack.install(0, profile(limit=1000.0), NOON)
    stack.install(0, profile(Purpose.CHARGE_POINT_MAX, 7000.0, profile_id=2), NOON)
    periods = [{"startPeriod": 0, "limit": 9000.0}, {"startPeriod": 60, "limit": 5000.0}]
    stepped = profile(Purpose.TX, profile_id=3, chargingSchedulePeriod=periods, duration=120)
    stack.install(1, stepped, NOON, RUNNING)
    schedule = stack.composite_schedule(1, NOON + 10, 600, RUNNING)
    assert schedule == [(0, 7000.0), (50, 5000.0), (110, 1000.0)]
    assert stack.composite_schedule(1, NOON + 10, 60, RUNNING) == [(0, 7000.0), (50, 5000.0)]
    assert stack.composite_schedule(0, NOON, 600, None) == [(0, 7000.0)]


def test_a_composite_schedule_without_a_transaction_supposes_one_that_begins_now() -> None:
    stack = ProfileStack(1)
    relative = profile(startSchedule=None, duration=60)
    stack.install(0, relative, NOON)
    assert stack.composite_schedule(1, NOON, 600, None) == [(0, 1000.0), (60, math.inf)]


def test_a_composite_schedule_follows_a_daily_one_over_midnight() -> None:
    stack = ProfileStack(1)
    daily = read_profile(
        {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Recurring",
            "recurrencyKind": "Daily",
            "chargingSchedule": {
                "startSchedule": "2025-01-01T00:00:00Z",
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 1000.0},
                    {"startPeriod": 43_200, "limit": 2000.0},
                ],
            },
        }
    )
    stack.install(0, daily, NOON)
    assert stack.composite_schedule(1, NOON - 600, 86_400, None) == [
        (0, 1000.0),
        (600, 2000.0),
        (43_800, 1000.0),
    ]
