"""Accepted is not applied: each rule alone, then whole stories of chargers that do as they like."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest

from csms.dispatch.compliance import (
    STEPS_KEPT,
    Cause,
    Compliance,
    CompliancePolicy,
    Step,
    Terms,
    Verdict,
    next_compliance,
    pardon,
)
from csms.station.model import Connector, ConnectorKey, CurrentType, RateUnit
from csms.station.register import Register
from csms.station.state import ConnectorState, LimitStep, Reading, Session

KEY = ConnectorKey("CP001", 1)
MAX = 150_000
DC = Connector(KEY, MAX)
AC = Connector(KEY, 22_080, CurrentType.AC, phases=3, voltage_v=230, minimum_w=4_140)
POLICY = CompliancePolicy()
UNKNOWN, SETTLING, OBEYS, EXCEEDS = Verdict


@dataclass
class Outlet:
    """One connector, its limits, and its meter read every ten seconds."""

    connector: Connector = DC
    terms: Terms = field(default_factory=lambda: Terms(100_000, interval_s=10.0))
    policy: CompliancePolicy = POLICY
    state: ConnectorState = field(default_factory=ConnectorState)
    now: float = 0.0
    found: Compliance = field(default_factory=Compliance)

    def ask(self, at: float) -> Compliance:
        self.now = at
        self.found = next_compliance(
            self.found, self.connector, self.state, self.terms, self.policy, at
        )
        return self.found

    def starts(self, at: float, session_id: str = "s1") -> Outlet:
        self.state.session = Session(session_id, 1, KEY, "TAG", at, Register(0))
        self.state.changed_at = at
        self.ask(at)
        return self

    def ends(self, at: float) -> Compliance:
        self.state.session, self.state.changed_at = None, at
        return self.ask(at)

    def limit(self, at: float, limit_w: int) -> Compliance:
        """A limit is confirmed and no other may be in force."""
        assert self.state.session is not None
        self.state.session.limits.append(LimitStep(at, limit_w))
        self.terms = replace(self.terms, in_force_w=limit_w)
        return self.ask(at)

    def reads(self, at: float, power_w: float, measured_at: float | None = None) -> Compliance:
        self.state.reading = Reading(at, power_w, measured_at)  # type: ignore[arg-type]
        return self.ask(at)

    def draws(self, at: float, *powers_w: float) -> Compliance:
        """Readings ten seconds apart, the first at `at`."""
        for n, power_w in enumerate(powers_w):
            self.reads(at + 10.0 * n, power_w)
        return self.found


def outlet(limit_w: int = 100_000, connector: Connector = DC) -> Outlet:
    """A session since 0 s with one limit, all of it settled at 10 s."""
    made = Outlet(connector).starts(0.0)
    made.limit(0.0, limit_w)
    return made


def convicted(at: float = 10.0) -> Outlet:
    """Convicted of 120 kW at a limit of 100 kW, ten seconds after `at`."""
    made = outlet()
    assert made.draws(at, 120_000, 120_000).cause is Cause.LIMIT
    return made


# ------------------------------------------------------------------ what a reading says


def test_nothing_is_known_without_a_reading() -> None:
    found = outlet().ask(60.0)
    assert (found.verdict, found.counted_w, found.step) == (UNKNOWN, None, Step.NONE)


@pytest.mark.parametrize(
    ("limit_w", "power_w", "expected"),
    [
        (100_000, 0, OBEYS),
        (100_000, 105_000, OBEYS),
        (100_000, 105_001, SETTLING),
        (4_000, 4_500, OBEYS),
        (4_000, 4_501, SETTLING),
        (0, 500, OBEYS),
        (0, 501, SETTLING),
    ],
)
def test_a_reading_is_held_against_the_limit_and_the_meters_error(
    limit_w: int, power_w: int, expected: Verdict
) -> None:
    made = outlet(limit_w)
    assert made.reads(10.0, power_w).verdict is expected
    again = made.reads(20.0, power_w).verdict
    assert again is (OBEYS if expected is OBEYS else EXCEEDS)


def test_a_limit_in_amperes_lets_through_more_when_the_voltage_is_high() -> None:
    made = outlet(22_080, AC)
    made.terms = replace(made.terms, unit=RateUnit.AMPERES)
    assert made.draws(10.0, 24_288, 24_288).verdict is OBEYS
    assert made.draws(30.0, 24_289, 24_289).verdict is EXCEEDS


def test_a_reading_gets_old() -> None:
    made = outlet()
    made.reads(10.0, 90_000)
    assert made.ask(45.0).verdict is OBEYS
    assert made.ask(45.1).verdict is UNKNOWN


def test_a_lower_limit_is_given_time() -> None:
    made = outlet()
    made.reads(10.0, 100_000)
    assert made.limit(12.0, 50_000).verdict is SETTLING
    assert made.reads(16.9, 100_000).verdict is SETTLING
    assert made.reads(17.0, 100_000).memory.over is not None
    assert made.found.cause is None
    assert made.reads(27.0, 50_000).verdict is OBEYS
    assert made.found.memory.over is None


def test_what_was_read_before_a_limit_changed_says_nothing_of_the_new_one() -> None:
    made = outlet()
    made.reads(10.0, 40_000)
    assert made.limit(12.0, 50_000).verdict is SETTLING
    assert made.ask(20.0).verdict is SETTLING
    assert made.reads(20.0, 40_000).verdict is OBEYS


def test_a_raise_may_be_followed_before_it_is_seen_to_be_sent() -> None:
    made = outlet(50_000)
    made.state.reading = Reading(20.0, 100_000)
    made.terms = replace(made.terms, in_force_w=100_000)
    assert made.ask(20.3).memory.over is None


def test_a_limit_not_known_long_enough_convicts_nobody() -> None:
    made = outlet()
    assert made.reads(4.0, 120_000).memory.said_at is None
    assert made.reads(5.0, 120_000).memory.over is not None


def test_a_reading_from_before_the_session_says_nothing_about_it() -> None:
    made = Outlet()
    made.ask(0.0)
    made.state.reading = Reading(19.9, 120_000)
    made.starts(20.0)
    assert (made.found.verdict, made.found.memory.over) == (UNKNOWN, None)


def test_the_same_reading_is_not_looked_at_twice() -> None:
    made = outlet()
    made.reads(10.0, 120_000)
    assert made.ask(11.0).cause is None
    assert made.reads(9.0, 120_000).cause is None


def test_many_changes_of_a_limit_are_remembered_as_the_higher_ones() -> None:
    made = outlet(100_000)
    for n in range(STEPS_KEPT + 8):
        made.limit(10.0 + n / 100, 10_000 + n)
    assert len(made.found.memory.in_force) == STEPS_KEPT
    assert made.found.memory.in_force[0] == LimitStep(0.0, 100_000)
    made.ask(2_800.0)
    assert made.found.memory.in_force == (LimitStep(10.39, 10_039),)


@pytest.mark.parametrize("power_w", [math.nan, math.inf, -1, 450_001])
def test_what_no_meter_reads_neither_convicts_nor_acquits(power_w: float) -> None:
    made = outlet()
    assert made.draws(10.0, power_w, power_w, power_w).verdict is UNKNOWN
    assert made.found.counted_w is None
    other = convicted()
    said = other.found
    assert other.draws(30.0, power_w, power_w, power_w).cause is Cause.LIMIT
    assert other.found.observed_w == said.observed_w


def test_a_meter_that_stands_still_while_the_limit_moves_is_no_witness() -> None:
    made = outlet(100_000)
    made.draws(10.0, 40_000, 40_000, 40_000)
    made.limit(35.0, 60_000)
    assert made.draws(45.0, 40_000, 40_000).verdict is OBEYS
    assert made.draws(75.0, 40_000).verdict is UNKNOWN
    assert made.draws(85.0, 40_001).verdict is OBEYS


@pytest.mark.parametrize(
    ("power_w", "moved_to_w", "expected"),
    [(300, 60_000, OBEYS), (40_000, 95_000, OBEYS), (301, 60_000, UNKNOWN)],
    ids=["takes nothing", "the limit hardly moved", "stuck"],
)
def test_a_steady_vehicle_is_no_stuck_meter(
    power_w: int, moved_to_w: int, expected: Verdict
) -> None:
    made = outlet(100_000)
    made.draws(10.0, power_w)
    made.limit(15.0, moved_to_w)
    assert made.draws(80.0, power_w).verdict is expected


def test_moves_from_before_the_meter_stood_still_do_not_count() -> None:
    made = outlet(20_000)
    made.limit(10.0, 100_000)
    made.limit(11.0, 99_000)
    made.draws(20.0, 40_000)
    assert made.draws(90.0, 40_000).verdict is OBEYS
    without_limits = Outlet().starts(0.0)
    assert without_limits.draws(10.0, *[40_000] * 8).verdict is OBEYS


def test_a_stuck_meter_convicts_all_the_same() -> None:
    made = outlet(100_000)
    made.draws(10.0, 100_000)
    made.limit(60.0, 50_000)
    assert made.draws(80.0, 100_000, 100_000).verdict is EXCEEDS


def test_what_is_offered_stands_for_what_is_measured() -> None:
    made = outlet()
    made.state.offered = Reading(10.0, 120_000)
    assert made.ask(10.0).verdict is SETTLING
    made.state.offered = Reading(20.0, 120_000)
    assert made.ask(20.0).verdict is EXCEEDS
    measured = outlet()
    measured.state.offered = Reading(10.0, 150_000)
    assert measured.draws(10.0, 90_000, 90_000).verdict is OBEYS
    free = Outlet()
    free.state.offered = Reading(10.0, 120_000)
    assert free.ask(10.0).verdict is UNKNOWN


# ------------------------------------------------------------------ when a reading was taken


def test_a_reading_is_held_against_the_limits_of_when_it_was_taken() -> None:
    made = outlet()
    made.reads(10.0, 100_000, measured_at=10.0)
    made.limit(12.0, 50_000)
    assert made.reads(30.0, 100_000, measured_at=11.0).verdict is SETTLING
    assert made.found.memory.over is None


def test_a_queue_played_back_neither_convicts_nor_acquits() -> None:
    made = outlet()
    made.reads(10.0, 90_000, measured_at=10.0)
    for n in range(50):
        made.reads(700.0 + n / 10, 120_000, measured_at=20.0 + 10 * n)
    assert (made.found.cause, made.found.memory.said_at) == (None, 10.0)
    other = convicted()
    for n in range(50):
        other.reads(700.0 + n / 10, 90_000, measured_at=20.0 + 10 * n)
    assert other.found.cause is Cause.LIMIT


def test_a_wrong_clock_is_seen_through_from_the_second_reading_on() -> None:
    made = outlet()
    assert made.reads(10.0, 120_000, measured_at=10.0 - 1.7e9).verdict is UNKNOWN
    assert made.reads(20.0, 120_000, measured_at=21.0 - 1.7e9).cause is None
    assert made.reads(30.0, 120_000, measured_at=30.0 - 1.7e9).cause is Cause.LIMIT


def test_the_meter_interval_is_learned_quickly_upward_and_slowly_downward() -> None:
    made = Outlet(terms=Terms(100_000)).starts(0.0)
    assert made.found.memory.interval_s == 60.0
    readings_at = (10.0, 310.0, 320.0, 330.0, 1_231.0)
    assert [made.reads(at, 90_000).memory.interval_s for at in readings_at] == [
        60.0,
        300.0,
        150.0,
        75.0,
        75.0,
    ]


# ------------------------------------------------------------------ conviction


def test_one_slip_convicts_nobody() -> None:
    made = outlet()
    assert made.draws(10.0, 90_000, 120_000, 90_000, 120_000, 90_000).cause is None
    assert made.found.observed_w == 0


def test_two_excesses_convict_and_count_at_the_hardware_maximum() -> None:
    made = outlet()
    assert made.draws(10.0, 120_000).verdict is SETTLING
    found = made.draws(20.0, 110_000)
    assert (found.verdict, found.cause, found.counted_w) == (EXCEEDS, Cause.LIMIT, MAX)
    assert (found.step, found.step_at, found.observed_w) == (Step.RESEND, 20.0, 120_000)


def test_what_is_seen_above_the_hardware_maximum_counts() -> None:
    made = outlet()
    assert made.draws(10.0, 170_000, 160_000).counted_w == 170_000


def test_a_reading_within_a_limit_that_is_settling_interrupts_excesses() -> None:
    made = outlet()
    made.reads(10.0, 120_000)
    made.limit(12.0, 130_000)
    assert made.reads(14.0, 120_000).verdict is SETTLING
    made.limit(15.0, 100_000)
    found = made.reads(21.0, 120_000)
    assert found.cause is None
    assert found.memory.over is not None
    assert (found.memory.over.since, found.memory.over.count) == (21.0, 1)


def test_an_excess_followed_by_silence_convicts() -> None:
    made = outlet()
    made.reads(10.0, 120_000)
    assert made.ask(34.9).cause is None
    assert made.ask(35.0).cause is Cause.LIMIT
    assert made.ask(10_000.0).verdict is EXCEEDS


def test_a_reading_that_says_nothing_does_not_interrupt_excesses() -> None:
    made = outlet()
    assert made.draws(10.0, 120_000, math.nan, 120_000).cause is Cause.LIMIT


def test_a_limit_moving_all_the_time_interrupts_nothing_that_is_above_all_of_it() -> None:
    made = outlet(100_000)
    for n in range(1, 20):
        made.limit(10.0 + n, 60_000 + n * 1_000)
    assert made.draws(30.0, 120_000, 120_000).cause is Cause.LIMIT


# ------------------------------------------------------------------ what is done about it


def test_each_step_waits_for_the_last_to_help_and_obeying_ends_them_all() -> None:
    made = convicted()
    taken = []
    for n in range(3, 12):
        found = made.reads(10.0 * n, 120_000)
        taken.append((found.step.name, found.step_at))
    assert taken == [
        *[("RESEND", 20.0)] * 2,
        *[("STOP", 50.0)] * 3,
        *[("UNAVAILABLE", 80.0)] * 4,
    ]
    assert (made.found.observed_w, made.found.allowed_w) == (120_000, 100_000)
    found = made.draws(120.0, 90_000, 90_000, 90_000)
    assert (found.cause, found.step, found.counted_w) == (None, Step.NONE, None)
    assert (found.observed_w, found.allowed_w) == (0, 0)


def test_a_step_that_helps_is_the_last_and_none_is_taken_without_a_new_excess() -> None:
    assert convicted().ask(200.0).step is Step.RESEND
    made = convicted()
    made.draws(30.0, 120_000, 120_000)
    assert made.draws(50.0, 120_000, 95_000, 95_000).step is Step.NONE


def test_what_goes_on_after_the_session_was_stopped_is_taken_out_of_service() -> None:
    made = convicted()
    assert made.draws(30.0, 120_000, 120_000, 120_000).step is Step.STOP
    assert made.ends(55.0).counted_w == MAX
    assert made.draws(61.0, 120_000, 120_000).step is Step.STOP
    assert made.draws(81.0, 120_000).step is Step.UNAVAILABLE
    assert made.found.cause is Cause.LIMIT


def test_without_a_session_there_is_nothing_to_stop() -> None:
    made = Outlet()
    assert made.draws(0.0, 5_000).step is Step.RESEND
    assert made.draws(10.0, 5_000, 5_000).step is Step.RESEND
    assert made.draws(30.0, 5_000).step is Step.UNAVAILABLE


def test_a_new_session_is_sent_its_limit_before_it_is_stopped() -> None:
    made = convicted()
    made.draws(30.0, 120_000, 120_000, 120_000)
    made.ends(55.0)
    made.draws(61.0, 0)
    made.starts(70.0, "s2")
    assert (made.found.step, made.found.step_at) == (Step.RESEND, 70.0)
    assert (made.found.cause, made.found.counted_w) == (Cause.LIMIT, MAX)
    resent = convicted()
    resent.ends(25.0)
    resent.starts(30.0, "s2")
    assert (resent.found.step, resent.found.step_at) == (Step.RESEND, 20.0)


# ------------------------------------------------------------------ acquittal


def test_a_connector_held_at_its_limit_twice_is_acquitted() -> None:
    made = convicted()
    assert made.draws(30.0, 95_000).counted_w == MAX
    found = made.draws(40.0, 95_000)
    assert (found.verdict, found.cause, found.counted_w) == (OBEYS, None, None)
    assert (found.step, found.observed_w) == (Step.NONE, 0)


@pytest.mark.parametrize(
    ("limit_w", "powers_w"),
    [
        (100_000, [0] * 9),
        (100_000, [40_000] * 6),
        (100_000, [40_000] * 6 + [0] + [40_000] * 6),
        (115_000, [115_000] * 9),
        (100_000, [40_000] * 5 + [120_000] + [40_000] * 5),
    ],
    ids=["idle", "not held, not for long", "idle between", "as high as before", "excess between"],
)
def test_what_shows_no_obedience_acquits_nobody(limit_w: int, powers_w: list[int]) -> None:
    made = convicted()
    made.limit(25.0, limit_w)
    assert made.draws(35.0, *powers_w).cause is Cause.LIMIT


def test_drawing_less_for_long_enough_acquits() -> None:
    made = convicted()
    assert made.draws(30.0, *[40_000] * 6).cause is Cause.LIMIT
    assert made.draws(90.0, 40_000).cause is None


def test_a_limit_near_the_maximum_shows_nothing() -> None:
    made = outlet(140_000)
    made.draws(10.0, 160_000, 160_000)
    assert made.draws(30.0, *[139_000] * 9).cause is Cause.LIMIT
    made.limit(125.0, 135_000)
    assert made.draws(135.0, 135_000, 135_000).cause is None


def test_a_settling_limit_shows_nothing_and_spoils_nothing() -> None:
    made = convicted()
    made.draws(30.0, 95_000)
    made.limit(35.0, 90_000)
    assert made.draws(38.0, 90_000).memory.kept is not None
    assert made.draws(48.0, 90_000).cause is None


def test_a_conviction_outlives_its_session() -> None:
    made = convicted()
    made.ends(30.0)
    assert made.ask(31.0).verdict is EXCEEDS
    assert made.draws(40.0, 0, 0, 0).counted_w == MAX
    assert made.found.verdict is OBEYS


def test_a_pardon_begins_the_steps_anew_and_only_readings_acquit() -> None:
    made = convicted()
    made.draws(30.0, *[120_000] * 8)
    made.found = pardon(made.found, 105.0)
    found = made.ask(106.0)
    assert (found.cause, found.counted_w, found.step) == (Cause.LIMIT, MAX, Step.ALARM)
    assert made.draws(110.0, *[120_000] * 4).step is Step.RESEND


# ------------------------------------------------------------------ power without a session


def test_power_without_a_session_counts_until_it_is_gone() -> None:
    made = Outlet()
    assert made.draws(0.0, 300).verdict is OBEYS
    found = made.draws(10.0, 301)
    assert (found.verdict, found.cause, found.counted_w) == (EXCEEDS, Cause.NO_SESSION, MAX)
    assert made.ask(10_000.0).verdict is EXCEEDS
    found = made.draws(10_010.0, 300)
    assert (found.verdict, found.cause, found.counted_w) == (OBEYS, None, None)
    assert found.step is Step.NONE


def test_the_alarm_of_power_without_a_session_stays_when_it_came_to_the_last_step() -> None:
    made = Outlet()
    made.draws(0.0, 5_000, 5_000, 5_000, 5_000)
    assert made.found.step is Step.UNAVAILABLE
    found = made.draws(40.0, 0)
    assert (found.cause, found.counted_w, found.step) == (None, None, Step.UNAVAILABLE)
    assert pardon(found, 45.0).step is Step.NONE


def test_a_vehicle_may_take_a_moment_to_let_go() -> None:
    made = outlet()
    made.draws(10.0, 90_000)
    assert made.ends(20.0).verdict is UNKNOWN
    assert made.draws(24.9, 40_000).cause is None
    assert made.draws(25.0, 40_000).cause is Cause.NO_SESSION


def test_a_session_that_turns_up_explains_its_power() -> None:
    made = Outlet()
    made.draws(0.0, 40_000)
    made.starts(5.0)
    assert (made.found.verdict, made.found.counted_w) == (EXCEEDS, MAX)
    found = made.draws(15.0, 40_000)
    assert (found.verdict, found.cause, found.counted_w) == (OBEYS, None, None)


def test_a_session_that_turns_up_does_not_explain_more_than_its_limit() -> None:
    made = Outlet()
    made.draws(0.0, 120_000)
    made.starts(5.0)
    assert made.draws(15.0, 120_000).cause is Cause.NO_SESSION
    assert made.draws(25.0, 120_000).cause is Cause.LIMIT


def test_the_first_question_needs_no_answer_before() -> None:
    found = next_compliance(None, DC, ConnectorState(), Terms(MAX), POLICY, 0.0)
    assert (found.verdict, found.counted_w, found.cause) == (UNKNOWN, None, None)
