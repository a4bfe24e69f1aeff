"""Which grid limit is in force: every case of the table, and what time, silence and people do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from csms.station.grid import (
    AWAITED,
    TABLE,
    GivenLimit,
    GridLimit,
    GridLimitSource,
    GridState,
    GridStep,
    Mode,
    Sign,
    advance,
    dump_grid,
    failsafe_w,
    given,
    grid_limit,
    heartbeat,
    in_force,
    least_w,
    load_grid,
    misplaced,
    news,
    next_change_at,
    planned_change_at,
    restarted,
    schedule_shortfalls,
    scheduled,
    shortfall,
    silent_at,
    timeout_s,
    withdrawn,
)
from csms.station.model import GridSource, Station
from tests.stations import charger, station

NOW = 1_000.0
SITE = station(grid_limit_w=400_000)
WATCHED = replace(SITE, grid_source=GridSource(50_000))
REQUIRED = replace(SITE, grid_source=GridSource(50_000, 30.0, required=True))


def shown(site: Station, grid: GridState, now: float) -> tuple[int, str]:
    limit = grid_limit(site, grid, now)
    return limit.limit_w, limit.source.value


def lost(site: Station = WATCHED) -> GridState:
    """Lost at NOW: 100 kW were given a time-out ago."""
    return advance(site, given(site, GridState(), 100_000, NOW - 120), NOW)


# ------------------------------------------------------------------------------ the table

ROWS = {
    # mode: what becomes of it by PROMISE, LIMIT, HEARTBEAT, SILENCE, EXPIRY, WITHDRAWAL, RESTART
    "open": "heard open open open open open open",
    "heard": "heard heard heard lost heard open lost",
    "lost": "lost limit_came heartbeat_came lost lost lost lost",
    "heartbeat_came": "heartbeat_came heard heartbeat_came lost heartbeat_came heartbeat_came lost",
    "limit_came": "limit_came limit_came heard lost lost lost lost",
}


@pytest.mark.parametrize("mode", list(Mode))
def test_a_row(mode: Mode) -> None:
    assert [TABLE[mode, sign].value for sign in Sign] == ROWS[mode].split()


def test_the_table_has_every_case_and_no_other() -> None:
    assert set(TABLE) == {(mode, sign) for mode in Mode for sign in Sign}
    assert set(AWAITED) == set(Mode)


def test_the_failsafe_is_left_by_nothing_but_a_heartbeat_and_a_limit() -> None:
    left = {(mode, sign) for (mode, sign), to in TABLE.items() if AWAITED[mode] and not AWAITED[to]}
    assert left == {(Mode.HEARTBEAT_CAME, Sign.LIMIT), (Mode.LIMIT_CAME, Sign.HEARTBEAT)}


# ------------------------------------------------------------------------------ what holds


def test_the_configured_limit_holds_when_nothing_was_said() -> None:
    assert grid_limit(SITE, GridState(), NOW) == GridLimit(400_000, GridLimitSource.CONFIGURED, NOW)
    assert in_force(SITE, GridState(), NOW) is SITE


def test_the_smallest_limit_holds_and_is_named() -> None:
    steps = (GridStep(NOW, 300_000),)
    grid = scheduled(SITE, given(SITE, GridState(), 200_000, NOW), steps, NOW)
    assert shown(SITE, grid, NOW) == (200_000, "given")
    assert shown(SITE, given(SITE, grid, 350_000, NOW), NOW) == (300_000, "schedule")
    assert shown(replace(SITE, grid_limit_w=1_000), grid, NOW) == (1_000, "configured")
    assert in_force(SITE, grid, NOW) == replace(SITE, grid_limit_w=200_000)


def test_of_equal_limits_the_most_urgent_is_named() -> None:
    grid = given(SITE, GridState(), 400_000, NOW)
    assert shown(SITE, grid, NOW) == (400_000, "given")
    assert in_force(SITE, grid, NOW) is SITE


def test_zero_is_a_limit() -> None:
    assert shown(SITE, given(SITE, GridState(), 0, NOW), NOW) == (0, "given")


def test_the_newest_limit_counts_even_when_it_is_higher() -> None:
    grid = given(SITE, given(SITE, GridState(), 50_000, NOW), 90_000, NOW + 1)
    assert shown(SITE, grid, NOW + 1) == (90_000, "given")


def test_a_limit_ends_when_it_was_to_end() -> None:
    grid = given(SITE, GridState(), 50_000, NOW, valid_until=NOW + 60)
    assert shown(SITE, grid, NOW + 59.9) == (50_000, "given")
    assert grid_limit(SITE, grid, NOW + 70) == GridLimit(
        400_000, GridLimitSource.CONFIGURED, NOW + 60
    )
    assert advance(SITE, grid, NOW + 60).given is None


def test_a_limit_without_an_end_holds() -> None:
    assert shown(SITE, given(SITE, GridState(), 50_000, NOW), NOW + 1e6) == (50_000, "given")


STEPS = (GridStep(NOW + 10, 100_000), GridStep(NOW + 20, 500_000), GridStep(NOW + 30, 80_000))


@pytest.mark.parametrize(
    ("seconds", "limit_w", "source", "since"),
    [
        (0, 400_000, "configured", 0),
        (9.9, 400_000, "configured", 0),
        (10, 100_000, "schedule", 10),
        (19.9, 100_000, "schedule", 10),
        (20, 400_000, "configured", 20),
        (30, 80_000, "schedule", 30),
        (9_999, 80_000, "schedule", 30),
    ],
)
def test_a_schedule_holds_from_step_to_step_and_its_last_step_for_good(
    seconds: float, limit_w: int, source: str, since: float
) -> None:
    grid = scheduled(SITE, GridState(), STEPS, NOW)
    assert grid_limit(SITE, grid, NOW + seconds) == GridLimit(
        limit_w, GridLimitSource(source), NOW + since
    )


def test_a_schedule_may_begin_in_the_past_and_be_replaced_by_none() -> None:
    grid = scheduled(SITE, GridState(), STEPS, NOW + 15)
    assert shown(SITE, grid, NOW + 15) == (100_000, "schedule")
    assert shown(SITE, scheduled(SITE, grid, (), NOW + 16), NOW + 16) == (400_000, "configured")


def test_it_is_known_since_when_a_limit_holds() -> None:
    grid = advance(SITE, GridState(), NOW)
    grid = given(SITE, grid, 90_000, NOW + 5)
    again = given(SITE, grid, 90_000, NOW + 50)
    assert grid_limit(SITE, again, NOW + 99).since == NOW + 5


def test_it_does_not_matter_how_often_one_looks() -> None:
    grid = scheduled(WATCHED, given(WATCHED, GridState(), 90_000, NOW), STEPS, NOW)
    often = grid
    for tenths in range(1, 2_000):
        often = advance(WATCHED, often, NOW + tenths / 10)
    assert often == advance(WATCHED, grid, NOW + 199.9)
    assert often.in_force == GridLimit(50_000, GridLimitSource.FAILSAFE, NOW + 120)


def test_time_does_not_run_backward() -> None:
    grid = advance(SITE, given(SITE, GridState(), 50_000, NOW, valid_until=NOW + 5), NOW + 5)
    assert grid_limit(SITE, grid, NOW) == GridLimit(400_000, GridLimitSource.CONFIGURED, NOW + 5)


# ------------------------------------------------------------------------------ the source


def test_nothing_is_expected_of_a_source_that_promised_nothing() -> None:
    grid = heartbeat(SITE, given(SITE, GridState(), 100_000, NOW), NOW)
    assert grid.mode is Mode.OPEN
    assert shown(SITE, grid, NOW + 1e6) == (100_000, "given")
    assert silent_at(SITE, grid) is None


@pytest.mark.parametrize("heartbeat_s", [None, 60.0])
def test_a_silent_source_is_lost_after_its_time_out(heartbeat_s: float | None) -> None:
    site = SITE if heartbeat_s else WATCHED
    grid = given(site, GridState(), 100_000, NOW, heartbeat_s=heartbeat_s)
    assert silent_at(site, grid) == NOW + 120
    assert advance(site, grid, NOW + 119.9).mode is Mode.HEARD
    assert advance(site, grid, NOW + 120).mode is Mode.LOST


@pytest.mark.parametrize(
    ("site", "heartbeat_s", "expected_s"),
    [
        (SITE, None, 120.0),
        (SITE, 60.0, 120.0),
        (SITE, 10.0, 20.0),
        (SITE, 100.0, 120.0),
        (REQUIRED, None, 30.0),
        (REQUIRED, 20.0, 30.0),
        (REQUIRED, 1.0, 2.0),
    ],
)
def test_the_time_out_is_twice_the_promise_at_most_the_stations(
    site: Station, heartbeat_s: float | None, expected_s: float
) -> None:
    assert timeout_s(site, heartbeat_s) == expected_s


def test_heartbeats_and_limits_keep_the_source() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, heartbeat_s=60.0)
    for seconds in (100, 200, 300):
        grid = heartbeat(SITE, grid, NOW + seconds)
    # The promise holds although the next limit says nothing of it.
    grid = given(SITE, grid, 90_000, NOW + 400)
    assert (grid.mode, grid.heartbeat_s) == (Mode.HEARD, 60.0)
    assert grid_limit(SITE, grid, NOW + 520).since == NOW + 520


def test_a_heartbeat_that_comes_too_late_does_not_undo_the_loss() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, heartbeat_s=60.0)
    assert heartbeat(SITE, grid, NOW + 120).mode is Mode.HEARTBEAT_CAME


def test_a_source_of_the_station_is_watched_once_it_was_heard() -> None:
    assert shown(WATCHED, GridState(), NOW) == (400_000, "configured")
    grid = heartbeat(WATCHED, GridState(), NOW)
    assert shown(WATCHED, grid, NOW) == (400_000, "configured")
    assert shown(WATCHED, grid, NOW + 120) == (50_000, "failsafe")


def test_a_required_source_is_lost_until_it_is_heard() -> None:
    assert shown(REQUIRED, GridState(), NOW) == (50_000, "failsafe")
    grid = heartbeat(REQUIRED, GridState(), NOW)
    assert shown(REQUIRED, grid, NOW) == (50_000, "failsafe")
    assert shown(REQUIRED, given(REQUIRED, grid, 90_000, NOW), NOW) == (90_000, "given")


def test_losing_the_source_never_raises_the_limit() -> None:
    grid = given(WATCHED, GridState(), 20_000, NOW, valid_until=NOW + 200)
    assert shown(WATCHED, grid, NOW + 150) == (20_000, "given")
    assert advance(WATCHED, grid, NOW + 150).failsafe
    assert shown(WATCHED, grid, NOW + 200) == (50_000, "failsafe")


def test_the_configured_limit_and_the_schedule_hold_in_failsafe_too() -> None:
    grid = scheduled(WATCHED, lost(), (GridStep(NOW, 10_000),), NOW)
    assert shown(WATCHED, grid, NOW) == (10_000, "schedule")
    assert shown(replace(WATCHED, grid_limit_w=9_000), grid, NOW) == (9_000, "configured")


def test_without_a_failsafe_limit_the_fallbacks_are_what_is_left() -> None:
    site = station(charger(fallback_w=4_000), static_load_w=3_000, reserve_w=500)
    assert least_w(site) == 11_500
    assert failsafe_w(site) == 11_500
    grid = given(site, GridState(), 100_000, NOW, heartbeat_s=10.0)
    assert shown(site, grid, NOW + 20) == (11_500, "failsafe")


# ------------------------------------------------------------------------------ the way out


def test_the_way_out_by_heartbeat_then_limit() -> None:
    grid = heartbeat(WATCHED, lost(), NOW + 1)
    assert (grid.mode, shown(WATCHED, grid, NOW + 1)) == (Mode.HEARTBEAT_CAME, (50_000, "failsafe"))
    grid = given(WATCHED, grid, 90_000, NOW + 2)
    assert (grid.mode, shown(WATCHED, grid, NOW + 2)) == (Mode.HEARD, (90_000, "given"))


def test_the_way_out_by_limit_then_heartbeat() -> None:
    grid = given(WATCHED, lost(), 90_000, NOW + 1)
    assert (grid.mode, shown(WATCHED, grid, NOW + 1)) == (Mode.LIMIT_CAME, (50_000, "failsafe"))
    grid = heartbeat(WATCHED, grid, NOW + 2)
    assert (grid.mode, shown(WATCHED, grid, NOW + 2)) == (Mode.HEARD, (90_000, "given"))


def test_a_lower_limit_is_obeyed_before_the_failsafe_is_left() -> None:
    assert shown(WATCHED, given(WATCHED, lost(), 5_000, NOW), NOW) == (5_000, "given")


@pytest.mark.parametrize("first", ["heartbeat", "limit"])
def test_half_of_the_way_out_does_not_last(first: str) -> None:
    half = (
        heartbeat(WATCHED, lost(), NOW)
        if first == "heartbeat"
        else given(WATCHED, lost(), 90_000, NOW)
    )
    assert advance(WATCHED, half, NOW + 119).mode is not Mode.LOST
    assert advance(WATCHED, half, NOW + 120).mode is Mode.LOST
    other = (
        given(WATCHED, half, 90_000, NOW + 120)
        if first == "heartbeat"
        else heartbeat(WATCHED, half, NOW + 120)
    )
    assert other.failsafe


def test_a_new_limit_that_has_run_out_is_none() -> None:
    grid = given(WATCHED, lost(), 90_000, NOW, valid_until=NOW + 10)
    grid = heartbeat(WATCHED, grid, NOW + 10)
    assert (grid.mode, shown(WATCHED, grid, NOW + 10)) == (
        Mode.HEARTBEAT_CAME,
        (50_000, "failsafe"),
    )


def test_an_old_limit_that_runs_out_changes_nothing_on_the_way_out() -> None:
    grid = given(WATCHED, GridState(), 90_000, NOW - 120, valid_until=NOW + 5)
    grid = heartbeat(WATCHED, grid, NOW)
    assert advance(WATCHED, grid, NOW + 6).mode is Mode.HEARTBEAT_CAME


# ------------------------------------------------------------------------------ withdrawn


def test_back_to_the_configured_limit() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, heartbeat_s=60.0)
    grid = withdrawn(SITE, scheduled(SITE, grid, STEPS, NOW), NOW + 1)
    assert (grid.mode, grid.given, grid.schedule, grid.heartbeat_s) == (Mode.OPEN, None, (), None)
    assert shown(SITE, grid, NOW + 1e6) == (400_000, "configured")


def test_a_required_source_is_still_watched_when_its_limit_is_withdrawn() -> None:
    grid = given(REQUIRED, heartbeat(REQUIRED, GridState(), NOW), 90_000, NOW, heartbeat_s=10.0)
    grid = withdrawn(REQUIRED, grid, NOW + 1)
    assert (grid.mode, grid.heartbeat_s) == (Mode.HEARD, None)
    assert shown(REQUIRED, grid, NOW + 29) == (400_000, "configured")
    assert shown(REQUIRED, grid, NOW + 30) == (50_000, "failsafe")


@pytest.mark.parametrize("site", [SITE, WATCHED, REQUIRED])
def test_the_failsafe_cannot_be_withdrawn(site: Station) -> None:
    grid = given(site, GridState(), 100_000, NOW, heartbeat_s=10.0)
    grid = withdrawn(site, advance(site, grid, NOW + 20), NOW + 20)
    assert (grid.mode, grid.given, grid.heartbeat_s) == (Mode.LOST, None, 10.0)


# ------------------------------------------------------------------------------ restart, change


def test_an_active_source_is_lost_by_a_restart() -> None:
    grid = given(WATCHED, GridState(), 100_000, NOW, valid_until=NOW + 900)
    kept = load_grid(json.loads(json.dumps(dump_grid(scheduled(WATCHED, grid, STEPS, NOW)))))
    back = restarted(WATCHED, kept, NOW + 5)
    assert (back.mode, back.given) == (Mode.LOST, GivenLimit(100_000, NOW, NOW + 900))
    assert (back.schedule, back.last_sign_at) == (STEPS, None)
    assert back.in_force == GridLimit(50_000, GridLimitSource.FAILSAFE, NOW + 5)


def test_a_limit_without_a_source_survives_a_restart_as_it_was() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, valid_until=NOW + 900)
    back = restarted(SITE, load_grid(dump_grid(grid)), NOW + 5)
    assert (back.mode, shown(SITE, back, NOW + 5)) == (Mode.OPEN, (100_000, "given"))
    assert shown(SITE, back, NOW + 900) == (400_000, "configured")


def test_a_limit_that_ended_while_csms_was_down_does_not_come_back() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, valid_until=NOW + 5)
    back = restarted(SITE, load_grid(dump_grid(grid)), NOW + 5)
    assert shown(SITE, back, NOW + 5) == (400_000, "configured")


def test_a_promise_survives_a_restart() -> None:
    grid = given(SITE, GridState(), 100_000, NOW, heartbeat_s=10.0)
    back = restarted(SITE, load_grid(dump_grid(grid)), NOW)
    assert (back.mode, back.heartbeat_s) == (Mode.LOST, 10.0)


def test_what_is_kept_does_not_change_by_a_heartbeat_or_by_time() -> None:
    grid = given(WATCHED, GridState(), 100_000, NOW)
    document = {
        "active": True,
        "given": [100_000, NOW, None],
        "heartbeat_s": None,
        "schedule": [],
    }
    assert dump_grid(grid) == document
    assert dump_grid(heartbeat(WATCHED, grid, NOW + 5)) == document
    assert dump_grid(advance(WATCHED, grid, NOW + 500)) == document


def test_a_source_taken_out_of_the_configuration_is_not_missed() -> None:
    assert shown(SITE, lost(), NOW) == (100_000, "given")
    assert advance(SITE, lost(), NOW).mode is Mode.OPEN


def test_a_promise_is_missed_whatever_the_configuration_says() -> None:
    grid = given(WATCHED, GridState(), 100_000, NOW, heartbeat_s=10.0)
    assert advance(SITE, grid, NOW + 20).mode is Mode.LOST


def test_a_source_that_becomes_required_is_lost_unless_it_was_heard() -> None:
    assert advance(REQUIRED, given(SITE, GridState(), 90_000, NOW), NOW).mode is Mode.LOST
    assert advance(REQUIRED, given(WATCHED, GridState(), 90_000, NOW), NOW + 1).mode is Mode.HEARD
    # Its shorter time-out counts at once.
    assert advance(REQUIRED, given(WATCHED, GridState(), 90_000, NOW), NOW + 31).mode is Mode.LOST


# ------------------------------------------------------------------------------ when to look again


def test_there_is_no_next_change_when_nothing_is_to_come() -> None:
    assert next_change_at(SITE, GridState(), NOW) is None
    assert next_change_at(WATCHED, lost(), NOW) is None


def test_the_next_change_is_the_first_of_end_step_and_silence() -> None:
    grid = given(WATCHED, GridState(), 90_000, NOW, valid_until=NOW + 15)
    assert next_change_at(WATCHED, grid, NOW) == NOW + 15
    grid = scheduled(WATCHED, grid, STEPS, NOW)
    looks = [NOW, NOW + 10, NOW + 15, NOW + 20, NOW + 30, NOW + 120]
    found = [next_change_at(WATCHED, grid, now) for now in looks]
    assert found == [NOW + 10, NOW + 15, NOW + 20, NOW + 30, NOW + 120, None]
    planned = [planned_change_at(grid, now) for now in looks]
    assert planned == [NOW + 10, NOW + 15, NOW + 20, NOW + 30, None, None]


# ------------------------------------------------------------------------------ can it hold?


@pytest.mark.parametrize(
    ("starts", "index"),
    [([], None), ([1], None), ([1, 2, 3], None), ([2, 1], 1), ([1, 2, 2], 2), ([1, 3, 2, 1], 2)],
)
def test_steps_come_one_after_the_other(starts: list[int], index: int | None) -> None:
    assert misplaced([GridStep(start, 0) for start in starts]) == index


def test_steps_out_of_order_are_never_taken() -> None:
    with pytest.raises(AssertionError):
        scheduled(SITE, GridState(), STEPS[::-1], NOW)


def test_a_limit_that_the_fallbacks_exceed_is_said_so() -> None:
    site = station(charger(fallback_w=4_000), static_load_w=3_000)
    assert shortfall(site, "the limit", 11_000) is None
    assert shortfall(site, "the limit", 10_999) == (
        "static load, reserve and the fallbacks of all connectors sum to 11.0 kW, "
        "more than the limit of 10.999 kW"
    )


def test_only_steps_that_hold_now_or_later_are_judged() -> None:
    site = station(static_load_w=90_000)
    assert [i for i, _ in schedule_shortfalls(site, STEPS, NOW)] == [2]
    site = station(static_load_w=100_001)
    assert [i for i, _ in schedule_shortfalls(site, STEPS, NOW)] == [0, 2]
    assert [i for i, _ in schedule_shortfalls(site, STEPS, NOW + 15)] == [0, 2]
    assert [i for i, _ in schedule_shortfalls(site, STEPS, NOW + 20)] == [2]


# ------------------------------------------------------------------------------ in words


def test_a_new_limit_is_news_and_a_quiet_start_is_none() -> None:
    start, begun = GridState(), advance(SITE, GridState(), NOW)
    cut = given(SITE, begun, 60_500, NOW)
    assert news(start, start) == []
    assert news(start, begun) == []
    assert news(begun, begun) == []
    assert news(begun, advance(replace(SITE, grid_limit_w=1), begun, NOW)) == []
    assert news(begun, cut) == [("grid_limit", "60.5 kW (given)")]
    assert news(start, cut) == [("grid_limit", "60.5 kW (given)")]
    assert news(cut, withdrawn(SITE, cut, NOW)) == [("grid_limit", "400.0 kW (configured)")]


def test_a_source_lost_and_back_is_news() -> None:
    heard = given(WATCHED, GridState(), 100_000, NOW - 120)
    half = heartbeat(WATCHED, lost(), NOW)
    assert news(heard, lost()) == [
        ("grid_source_lost", "fail-safe; left on a new heartbeat and limit"),
        ("grid_limit", "50.0 kW (failsafe)"),
    ]
    assert news(lost(), half) == []
    assert news(half, given(WATCHED, half, 100_000, NOW)) == [
        ("grid_source_back", "the fail-safe is left"),
        ("grid_limit", "100.0 kW (given)"),
    ]
