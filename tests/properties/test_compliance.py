"""Who obeys is never convicted, and who does not always is, whatever the limits and the meter do.

A charger applies a limit at any time between its sending and its answer, and its vehicle follows
within the settling time. What may be in force is counted as the ledger counts it: a limit from its
sending until a later one is confirmed; answers get lost. Driven by dice, in virtual time.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from csms.dispatch.compliance import (
    Cause,
    Compliance,
    CompliancePolicy,
    Terms,
    Verdict,
    next_compliance,
)
from csms.station.model import Connector, ConnectorKey, RateUnit
from csms.station.register import Register
from csms.station.state import ConnectorState, LimitStep, Reading, Session

MAX = 150_000
FALLBACK = 5_000
CONNECTOR = Connector(ConnectorKey("CP001", 1), MAX, fallback_w=FALLBACK)
POLICY = CompliancePolicy()
LONGEST_DELAY_S = 120.0
SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Given:
    """A limit given out: when sent, applied, and confirmed (None: the answer was lost)."""

    sent_at: float
    applied_at: float
    confirmed_at: float | None
    value_w: int


class Site:
    """One connector with a history of limits, and what csms makes of its readings."""

    def __init__(self, dice: Random, horizon_s: float) -> None:
        self.dice = dice
        self.interval_s = dice.choice([5.0, 10.0, 30.0, 60.0, 300.0, 900.0, dice.uniform(5, 900)])
        self.told_s = dice.choice([None, self.interval_s])
        self.clock_offset_s = dice.choice([0.0, 0.0, None, 1.7e9, -3_600.0])
        self.end = horizon_s * self.interval_s + 100.0
        self.limits = self._history()
        self.state = ConnectorState(
            session=Session("s1", 1, CONNECTOR.key, "TAG", 0.0, Register(0))
        )
        self.found: Compliance | None = None

    def _history(self) -> list[Given]:
        """Limits one after the other, in bursts and with long rests."""
        given: list[Given] = []
        at = self.dice.uniform(0, 50)
        while at < self.end and len(given) < 200:
            applied_at = at + self.dice.choice([0.0, self.dice.uniform(0, 5)])
            answered_at = applied_at + self.dice.choice([0.1, self.dice.uniform(0, 30)])
            lost = self.dice.random() < 0.2
            value_w = self.dice.choice([0, FALLBACK, self.dice.randint(0, 100_000)])
            given.append(Given(at, applied_at, None if lost else answered_at, value_w))
            at = answered_at + self.dice.choice([0.1, 1.0, 20.0, self.dice.uniform(0, 2_000)])
        self.applied_at = [g.applied_at for g in given]
        return given

    def in_force_w(self, now: float) -> int:
        """As the ledger counts it: no limit is gone before a later one is confirmed."""
        counted = [FALLBACK]
        for one in reversed([g for g in self.limits if g.sent_at < now]):
            counted.append(one.value_w)
            if one.confirmed_at is not None and one.confirmed_at <= now:
                break
        return max(counted)

    def lets_through_w(self, at: float) -> int:
        """The most an obedient vehicle draws: what was applied within the settling time."""
        first = bisect_right(self.applied_at, at - POLICY.settle_s)
        last = bisect_right(self.applied_at, at)
        before = self.limits[first - 1].value_w if first else FALLBACK
        return max(before, FALLBACK, *(g.value_w for g in self.limits[first:last]), 0)

    def obedient_w(self, at: float) -> int:
        """A draw within the limit, read as badly as a meter may."""
        most_w = self.lets_through_w(at)
        error_w = POLICY.tolerance(most_w, RateUnit.WATTS) * self.dice.choice([0.0, 1.0])
        return int(self.dice.choice([0.0, 0.3, 1.0]) * (most_w + error_w))

    def receive(self, at: float, power_w: int, taken_at: float) -> Compliance:
        measured_at = None if self.clock_offset_s is None else taken_at - self.clock_offset_s
        self.state.reading = Reading(at, power_w, measured_at)
        return self.ask(at)

    def ask(self, now: float) -> Compliance:
        session = self.state.session
        assert session is not None
        confirmed = [g for g in self.limits if g.confirmed_at is not None and g.confirmed_at <= now]
        session.limits.clear()
        session.limits.extend(LimitStep(g.confirmed_at or 0.0, g.value_w) for g in confirmed[-8:])
        terms = Terms(self.in_force_w(now), interval_s=self.told_s)
        self.found = next_compliance(self.found, CONNECTOR, self.state, terms, POLICY, now)
        return self.found

    def cycles(self) -> list[float]:
        """When csms asks although no reading has come: whenever a limit is answered, or anew."""
        moments = [g.confirmed_at for g in self.limits if g.confirmed_at is not None]
        moments += [g.sent_at + 0.01 for g in self.limits]
        moments += [self.dice.uniform(0, self.end) for _ in range(10)]
        return [0.0, *moments]

    def readings(self, *, on_time: bool) -> list[tuple[float, float]]:
        """(received, taken) times: an interval apart, in order, late by a line's whims.

        Every third is on time, so that a slow line can be told from a wrong clock.
        """
        found: list[tuple[float, float]] = []
        taken_at = received_at = self.dice.uniform(6, 6 + self.interval_s)
        slow = not on_time and self.clock_offset_s == 0.0
        longest_s = min(2 * self.interval_s, LONGEST_DELAY_S)
        while taken_at < self.end:
            late_s = self.dice.choice([0.0, longest_s, self.dice.uniform(0, longest_s)])
            if not slow or len(found) % 3 == 0:
                late_s = 0.0
            received_at = max(received_at + 0.01, taken_at + late_s)
            found.append((received_at, taken_at))
            taken_at += self.interval_s * self.dice.choice([1.0, 1.0, self.dice.uniform(0.8, 1.2)])
        return found


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_who_obeys_is_never_convicted(seed: int) -> None:
    site = Site(Random(seed), horizon_s=25)
    moments: list[tuple[float, float | None]] = [(at, None) for at in site.cycles()]
    moments += site.readings(on_time=False)
    for at, taken_at in sorted(moments, key=lambda moment: moment[0]):
        if taken_at is None:
            found = site.ask(at)
        else:
            found = site.receive(at, site.obedient_w(taken_at), taken_at)
        assert found.verdict is not Verdict.EXCEEDS
        assert found.cause is None
        assert found.counted_w == (MAX if found.resumed else None)


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.integers(1, 100_000))
def test_who_draws_more_than_allowed_is_always_convicted(seed: int, more_w: int) -> None:
    site = Site(Random(seed), horizon_s=25)
    interval_s = 1.2 * site.interval_s
    starts_at = site.dice.uniform(10 + 3 * interval_s, 12 * interval_s + 100)
    must_be_by = starts_at + POLICY.comply_s(interval_s) + 2 * interval_s
    most_w = max(
        site.in_force_w(at)
        for at in [starts_at, must_be_by, *site.cycles()]
        if starts_at <= at <= must_be_by
    )
    draws_w = int(most_w + POLICY.tolerance(most_w, RateUnit.WATTS)) + more_w
    moments: list[tuple[float, float | None]] = [(at, None) for at in site.cycles()]
    moments += [*site.readings(on_time=True), (starts_at, None), (must_be_by, None)]
    for at, taken_at in sorted(moments, key=lambda moment: moment[0]):
        if at > must_be_by:
            break
        if taken_at is None:
            site.ask(at)
        else:
            power_w = draws_w if taken_at >= starts_at else site.obedient_w(taken_at)
            site.receive(at, power_w, taken_at)
    assert site.found is not None
    assert (site.found.cause, site.found.verdict) == (Cause.LIMIT, Verdict.EXCEEDS)
    assert site.found.counted_w == max(MAX, draws_w)


def test_the_dice_bring_everything_about() -> None:
    """What the two properties are worth: limits move, answers are lost, sessions are paused."""
    sites = [Site(Random(seed), horizon_s=25) for seed in range(50)]
    given = [g for site in sites for g in site.limits]
    assert any(g.confirmed_at is None for g in given)
    assert any(g.value_w == 0 for g in given)
    assert {site.clock_offset_s for site in sites} == {0.0, None, 1.7e9, -3_600.0}
    assert any(late - taken > 60 for s in sites for late, taken in s.readings(on_time=False))
