"""Whether the promise was kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.control.status import StationStatus
from csms.demo.verdict import LimitWatch
from csms.dispatch.standing import Condition
from tests.unit.csms.api.fakes import STATUS


def at(second: float, worst_case_w: int, grid_limit_w: int = 400_000) -> StationStatus:
    available_w = grid_limit_w - STATUS.static_load_w
    return replace(
        STATUS,
        at=second,
        grid_limit_w=grid_limit_w,
        available_w=available_w,
        worst_case_w=worst_case_w,
        overcommitted=worst_case_w > available_w,
    )


def in_condition(status: StationStatus, condition: Condition) -> StationStatus:
    return replace(status, chargers=(replace(status.chargers[0], condition=condition),))


def watched(*statuses: StationStatus) -> LimitWatch:
    watch = LimitWatch()
    for status in statuses:
        watch.observe(status)
    return watch


def test_limits_within_the_grid_keep_the_promise() -> None:
    watch = watched(at(0, 0), at(1, 397_000), at(2, 100_000))
    assert (watch.exceeded, watch.peak_w, watch.under_control) == ("", 397_000, True)


def test_one_watt_too_much_breaks_it() -> None:
    watch = watched(at(0, 0), at(10, 397_001), at(11, 0))
    assert watch.exceeded == (
        "limits that may be in force sum to 397.0 kW, but 397.0 kW are available"
    )


@pytest.mark.parametrize("condition", [Condition.NEVER_SEEN, Condition.REGISTERING])
def test_a_charger_that_is_not_yet_known_is_no_breach(condition: Condition) -> None:
    watch = watched(in_condition(at(0, 500_000), condition), at(10, 300_000))
    assert (watch.exceeded, watch.peak_w, watch.under_control) == ("", 0, True)


def test_a_charger_that_gets_out_of_hand_later_is_a_breach() -> None:
    watch = watched(at(0, 0), in_condition(at(10, 500_000), Condition.UNCONTROLLED))
    assert "500.0 kW" in watch.exceeded


def test_a_lowered_grid_limit_may_take_a_moment() -> None:
    cut = [at(0, 0), at(10, 390_000), at(11, 390_000, 200_000), at(12.9, 390_000, 200_000)]
    assert watched(*cut).exceeded == ""
    assert "197.0 kW are available" in watched(*cut, at(13.1, 390_000, 200_000)).exceeded


def test_the_first_breach_is_the_one_told() -> None:
    watch = watched(at(0, 0), at(10, 398_000), at(11, 500_000))
    assert "398.0 kW" in watch.exceeded
