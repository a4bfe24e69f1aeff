"""How much a vehicle wants: each rule alone, then whole charging sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from csms.balancing.demand import Demand, next_demand
from csms.station.model import Connector, CurrentType, LimitSource
from csms.station.register import Register
from csms.station.state import LimitStep, Reading, Session
from tests.unit.csms.balancing.drives import DC, KEY, POLICY, Drive, slow_start

AC = Connector(KEY, 22_080, CurrentType.AC, phases=3, voltage_v=230, minimum_w=4_140)
MAX = 150_000


def session(
    limits: Iterable[tuple[float, int]] = (),
    readings: Iterable[tuple[float, int]] = (),
    vehicle_max_w: int | None = None,
) -> Session:
    """A session with (at, watts) limits confirmed and readings received."""
    made = Session("s1", 1, KEY, "TAG", 0.0, Register(0), vehicle_max_w)
    made.limits.extend(LimitStep(at, limit_w) for at, limit_w in limits)
    made.readings.extend(Reading(at, power_w) for at, power_w in readings)
    return made


def learned(bound_w: int, *, ceiling_w: int = MAX, raised_at: float | None = None) -> Demand:
    """A demand below its ceiling, learned at 50 s."""
    return Demand(bound_w, LimitSource.DEMAND, ceiling_w, changed_at=50.0, raised_at=raised_at)


def bound(
    previous: Demand | None, seen: Session, now: float, connector: Connector = DC
) -> tuple[int, str]:
    found = next_demand(previous, seen, connector, POLICY, now)
    return found.bound_w, found.source.value


# ------------------------------------------------------------------ the ceiling


@pytest.mark.parametrize(
    ("declared_w", "connector", "expected"),
    [
        (None, DC, (150_000, "connector")),
        (80_000, DC, (80_000, "vehicle")),
        (150_000, DC, (150_000, "connector")),
        (200_000, DC, (150_000, "connector")),
        (0, DC, (0, "vehicle")),
        (3_680, AC, (4_140, "vehicle")),
        (2_000, replace(AC, max_power_w=3_000), (3_000, "vehicle")),
    ],
)
def test_the_ceiling_is_what_connector_and_vehicle_can_take(
    declared_w: int | None, connector: Connector, expected: tuple[int, str]
) -> None:
    assert bound(None, session(vehicle_max_w=declared_w), 0.0, connector) == expected


def test_the_first_demand_has_just_changed() -> None:
    assert next_demand(None, session(), DC, POLICY, 7.0) == Demand(
        MAX, LimitSource.CONNECTOR, MAX, changed_at=7.0
    )


def test_a_new_declared_maximum_is_followed_at_once_both_ways() -> None:
    at_ceiling = Demand(100_000, LimitSource.VEHICLE, 100_000, changed_at=0.0, raised_at=9.0)
    lower = next_demand(at_ceiling, session(vehicle_max_w=99_900), DC, POLICY, 10.0)
    assert (lower.bound_w, lower.source, lower.changed_at) == (99_900, LimitSource.VEHICLE, 10.0)
    higher = next_demand(lower, session(vehicle_max_w=100_100), DC, POLICY, 11.0)
    assert (higher.bound_w, higher.changed_at, higher.raised_at) == (100_100, 11.0, 9.0)


def test_a_new_declared_maximum_leaves_what_was_learned_below_it() -> None:
    # The raise just before makes the readings say nothing new.
    seen = session([(0, 60_000), (198, 70_000)], [(190, 40_000), (199, 40_000)], 120_000)
    assert bound(learned(45_000), seen, 200.0) == (45_000, "demand")
    seen.vehicle_max_w = 30_000
    assert bound(learned(45_000), seen, 200.0) == (30_000, "vehicle")


def test_a_new_declared_maximum_of_a_vehicle_at_its_ceiling_is_followed_without_news() -> None:
    seen = session([(0, 60_000), (198, 70_000)], [(190, 40_000), (199, 40_000)], 120_000)
    at_ceiling = Demand(100_000, LimitSource.VEHICLE, 100_000, changed_at=0.0)
    assert bound(at_ceiling, seen, 200.0) == (120_000, "vehicle")


def test_a_new_ceiling_and_a_full_draw_are_not_a_raise_that_was_measured() -> None:
    seen = session([(0, 60_000)], [(190, 60_000)], 120_000)
    at_ceiling = Demand(100_000, LimitSource.VEHICLE, 100_000, changed_at=0.0)
    assert next_demand(at_ceiling, seen, DC, POLICY, 200.0).raised_at is None


# ------------------------------------------------------------------ readings that say nothing


@pytest.mark.parametrize(
    "seen",
    [
        session([(0, 133_000)]),
        session([], [(10, 60_000), (20, 60_000)]),
        session([(16, 133_000)], [(10, 60_000), (20, 60_000)]),
        session([(0, 0)], [(10, 0), (20, 0)]),
        session([(0, 999)], [(10, 0), (20, 0)]),
        session([(0, 133_000)], [(-300, 60_000), (-290, 60_000)]),
    ],
    ids=["no reading", "no limit", "before the limit", "paused", "next to paused", "stale"],
)
def test_without_a_word_the_demand_is_the_ceiling(seen: Session) -> None:
    assert bound(None, seen, 25.0) == (MAX, "connector")
    assert bound(learned(66_000), seen, 25.0) == (MAX, "connector")


def test_readings_go_stale_after_five_minutes() -> None:
    seen = session([(0, 133_000)], [(95, 60_000), (100, 60_000)])
    assert bound(learned(66_000), seen, 400.0) == (66_000, "demand")
    assert bound(learned(66_000), seen, 400.1) == (MAX, "connector")


def test_an_ac_vehicle_is_paused_below_six_amperes() -> None:
    bare = replace(AC, minimum_w=0)
    readings = [(100.0, 0), (110.0, 0)]
    assert bound(None, session([(0, 4_139)], readings), 111.0, bare) == (22_080, "connector")
    assert bound(None, session([(0, 4_140)], readings), 111.0, bare) == (4_830, "demand")


def test_a_pause_keeps_what_was_learned_until_that_is_stale() -> None:
    seen = session([(0, 133_000), (50, 0)], [(40, 60_000), (45, 60_000), (60, 0), (70, 0)])
    assert bound(learned(66_000), seen, 71.0) == (66_000, "demand")
    assert bound(learned(66_000), seen, 346.0) == (MAX, "connector")


# ------------------------------------------------------------------ what a draw says


def test_a_draw_at_the_limit_lifts_the_demand_to_the_ceiling_at_once() -> None:
    seen = session([(0, 66_000)], [(90, 30_000), (100, 62_700)])
    found = next_demand(learned(66_000), seen, DC, POLICY, 100.0)
    assert found == Demand(MAX, LimitSource.CONNECTOR, MAX, changed_at=100.0, raised_at=100.0)


def test_a_draw_just_below_the_limit_does_not() -> None:
    seen = session([(0, 66_000)], [(90, 62_699), (100, 62_699)])
    assert bound(learned(66_000), seen, 100.0) == (68_834, "demand")


def test_a_vehicle_still_following_a_lower_limit_is_held_against_the_lower_one() -> None:
    seen = session([(0, 133_000), (100, 80_000)], [(95, 100_000), (103, 77_000)])
    assert bound(None, seen, 103.0) == (MAX, "connector")


def test_a_vehicle_still_following_a_raise_is_held_against_the_old_limit() -> None:
    seen = session([(0, 66_000), (100, 133_000)], [(95, 40_000), (104.9, 64_000)])
    assert bound(learned(70_000), seen, 105.0) == (MAX, "connector")


def test_two_draws_below_the_limit_show_what_the_vehicle_takes() -> None:
    seen = session([(0, 133_000)], [(5, 60_000), (6, 60_000)])
    assert bound(None, seen, 6.0) == (66_000, "demand")


def test_one_draw_below_the_limit_is_not_enough() -> None:
    seen = session([(0, 133_000)], [(5, 60_000)])
    assert bound(None, seen, 6.0) == (MAX, "connector")
    assert bound(learned(80_000), seen, 6.0) == (80_000, "demand")


def test_a_censored_draw_before_it_makes_one_draw_not_enough() -> None:
    seen = session([(0, 133_000)], [(100, 133_000), (110, 60_000)])
    assert bound(learned(140_000), seen, 110.0) == (140_000, "demand")


def test_draws_from_before_a_raise_or_while_it_settles_do_not_count() -> None:
    seen = session([(0, 80_000), (100, 133_000)], [(90, 60_000), (99, 60_000), (104.9, 60_000)])
    assert bound(learned(90_000), seen, 105.0) == (90_000, "demand")
    seen.readings.extend([Reading(105.0, 60_000), Reading(110.0, 60_000)])
    assert bound(learned(90_000), seen, 110.0) == (66_000, "demand")


def test_a_raise_by_a_trifle_leaves_the_draws_counting() -> None:
    seen = session([(0, 133_333), (109, 133_334)], [(100, 60_000), (110, 60_000)])
    assert bound(None, seen, 110.0) == (66_000, "demand")


def test_the_largest_draw_of_the_last_minute_decides() -> None:
    seen = session([(0, 133_000)], [(100, 90_000), (130, 60_000), (160, 60_000)])
    assert bound(None, seen, 160.0) == (97_500, "demand")
    assert bound(None, seen, 160.1) == (66_000, "demand")


def test_slow_meters_are_believed_too() -> None:
    seen = session([(0, 133_000)], [(-200, 90_000), (100, 70_000), (200, 60_000)])
    assert bound(None, seen, 290.0) == (76_500, "demand")


def test_the_bound_never_passes_the_ceiling() -> None:
    seen = session([(0, 150_000)], [(100, 140_000), (110, 140_000)])
    assert bound(learned(100_000), seen, 110.0) == (150_000, "connector")


# ------------------------------------------------------------------ starting up


@pytest.mark.parametrize(
    ("readings", "expected_w"),
    [
        ([(80.0, 0), (89.9, 0)], MAX),
        ([(80.0, 0), (90.0, 0)], 3_000),
        ([(20.0, 20_000), (25.0, 40_000)], MAX),
        ([(20.0, 20_000), (25.0, 20_401)], MAX),
        ([(20.0, 20_000), (25.0, 20_400)], 24_420),
        ([(20.0, 60_000), (25.0, 50_000)], 66_000),
        ([(20.0, 60_000), (25.0, 1_000)], MAX),
        ([(120.0, 20_000), (125.0, 40_000)], MAX),
    ],
    ids=[
        "nothing yet",
        "nothing for too long",
        "rising",
        "just rising",
        "level",
        "falling",
        "gone to nothing",
        "rising later",
    ],
)
def test_a_vehicle_that_starts(readings: list[tuple[float, int]], expected_w: int) -> None:
    assert bound(None, session([(0, 133_000)], readings), 125.0)[0] == expected_w


def test_a_resumed_vehicle_gets_the_grace_of_a_new_one() -> None:
    limits = [(0, 133_000), (300, 0), (500, 100_000), (560, 99_000)]
    seen = session(limits, [(570, 0), (580, 0)])
    assert bound(None, seen, 585.0) == (MAX, "connector")
    seen.readings.append(Reading(590.0, 0))
    assert bound(None, seen, 590.0) == (3_000, "demand")


def test_a_rising_vehicle_may_raise_its_bound() -> None:
    seen = session([(0, 100_000)], [(100, 50_000), (110, 60_000)])
    assert bound(learned(55_000), seen, 110.0) == (66_000, "demand")


# ------------------------------------------------------------------ pace


@pytest.mark.parametrize(
    ("previous_w", "draw_w", "expected_w"),
    [
        (66_000, 61_000, 66_000),
        (66_000, 61_257, 67_320),
        (66_000, 58_744, 66_000),
        (66_000, 58_743, 64_680),
        (20_000, 15_300, 20_000),
        (20_000, 15_239, 20_000),
        (20_000, 15_238, 19_000),
    ],
)
def test_a_change_of_less_than_a_kilowatt_or_two_percent_is_left_out(
    previous_w: int, draw_w: int, expected_w: int
) -> None:
    seen = session([(0, 100_000)], [(100, draw_w), (110, draw_w)])
    assert bound(learned(previous_w), seen, 110.0)[0] == expected_w


def test_the_dead_band_does_not_keep_a_full_draw_from_the_ceiling() -> None:
    seen = session([(0, 100_000)], [(110, 100_000)])
    assert bound(learned(149_900), seen, 110.0) == (MAX, "connector")


def test_raises_are_spaced_and_lowers_are_not() -> None:
    up = session([(0, 66_000)], [(100, 66_000)])
    before = learned(66_000, raised_at=80.0)
    assert next_demand(before, up, DC, POLICY, 109.9) == before
    assert next_demand(before, up, DC, POLICY, 110.0) == Demand(
        MAX, LimitSource.CONNECTOR, MAX, changed_at=110.0, raised_at=110.0
    )
    down = session([(0, 66_000)], [(90, 30_000), (100, 30_000)])
    assert next_demand(before, down, DC, POLICY, 100.0) == Demand(
        34_500, LimitSource.DEMAND, MAX, changed_at=100.0, raised_at=80.0
    )


# ------------------------------------------------------------------ nothing drawn


def test_an_idle_vehicle_keeps_a_floor_and_is_probed() -> None:
    seen = session([(0, 133_000)])
    demand: Demand | None = None
    offered: list[tuple[int, int]] = []
    for now in range(0, 2000, 10):
        seen.readings.append(Reading(float(now), 0))
        demand = next_demand(demand, seen, DC, POLICY, float(now))
        if not offered or offered[-1][1] != demand.bound_w:
            offered.append((now, demand.bound_w))
        assert demand.raised_at is None
    # Idle since the first reading that counts, at 10 s; no longer expected to wake after 90 s.
    assert offered == [
        (0, MAX),
        (10, 5_000),
        (90, 3_000),
        (610, MAX),
        (670, 3_000),
        (1210, MAX),
        (1270, 3_000),
        (1810, MAX),
        (1870, 3_000),
    ]


def test_a_floor_is_enough_to_charge_with() -> None:
    idle = [(100.0, 0), (110.0, 0)]
    needy = replace(DC, minimum_w=10_000)
    assert bound(None, session([(0, 20_000)], idle), 110.0, needy) == (10_000, "demand")
    assert bound(None, session([(0, 22_080)], idle), 110.0, AC) == (4_830, "demand")


def test_no_news_leaves_an_idle_vehicle_idle_and_a_draw_ends_it() -> None:
    seen = session([(0, 133_000)], [(100, 0), (110, 0)])
    idle = next_demand(None, seen, DC, POLICY, 110.0)
    assert idle.idle_since == 110.0
    seen.limits.append(LimitStep(115.0, 3_000))
    seen.limits.append(LimitStep(120.0, 133_000))
    quiet = next_demand(idle, seen, DC, POLICY, 130.0)
    assert (quiet.idle_since, quiet.bound_w) == (110.0, 3_000)
    seen.readings.extend([Reading(140.0, 0), Reading(150.0, 30_000)])
    assert next_demand(quiet, seen, DC, POLICY, 150.0).idle_since is None


# ------------------------------------------------------------------ waking up


def test_what_a_sleeping_vehicle_leaves_is_lent_out_until_it_wakes() -> None:
    seen = session([(0, 75_000)], [(10, 0)])
    asleep = next_demand(None, seen, DC, POLICY, 10.0)
    assert (asleep.bound_w, asleep.source, asleep.idle_since) == (5_000, LimitSource.DEMAND, 10.0)
    # However little it draws at first, it is given everything as soon as it does.
    seen.limits.append(LimitStep(10.2, 5_000))
    seen.readings.append(Reading(20.0, 1_001))
    awake = next_demand(asleep, seen, DC, POLICY, 20.0)
    assert (awake.bound_w, awake.source, awake.raised_at) == (MAX, LimitSource.CONNECTOR, 20.0)
    assert awake.idle_since is None


def test_a_vehicle_that_has_woken_once_is_measured_like_any_other() -> None:
    seen = session([(0, 100_000)], [(110, 2_000), (120, 2_000)])
    before = replace(learned(5_000, raised_at=20.0), idle_since=110.0)
    assert bound(before, seen, 120.0) == (5_000, "demand")


def test_a_meter_too_slow_to_see_it_wake_lends_nothing() -> None:
    assert bound(None, session([(0, 75_000)], [(30, 0)]), 30.0) == (5_000, "demand")
    assert bound(None, session([(0, 75_000)], [(30.1, 0)]), 31.0) == (MAX, "connector")


def test_before_its_limit_has_settled_nothing_is_lent() -> None:
    assert bound(None, session([(0, 75_000)], [(4.9, 0)]), 6.0) == (MAX, "connector")


def test_a_vehicle_that_has_drawn_something_is_not_asleep() -> None:
    seen = session([(0, 75_000)], [(10, 20_000), (20, 0)])
    assert bound(None, seen, 20.0) == (MAX, "connector")


def test_a_sleeping_vehicle_keeps_enough_to_start_with() -> None:
    asleep = session([(0, 22_080)], [(10, 0)])
    assert bound(None, asleep, 10.0, replace(DC, minimum_w=8_000)) == (8_000, "demand")
    assert bound(None, asleep, 10.0, AC) == (4_830, "demand")


# ------------------------------------------------------------------ enough


def enough(
    readings: Iterable[tuple[float, int]],
    previous: Demand | None = None,
    connector: Connector = DC,
    limits: Iterable[tuple[float, int]] = ((0, 133_000),),
) -> tuple[int | None, float | None]:
    seen = session(limits, readings)
    found = next_demand(previous, seen, connector, POLICY, seen.readings[-1].at)
    return found.enough_w, found.foreseen_until


@pytest.mark.parametrize(
    ("draws_w", "expected"),
    [
        # 100 W/s for 120 s is more than a fifth of what it takes.
        ((62_000, 61_000, 60_000), (48_000, 420.0)),
        # 20 W/s.
        ((60_400, 60_200, 60_000), (57_600, 420.0)),
        # 9 W/s for 120 s is less than 2 % of what it takes: steady.
        ((60_180, 60_090, 60_000), (64_092, None)),
        ((60_000, 60_000, 60_000), (63_900, None)),
        # Not falling all the time.
        ((62_000, 60_000, 60_001), (None, None)),
        ((60_000, 59_000), (None, None)),
    ],
    ids=["steep", "gentle", "nearly level", "level", "up and down", "too few"],
)
def test_enough_is_what_a_vehicle_will_take_in_a_while(
    draws_w: tuple[int, ...], expected: tuple[int | None, float | None]
) -> None:
    readings = [(120.0 - 10 * back, w) for back, w in enumerate(reversed(draws_w))]
    assert enough(reversed(readings)) == expected


def test_slow_meters_show_no_trend() -> None:
    assert enough([(0, 64_000), (60, 62_000), (121, 60_000)]) == (None, None)


def test_enough_is_never_more_than_the_bound() -> None:
    # A steady 10 kW: 6.5 % more is below the bound of 13.5 kW; a steady 300 kW: it is not.
    assert enough([(100, 10_000), (110, 10_000), (120, 10_000)]) == (10_650, None)
    huge = replace(DC, max_power_w=400_000)
    readings = [(100, 300_000), (110, 300_000), (120, 300_000)]
    assert enough(readings, None, huge, [(0, 400_000)]) == (None, None)


def test_nothing_and_alternating_current_have_no_trend() -> None:
    idle = [(100, 900), (110, 900), (120, 900)]
    assert enough(idle) == (None, None)
    falling = [(100, 12_000), (110, 11_000), (120, 10_000)]
    assert enough(falling, None, AC, [(0, 22_080)]) == (None, None)


def falling(bound_w: int = 66_000) -> Demand:
    """Learned at 50 s, and expected to draw all of its 48 kW until 350 s."""
    return replace(learned(bound_w), enough_w=48_000, foreseen_until=350.0)


def test_enough_moves_by_a_kilowatt_or_two_percent_at_least() -> None:
    readings = [(100, 60_180), (110, 60_090), (120, 60_000)]
    near = replace(learned(66_000), enough_w=63_000)
    assert enough(readings, near) == (63_000, None)
    assert enough(readings, replace(near, enough_w=62_000)) == (64_092, None)


def test_to_draw_all_of_what_was_foreseen_is_no_news() -> None:
    seen = session([(0, 66_000), (60, 48_000)], [(90, 48_000), (100, 48_000)])
    before = falling()
    assert next_demand(before, seen, DC, POLICY, 100.0) == before


@pytest.mark.parametrize(
    ("before", "limit_w", "at"),
    [
        (falling(), 48_000, 350.1),
        (falling(), 62_700, 100.0),
        (replace(falling(), foreseen_until=None), 48_000, 100.0),
    ],
    ids=["for too long", "more than was foreseen", "not foreseen"],
)
def test_to_draw_all_of_a_limit_otherwise_is_news(before: Demand, limit_w: int, at: float) -> None:
    seen = session([(0, limit_w)], [(at - 10, limit_w), (at, limit_w)])
    found = next_demand(before, seen, DC, POLICY, at)
    assert (found.bound_w, found.enough_w, found.foreseen_until) == (MAX, None, None)


def test_a_bound_that_falls_below_what_was_enough_is_enough() -> None:
    # Level at 40 kW: the bound of 45 kW is below the 48 kW of before.
    readings = [(80, 40_000), (110, 40_000), (120, 40_001)]
    assert enough(readings, falling()) == (None, None)
    # No news, and a vehicle that is now said to take no more than 45 kW.
    seen = session([(0, 45_000)], [(100, 45_000)], 45_000)
    assert next_demand(falling(), seen, DC, POLICY, 100.0).enough_w is None


# ------------------------------------------------------------------ phases


def test_a_vehicle_on_one_phase_of_three_is_not_squeezed() -> None:
    # 16 A on one phase: 3.7 kW under a limit of 22 kW on three, and not a watt more than it needs.
    seen = session([(0, 22_080)], [(100, 3_680), (110, 3_680)])
    found = next_demand(None, seen, AC, POLICY, 110.0)
    assert (found.bound_w, found.phases_used) == (12_282, 1)


def test_a_vehicle_on_one_phase_that_draws_all_of_it_is_censored() -> None:
    seen = session([(0, 11_040)], [(100, 3_600), (110, 3_600)])
    before = learned(11_040, ceiling_w=22_080)
    assert bound(before, seen, 110.0, AC) == (22_080, "connector")


def test_a_vehicle_on_three_phases_is_known_by_its_draw_from_then_on() -> None:
    seen = session([(0, 11_040)], [(100, 10_900), (110, 10_900)])
    known = next_demand(None, seen, AC, POLICY, 110.0)
    assert (known.bound_w, known.phases_used) == (22_080, 3)
    seen.limits.append(LimitStep(120.0, 22_080))
    seen.readings.extend([Reading(130.0, 11_000), Reading(140.0, 11_000)])
    found = next_demand(known, seen, AC, POLICY, 140.0)
    assert (found.bound_w, found.phases_used) == (12_240, 3)


def test_a_high_voltage_makes_no_second_phase() -> None:
    seen = session([(0, 11_040)], [(100, 4_000), (110, 4_000)])
    assert next_demand(None, seen, AC, POLICY, 110.0).phases_used == 1


def test_more_than_two_phases_of_sixteen_amperes_is_three_phases() -> None:
    # 16 A on three phases under a limit of 32 A: by the limit alone it might be two of them.
    seen = session([(0, 22_080)], [(100, 11_040), (110, 11_040)])
    found = next_demand(None, seen, AC, POLICY, 110.0)
    assert (found.bound_w, found.phases_used) == (12_282, 3)
    # Two phases of 16 A, at a voltage that is 10 % high.
    seen = session([(0, 22_080)], [(100, 8_096), (110, 8_096)])
    assert next_demand(None, seen, AC, POLICY, 110.0).phases_used == 1
    seen = session([(0, 22_080)], [(100, 8_097), (110, 8_097)])
    assert next_demand(None, seen, AC, POLICY, 110.0).phases_used == 3


def test_there_are_no_more_phases_than_the_connector_has() -> None:
    seen = session([(0, 11_040)], [(100, 20_000)])
    assert next_demand(None, seen, AC, POLICY, 110.0).phases_used == 3


def test_a_connector_with_one_phase() -> None:
    single = replace(AC, max_power_w=7_360, phases=1, minimum_w=0)
    seen = session([(0, 7_360)], [(100, 3_680), (110, 3_680)])
    assert bound(None, seen, 110.0, single) == (4_094, "demand")


# ------------------------------------------------------------------ whole sessions


@pytest.mark.parametrize("every_s", [1, 5, 10, 30])
def test_a_car_that_starts_late_and_tapers_gets_all_it_wants(every_s: int) -> None:
    drive = Drive(slow_start, lambda _: 133_000, every_s=every_s).run(1800)
    wanted = sum(slow_start(now) for now in range(1800))
    assert sum(drive.drawn.values()) >= 0.99 * wanted
    assert min(drive.bounds.values()) >= 3_000
    assert drive.changes() < 100


def test_a_car_that_sleeps_for_ten_minutes_still_gets_started() -> None:
    drive = Drive(lambda now: 120_000 if now > 630 else 0, lambda _: 133_000).run(700)
    assert (drive.bounds[600], drive.drawn[699]) == (3_000, 120_000)


def test_a_car_that_takes_less_and_then_more() -> None:
    drive = Drive(lambda now: 60_000 if now < 300 else 150_000, lambda _: 133_000).run(330)
    # The readings at 5 s and 10 s are the first two that count.
    assert [drive.bounds[now] for now in (0, 9, 10, 299, 304)] == [MAX, MAX, 66_000, 66_000, 66_000]
    assert [drive.bounds[305], drive.drawn[306]] == [MAX, 133_000]
    assert drive.changes() == 2


def test_a_car_that_changes_its_mind_all_the_time_is_raised_at_most_every_half_minute() -> None:
    def restless(now: float) -> int:
        return 150_000 if now % 20 < 10 else 20_000

    drive = Drive(restless, lambda _: 133_000, every_s=1).run(600)
    raised = [now for now in range(1, 600) if drive.bounds[now] > drive.bounds[now - 1]]
    assert len(raised) > 5
    assert all(later - sooner >= 30 for sooner, later in pairwise(raised))


def test_a_car_under_a_wandering_grid_is_never_learned_down_by_the_grid() -> None:
    def grid(now: float) -> int:
        return 40_000 + 10_000 * (int(now) // 20 % 7)

    drive = Drive(lambda _: 150_000, grid).run(900)
    assert set(drive.bounds.values()) == {MAX}


def test_a_single_phase_car_on_a_three_phase_socket_keeps_its_sixteen_amperes() -> None:
    # A limit holds on every phase: the car can draw a third of it.
    seen = session()
    demand: Demand | None = None
    drawn_w = 0
    for now in range(600):
        if now % 5 == 0 and now:
            seen.readings.append(Reading(float(now), drawn_w))
        demand = next_demand(demand, seen, AC, POLICY, float(now))
        if not seen.limits or seen.limits[-1].limit_w != demand.bound_w:
            seen.limits.append(LimitStep(float(now), demand.bound_w))
        drawn_w = min(3_680, demand.bound_w // 3)
        assert drawn_w == 3_680
