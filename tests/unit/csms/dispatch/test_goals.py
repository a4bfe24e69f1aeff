from __future__ import annotations

from csms.balancing.allocation import Share
from csms.dispatch.goals import Goal, next_goals
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, LimitSource

KEY = ConnectorKey("A", 1)
POLICY = DispatchPolicy(
    dead_band_w=1_000, dead_band_fraction=0.02, raise_spacing_s=30.0, raise_worth_wh=150.0
)


def step(previous: Goal | None, value_w: int, *, event: bool = False, now: float = 100.0) -> Goal:
    before = {} if previous is None else {KEY: previous}
    shares = {KEY: Share(value_w, LimitSource.GRID)}
    return next_goals(before, shares, event=event, policy=POLICY, now=now)[KEY]


def test_the_first_share_is_the_goal() -> None:
    assert step(None, 50_000) == Goal(50_000, LimitSource.GRID)


def test_an_event_passes_every_raise_at_once() -> None:
    recent = Goal(50_000, LimitSource.DEMAND, raised_at=99.0)
    assert step(recent, 50_100, event=True) == Goal(50_100, LimitSource.GRID, 99.0)


def test_the_first_raise_that_follows_a_demand_passes_at_once() -> None:
    assert step(Goal(50_000, LimitSource.GRID), 60_000) == Goal(60_000, LimitSource.GRID, 100.0)


def test_the_next_raise_is_spaced() -> None:
    raised = Goal(50_000, LimitSource.GRID, raised_at=80.0)
    assert step(raised, 70_000, now=109.9) == raised
    assert step(raised, 70_000, now=110.0) == Goal(70_000, LimitSource.GRID, 110.0)


def test_the_smaller_the_next_raise_the_longer_it_waits() -> None:
    # 10 kW are worth 150 Wh after 54 s.
    raised = Goal(50_000, LimitSource.GRID, raised_at=80.0)
    assert step(raised, 60_000, now=133.9) == raised
    assert step(raised, 60_000, now=134.0) == Goal(60_000, LimitSource.GRID, 134.0)


def test_a_small_raise_is_in_the_dead_band() -> None:
    held = Goal(50_000, LimitSource.GRID)
    assert step(held, 50_999) == held
    assert step(held, 51_000).value_w == 51_000
    large = Goal(200_000, LimitSource.GRID)
    assert step(large, 203_999) == large
    assert step(large, 204_000).value_w == 204_000


def test_a_connector_without_a_share_has_no_goal() -> None:
    before = {KEY: Goal(50_000, LimitSource.GRID)}
    assert next_goals(before, {}, event=False, policy=POLICY, now=0.0) == {}


def test_a_raise_to_all_a_vehicle_is_thought_to_want_is_no_use_by_itself() -> None:
    held = Goal(50_000, LimitSource.GRID)
    shares = {KEY: Share(60_000, LimitSource.DEMAND)}
    assert next_goals({KEY: held}, shares, event=False, policy=POLICY, now=100.0) == {KEY: held}


# ------------------------------------------------------------------ several connectors

B, C, D = (ConnectorKey(name, 1) for name in "BCD")


def steps(
    before: dict[ConnectorKey, Goal], after: dict[ConnectorKey, Share], *, event: bool = False
) -> dict[ConnectorKey, int]:
    found = next_goals(before, after, event=event, policy=POLICY, now=100.0)
    return {key: goal.value_w for key, goal in found.items()}


def test_a_lower_that_nobody_needs_is_left_out() -> None:
    before = {KEY: Goal(50_000, LimitSource.DEMAND), B: Goal(100_000, LimitSource.CHARGER)}
    after = {KEY: Share(20_000, LimitSource.DEMAND), B: Share(100_000, LimitSource.CHARGER)}
    assert steps(before, after) == {KEY: 50_000, B: 100_000}
    assert steps(before, after, event=True) == {KEY: 20_000, B: 100_000}


def test_a_lower_for_another_reason_than_demand_is_never_held_back() -> None:
    before = {KEY: Goal(50_000, LimitSource.UNCERTAIN), B: Goal(90_000, LimitSource.DEMAND)}
    after = {KEY: Share(25_000, LimitSource.UNCERTAIN), B: Share(80_000, LimitSource.DEMAND)}
    assert steps(before, after) == {KEY: 25_000, B: 90_000}


def test_a_raise_takes_every_lower_and_every_other_useful_raise_along() -> None:
    before = {
        KEY: Goal(50_000, LimitSource.DEMAND, raised_at=7.0),
        B: Goal(80_000, LimitSource.GRID),
        C: Goal(80_000, LimitSource.GRID, raised_at=95.0),
        D: Goal(80_000, LimitSource.GRID, raised_at=95.0),
    }
    after = {
        KEY: Share(20_000, LimitSource.DEMAND),
        B: Share(90_000, LimitSource.GRID),
        C: Share(90_000, LimitSource.GRID),
        D: Share(90_000, LimitSource.DEMAND),
    }
    assert next_goals(before, after, event=False, policy=POLICY, now=100.0) == {
        KEY: Goal(20_000, LimitSource.DEMAND, 7.0),
        B: Goal(90_000, LimitSource.GRID, 100.0),
        C: Goal(90_000, LimitSource.GRID, 100.0),
        D: before[D],
    }


def test_a_connector_that_is_new_makes_every_share_a_goal() -> None:
    before = {KEY: Goal(50_000, LimitSource.GRID, raised_at=99.0)}
    after = {KEY: Share(40_000, LimitSource.GRID), B: Share(40_000, LimitSource.GRID)}
    assert next_goals(before, after, event=False, policy=POLICY, now=100.0) == {
        KEY: Goal(40_000, LimitSource.GRID, 99.0),
        B: Goal(40_000, LimitSource.GRID),
    }
