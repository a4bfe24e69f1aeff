from __future__ import annotations

from simulators.moment import Moment
from simulators.record import ChargerRecord, LimitRecord


def at(second: float) -> Moment:
    return Moment(1000.0 + second, second)


def charger(*limits_w: float, powers_w: float = 0.0, cap_w: float = 200_000.0) -> ChargerRecord:
    return ChargerRecord(dict(enumerate(limits_w, 1)), {1: powers_w}, cap_w)


def test_the_sum_is_over_all_chargers() -> None:
    record = LimitRecord()
    record.update("A", charger(50_000, powers_w=40_000), at(0))
    record.update("B", charger(60_000, 10_000, powers_w=5_000), at(1))
    assert record.limit_sum_w == 120_000
    assert record.power_sum_w == 45_000


def test_a_charger_counts_at_most_its_own_cap() -> None:
    record = LimitRecord()
    record.update("A", charger(150_000, 150_000, cap_w=200_000), at(0))
    assert record.limit_sum_w == 200_000


def test_the_peak_stays_when_the_sum_falls() -> None:
    record = LimitRecord()
    record.update("A", charger(50_000, powers_w=30_000), at(0))
    record.update("A", charger(10_000, powers_w=5_000), at(1))
    record.update("B", charger(20_000), at(2))
    assert record.limit_sum_w == 30_000
    assert record.peak_limit_sum_w == 50_000
    assert record.peak_power_sum_w == 30_000
    assert record.peak_sum() == 50_000


def test_the_peak_of_some_chargers_is_of_one_moment() -> None:
    record = LimitRecord()
    record.update("A", charger(50_000), at(0))
    record.update("B", charger(20_000), at(1))
    record.update("A", charger(0), at(2))
    record.update("C", charger(90_000), at(3))
    assert record.peak_sum({"A", "B"}) == 70_000
    assert record.peak_sum({"B", "C"}) == 110_000
    assert record.peak_sum({"D"}) == 0


def test_only_changes_are_steps() -> None:
    record = LimitRecord()
    for second in range(5):
        record.update("A", charger(50_000), at(second))
    record.update("A", charger(40_000), at(5))
    assert [(step.at.scenario_s, step.record.limit_w) for step in record.steps] == [
        (0, 50_000),
        (5, 40_000),
    ]


def test_without_a_grid_limit_nothing_is_an_overload() -> None:
    record = LimitRecord()
    record.update("A", charger(199_000), at(0))
    assert record.overload_count == 0


def test_a_sum_above_the_grid_limit_is_an_overload() -> None:
    record = LimitRecord()
    record.allow(100_000, at(0))
    record.update("A", charger(100_000), at(1))
    assert record.overload_count == 0
    record.update("B", charger(2), at(2))
    assert record.overload_count == 1
    assert record.overloads[0].limit_sum_w == 100_002
    assert record.overloads[0].allowed_w == 100_000
    assert record.overloads[0].at == at(2)


def test_less_than_a_meter_sees_is_none() -> None:
    record = LimitRecord()
    record.allow(100_000, at(0))
    record.update("A", charger(100_000.9), at(1))
    assert record.overload_count == 0


def test_a_lower_grid_limit_counts_after_its_grace() -> None:
    record = LimitRecord()
    record.allow(100_000, at(0))
    record.update("A", charger(90_000), at(1))
    record.allow(50_000, at(2), grace_s=1.0)
    record.update("A", charger(90_000), at(2.9))
    assert record.overload_count == 0
    record.update("A", charger(90_000), at(3.0))
    assert record.overload_count == 1


def test_a_higher_grid_limit_counts_at_once_and_ends_a_grace() -> None:
    record = LimitRecord()
    record.allow(100_000, at(0))
    record.allow(50_000, at(1), grace_s=5.0)
    record.allow(120_000, at(2), grace_s=5.0)
    record.update("A", charger(110_000), at(10))
    assert record.overload_count == 0
    assert record.allowed_w == 120_000


def test_the_grid_limit_in_force_is_known_before_any_charger_speaks() -> None:
    record = LimitRecord()
    record.allow(100_000, at(0))
    assert record.allowed_w == 100_000
