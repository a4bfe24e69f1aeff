"""The commissioning test: its limits, what readings prove, and what is learned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.capability import AtZero, Capability, Proof
from csms.dispatch.commands import Scope
from csms.dispatch.commissioning import (
    Absence,
    Finding,
    Judge,
    Lessons,
    Limits,
    Restart,
    Result,
    Trial,
    Verdict,
    lacking,
    lessons,
    limits,
    taught,
)
from csms.dispatch.compliance import CompliancePolicy
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.model import (
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    Limit,
    LimitSource,
    RateUnit,
)
from csms.station.state import Reading
from tests.stations import charger, station

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)
JUDGE = Judge(CompliancePolicy(), RateUnit.WATTS)
AMPERES = Judge(CompliancePolicy(), RateUnit.AMPERES)
PASSED, FAILED, NOT_SHOWN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_SHOWN


def readings(*powers_w: int) -> list[Reading]:
    return [Reading(float(i), power_w) for i, power_w in enumerate(powers_w)]


def verdict(finding: Finding | None) -> Verdict | None:
    return None if finding is None else finding.verdict


# ------------------------------------------------------------------------------ limits


def dc(max_power_w: int = 150_000, **changes: int) -> Connector:
    return Connector(A1, max_power_w, CurrentType.DC, **changes)


def ac(max_power_w: int = 22_000, **changes: int) -> Connector:
    return Connector(A1, max_power_w, CurrentType.AC, **changes)


@pytest.mark.parametrize(
    ("connector", "judge", "expected"),
    [
        (dc(), JUDGE, Limits(30_000, 15_000, 30_000, 0)),
        (dc(minimum_w=20_000), JUDGE, Limits(40_000, 20_000, 40_000, 0)),
        (dc(fallback_w=40_000), JUDGE, Limits(30_000, 15_000, 46_000, 40_000)),
        (dc(30_000, fallback_w=29_000), JUDGE, Limits(6_000, 3_000, 30_000, 29_000)),
        (ac(fallback_w=4_140), AMPERES, Limits(6_900, 4_140, 6_900, 4_140)),
        (ac(phases=1), AMPERES, Limits(2_300, 1_380, 2_300, 0)),
        (ac(3_700), AMPERES, Limits(3_700, 3_700, 3_700, 0)),
    ],
)
def test_the_limits_of_a_test(connector: Connector, judge: Judge, expected: Limits) -> None:
    assert limits(connector, judge) == expected


def test_there_is_room_where_every_node_carries_the_maximum_beside_the_others() -> None:
    built = station(
        charger("A", max_power_w=100_000, feeder_id="F"),
        charger("B", max_power_w=100_000, connectors=1, feeder_id="F"),
        charger("C", max_power_w=50_000, connectors=1, feeder_id="G"),
        grid_limit_w=150_000,
        feeders=(Feeder("F", 120_000), Feeder("G", 1)),
    )
    ledger = Ledger(built)
    c1 = ConnectorKey("C", 1)
    # The charger itself never draws more than its own maximum.
    assert lacking(ledger, A1, {A1: 5, A2: 90_000, B1: 20_000, c1: 30_000}) == []
    assert lacking(ledger, A1, {A1: 5, A2: 0, B1: 20_001, c1: 30_000}) == [
        "the grid gives 150000 W and 150001 W are needed",
        "the feeder F gives 120000 W and 120001 W are needed",
    ]


# ------------------------------------------------------------------------------ held


@pytest.mark.parametrize(
    ("powers_w", "early", "final"),
    [
        ((), None, NOT_SHOWN),
        ((20_000,), None, NOT_SHOWN),
        ((90_000, 20_000, 20_000), PASSED, PASSED),
        ((16_000, 12_000), PASSED, PASSED),
        ((15_900, 15_900), None, NOT_SHOWN),
        ((20_000, 21_001), None, FAILED),
        ((90_000, 90_000), None, FAILED),
        ((90_000, 90_000, 90_000), FAILED, FAILED),
        ((20_000, 90_000, 90_000), None, FAILED),
    ],
)
def test_a_limit_is_seen_when_it_holds_the_vehicle(
    powers_w: tuple[int, ...], early: Verdict | None, final: Verdict
) -> None:
    assert verdict(JUDGE.held(readings(*powers_w), 20_000, final=False)) == early
    assert verdict(JUDGE.held(readings(*powers_w), 20_000, final=True)) == final


def test_a_finding_tells_its_figures() -> None:
    found = JUDGE.held(readings(19_000, 20_500), 20_000, final=False)
    assert found == Finding(PASSED, "held at the limit", 20_000, 20_500)


def test_amperes_are_allowed_more_as_the_voltage_varies() -> None:
    assert AMPERES.exceeds(7_591, 6_900)
    assert not AMPERES.exceeds(7_590, 6_900)
    assert JUDGE.exceeds(7_401, 6_900)


@pytest.mark.parametrize(
    ("powers_w", "early", "final"),
    [
        ((0, 0), None, NOT_SHOWN),
        ((0, 20_000, 20_000), PASSED, PASSED),
        ((0, 30_000, 20_000, 20_000), PASSED, PASSED),
        ((0, 30_000, 30_000, 20_000, 20_000), FAILED, FAILED),
    ],
)
def test_what_follows_a_pause_must_never_be_above_the_limit_for_long(
    powers_w: tuple[int, ...], early: Verdict | None, final: Verdict
) -> None:
    assert verdict(JUDGE.resumed(readings(*powers_w), 20_000, final=False)) == early
    assert verdict(JUDGE.resumed(readings(*powers_w), 20_000, final=True)) == final


# ------------------------------------------------------------------------------ zero


@pytest.mark.parametrize(
    ("powers_w", "suspended", "early", "final", "at_zero"),
    [
        ((), False, None, NOT_SHOWN, None),
        ((0,), False, None, NOT_SHOWN, None),
        ((), True, None, PASSED, AtZero.PAUSE),
        ((9_000, 300, 0), False, PASSED, PASSED, AtZero.PAUSE),
        ((5_000, 5_100), False, None, PASSED, AtZero.MINIMUM),
        ((20_000, 20_000), True, None, FAILED, AtZero.MINIMUM),
    ],
)
def test_what_zero_does(
    powers_w: tuple[int, ...],
    suspended: bool,
    early: Verdict | None,
    final: Verdict,
    at_zero: AtZero | None,
) -> None:
    seen = readings(*powers_w)
    found = JUDGE.at_zero(seen, 5_000, ended=False, suspended=suspended, final=False)
    assert verdict(found) == early
    found = JUDGE.at_zero(seen, 5_000, ended=False, suspended=suspended, final=True)
    assert found is not None
    assert (found.verdict, found.at_zero) == (final, at_zero)


def test_zero_may_end_the_session() -> None:
    found = JUDGE.at_zero([], 5_000, ended=True, suspended=False, final=False)
    assert found == Finding(PASSED, "ends the session", 0, 0, at_zero=AtZero.STOP)


# ------------------------------------------------------------------------------ leases


@pytest.mark.parametrize(
    ("before_w", "after_w", "early", "final", "lease"),
    [
        ((20_000,), (), None, NOT_SHOWN, None),
        ((20_000,), (3_000,), None, NOT_SHOWN, None),
        ((20_000,), (20_000, 3_000, 2_000), PASSED, PASSED, None),
        ((3_000,), (3_000, 3_000), NOT_SHOWN, NOT_SHOWN, None),
        ((), (3_000, 3_000), NOT_SHOWN, NOT_SHOWN, None),
        ((20_000,), (20_000, 20_000), None, FAILED, Proof.NO),
        ((20_000,), (90_000, 90_000, 90_000), FAILED, FAILED, Proof.NO),
    ],
)
def test_a_limit_that_is_not_renewed_falls_to_the_fallback(
    before_w: tuple[int, ...],
    after_w: tuple[int, ...],
    early: Verdict | None,
    final: Verdict,
    lease: Proof | None,
) -> None:
    before, after = readings(*before_w), readings(*after_w)
    assert verdict(JUDGE.ended(before, after, 3_000, final=False)) == early
    found = JUDGE.ended(before, after, 3_000, final=True)
    assert found is not None
    assert (found.verdict, found.lease) == (final, lease)


# 36 kW are 10 Wh a second: 60 s at the limit, 90 s at a fallback of 3.6 kW.
LEASED = Absence(since=0.0, until=150.0, limit_w=36_000, after_w=3_600, ends_at=60.0, energy_wh=690)


@pytest.mark.parametrize(
    ("energy_wh", "expected", "lease", "survives"),
    [
        (690, PASSED, Proof.YES, Proof.YES),
        (300, PASSED, Proof.YES, Proof.YES),
        (299, NOT_SHOWN, None, None),
        (1_095, PASSED, Proof.YES, Proof.YES),
        (1_096, FAILED, Proof.NO, Proof.YES),
        (1_576, FAILED, Proof.NO, Proof.YES),
        (1_577, FAILED, Proof.NO, Proof.NO),
    ],
)
def test_the_register_tells_what_happened_without_a_link(
    energy_wh: int, expected: Verdict, lease: Proof | None, survives: Proof | None
) -> None:
    found = JUDGE.offline(replace(LEASED, energy_wh=energy_wh))
    assert (found.verdict, found.lease, found.survives_reconnect) == (expected, lease, survives)
    assert found.energy_wh == energy_wh


def test_an_absence_that_was_too_short_shows_nothing() -> None:
    assert verdict(JUDGE.offline(replace(LEASED, until=60.3, energy_wh=600))) == NOT_SHOWN


@pytest.mark.parametrize(
    ("energy_wh", "expected", "survives"),
    [
        (1_500, PASSED, Proof.YES),
        (750, PASSED, Proof.YES),
        (749, NOT_SHOWN, None),
        (1_577, FAILED, Proof.NO),
    ],
)
def test_a_limit_without_an_end_only_shows_whether_it_was_kept(
    energy_wh: int, expected: Verdict, survives: Proof | None
) -> None:
    found = JUDGE.offline(replace(LEASED, ends_at=None, energy_wh=energy_wh))
    assert (found.verdict, found.lease, found.survives_reconnect) == (expected, None, survives)


@pytest.mark.parametrize(
    ("later_w", "ends_at", "expected", "lease", "survives"),
    [
        ((), 60.0, NOT_SHOWN, None, None),
        ((3_600,), 60.0, NOT_SHOWN, None, None),
        ((36_000,), 60.0, FAILED, Proof.NO, None),
        ((90_000,), 60.0, FAILED, Proof.NO, Proof.NO),
        ((36_000,), None, NOT_SHOWN, None, None),
        ((90_000,), None, FAILED, None, Proof.NO),
    ],
)
def test_without_a_register_samples_can_only_condemn(
    later_w: tuple[int, ...],
    ends_at: float | None,
    expected: Verdict,
    lease: Proof | None,
    survives: Proof | None,
) -> None:
    absence = replace(LEASED, ends_at=ends_at, energy_wh=None, later=tuple(readings(*later_w)))
    found = JUDGE.offline(absence)
    assert (found.verdict, found.lease, found.survives_reconnect) == (expected, lease, survives)


# ------------------------------------------------------------------------------ reboot


@pytest.mark.parametrize(
    ("powers_w", "schedule_w", "taken_w", "expected", "survives"),
    [
        ((3_000, 3_000), None, 20_000, PASSED, Proof.YES),
        ((3_000, 90_000, 90_000), 3_000, 0, FAILED, Proof.NO),
        # One that is too high, and nothing else: neither.
        ((3_000, 90_000), None, 20_000, NOT_SHOWN, None),
        # The vehicle took no more when it was allowed to.
        ((3_000, 3_000), None, 3_000, NOT_SHOWN, None),
        ((3_000,), None, 20_000, NOT_SHOWN, None),
        ((), 3_000, 0, PASSED, Proof.YES),
        ((), 3_501, 0, FAILED, Proof.NO),
        ((), None, 0, NOT_SHOWN, None),
    ],
)
def test_a_charger_that_rebooted_is_still_limited(
    powers_w: tuple[int, ...],
    schedule_w: int | None,
    taken_w: int,
    expected: Verdict,
    survives: Proof | None,
) -> None:
    restart = Restart(3_000, tuple(readings(*powers_w)), schedule_w, taken_w)
    found = JUDGE.restarted(restart)
    assert (found.verdict, found.survives_reboot) == (expected, survives)


# ------------------------------------------------------------------------------ lessons


def result(trial: Trial, verdict: Verdict = PASSED, **shown: AtZero | Proof) -> Result:
    return Result(trial, replace(Finding(verdict, "as seen"), **shown))  # type: ignore[arg-type]


RESUMED = result(Trial.RESUME)
FELL = result(Trial.OFFLINE, lease=Proof.YES, survives_reconnect=Proof.YES)


@pytest.mark.parametrize(
    ("results", "lease"),
    [
        ([], None),
        ([result(Trial.LEASE)], None),
        ([RESUMED, FELL], Proof.YES),
        ([FELL], None),
        ([result(Trial.RESUME, NOT_SHOWN), FELL], None),
        ([result(Trial.RESUME, FAILED), FELL], Proof.UNKNOWN),
        ([RESUMED, result(Trial.LEASE, FAILED, lease=Proof.NO)], Proof.NO),
        ([RESUMED, result(Trial.OFFLINE, FAILED, lease=Proof.NO)], Proof.NO),
    ],
)
def test_a_lease_is_proven_with_the_link_cut_and_after_a_pause(
    results: list[Result], lease: Proof | None
) -> None:
    assert lessons(results).lease == lease


def test_everything_else_is_taken_from_the_trial_that_shows_it() -> None:
    learned = lessons(
        [
            result(Trial.LOW),
            result(Trial.ZERO, at_zero=AtZero.MINIMUM),
            RESUMED,
            FELL,
            result(Trial.REBOOT, FAILED, survives_reboot=Proof.NO),
        ]
    )
    assert learned == Lessons(AtZero.MINIMUM, Proof.YES, Proof.YES, Proof.NO)
    assert taught(Capability(step_a=1.0), learned) == Capability(
        step_a=1.0,
        at_zero=AtZero.MINIMUM,
        lease=Proof.YES,
        survives_reconnect=Proof.YES,
        survives_reboot=Proof.NO,
        answers=Proof.YES,
    )


def test_what_was_not_shown_stays_as_it_was() -> None:
    known = Capability(
        at_zero=AtZero.STOP,
        lease=Proof.YES,
        survives_reconnect=Proof.NO,
        survives_reboot=Proof.YES,
        answers=Proof.YES,
    )
    assert taught(known, Lessons()) == known
    assert taught(known, Lessons(lease=Proof.UNKNOWN)).lease is Proof.UNKNOWN


def test_a_limit_whose_end_is_being_tested_counts_at_what_may_follow() -> None:
    ledger = Ledger(station(charger("A")), seen=["A"])
    limit = Limit(20_000, LimitSource.COMMISSIONING, 60.0)
    sent = Entry(1, A1, Scope.SESSION, limit, EntryState.SENT, 0.0, session_id="s", after_w=200_000)
    ledger.send(sent)
    assert sent.counted_w == 200_000
    assert sent.least_w(0.0) == 20_000
    ledger.expire(1e9)
    assert ledger.permitted_w(A1) == 200_000
