from __future__ import annotations

from csms.balancing.allocation import Share
from csms.dispatch.goals import Goal, next_goals
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, LimitSource

KEY = ConnectorKey("A", 1)
POLICY = DispatchPolicy(dead_band_w=1_000, dead_band_fraction=0.02, raise_spacing_s=30.0)


def step(previous: Goal | None, value_w: int, *, event: bool = False, now: float = 100.0) -> Goal:
    before = {} if previous is None else {KEY: previous}
    shares = {KEY: Share(value_w, LimitSource.GRID)}
    return next_goals(before, shares, event=event, policy=POLICY, now=now)[KEY]


def test_the_first_share_is_the_goal() -> None:
    assert step(None, 50_000) == Goal(50_000, LimitSource.GRID)


def test_an_event_passes_every_raise_at_once() -> None:
    recent = Goal(50_000, LimitSource.DEMAND, raised_at=99.0)
    assert step(recent, 50_100, event=True) == Goal(50_100, LimitSource.GRID, 99.0)


def test_a_lower_passes_at_once() -> None:
    recent = Goal(50_000, LimitSource.DEMAND, raised_at=99.0)
    assert step(recent, 49_999) == Goal(49_999, LimitSource.GRID, 99.0)


def test_the_first_raise_that_follows_a_demand_passes_at_once() -> None:
    assert step(Goal(50_000, LimitSource.GRID), 60_000) == Goal(60_000, LimitSource.GRID, 100.0)


def test_the_next_raise_is_spaced() -> None:
    raised = Goal(50_000, LimitSource.GRID, raised_at=80.0)
    assert step(raised, 60_000, now=109.9) == raised
    assert step(raised, 60_000, now=110.0) == Goal(60_000, LimitSource.GRID, 110.0)


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
