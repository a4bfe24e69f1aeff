from __future__ import annotations

from itertools import islice
from random import Random

from simulators.vehicle.vehicle import Outlet
from simulators.vehicle.visits import BY_HOUR, DAY_S, HOUR_S, MODELS, visits


def test_the_same_seed_gives_the_same_visits() -> None:
    assert list(visits(0.5, Random(7))) == list(visits(0.5, Random(7)))
    assert list(visits(0.5, Random(7))) != list(visits(0.5, Random(8)))


def test_visits_come_in_order_and_as_many_as_asked_for() -> None:
    stream = list(visits(20, Random(1)))
    assert [visit.at for visit in stream] == sorted(visit.at for visit in stream)
    assert stream[-1].at < 20 * DAY_S
    # 2912 on average, 54 to one standard deviation.
    assert 2750 < len(stream) < 3075


def test_there_are_more_at_noon_than_at_night() -> None:
    hours = [int(visit.at % DAY_S // HOUR_S) for visit in visits(20, Random(1))]
    assert len(BY_HOUR) == 24
    assert hours.count(12) > 5 * hours.count(3)


def test_every_number_is_within_its_bounds() -> None:
    for visit in islice(visits(5, Random(2)), 300):
        assert 15 * 60 <= visit.stay_s <= 40 * 60
        assert 10 <= visit.soc_pct <= 60
        assert 70 <= visit.target_pct <= 100
        assert 30 <= visit.wake_s <= 40


def test_every_model_comes() -> None:
    assert {visit.model for visit in visits(5, Random(3))} == set(MODELS)


def test_a_vehicle_wakes_late_and_then_draws_along_its_curve() -> None:
    visit = next(visits(1, Random(4)))
    vehicle = visit.vehicle()
    assert vehicle.soc_pct == visit.soc_pct
    assert vehicle.power_w(500_000, 0.0, Outlet()) == 0.0
    assert vehicle.power_w(500_000, visit.wake_s - 1, Outlet()) == 0.0
    curve_w = visit.model.curve.scaled(visit.model.peak_w).power_w(visit.soc_pct)
    assert vehicle.power_w(500_000, visit.wake_s + 5, Outlet()) == curve_w
