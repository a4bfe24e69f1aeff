"""From fair shares to the values worth pushing: spacing and dead band of demand-driven raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csms.balancing.allocation import Share
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, LimitSource


@dataclass(frozen=True, slots=True)
class Goal:
    """What a connector should have now. `raised_at` is when a demand last raised it."""

    value_w: int
    source: LimitSource
    raised_at: float | None = None


def next_goals(
    previous: Mapping[ConnectorKey, Goal],
    shares: Mapping[ConnectorKey, Share],
    *,
    event: bool,
    policy: DispatchPolicy,
    now: float,
) -> dict[ConnectorKey, Goal]:
    """The goals that follow from new shares.

    After an event (start, stop, new limit, charger gone or back) every share is a goal at once.
    Otherwise only a demand moved: lowers pass, raises are spaced and have a dead band. A goal held
    back is below its share, so the goals fit wherever the shares fit.
    """
    return {
        key: _next_goal(previous.get(key), share, event=event, policy=policy, now=now)
        for key, share in shares.items()
    }


def _next_goal(
    previous: Goal | None, share: Share, *, event: bool, policy: DispatchPolicy, now: float
) -> Goal:
    if previous is None:
        return Goal(share.value_w, share.source)
    step_w = share.value_w - previous.value_w
    if event or step_w <= 0:
        return Goal(share.value_w, share.source, previous.raised_at)
    spaced = previous.raised_at is not None and now - previous.raised_at < policy.raise_spacing_s
    if spaced or step_w < policy.dead_band(previous.value_w):
        return previous
    return Goal(share.value_w, share.source, now)
