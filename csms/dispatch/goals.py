"""From fair shares to the values worth pushing: spacing and dead band of demand-driven raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from csms.balancing.allocation import Share
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, LimitSource

SECONDS_PER_HOUR = 3600.0


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
    Otherwise only a demand moved, and a message must be worth sending: see `_due`. When a raise is,
    every lower goes with it, for they make the room, and every other raise that is useful. When
    none is, nothing moves: a lower would free what nobody is given, and a limit above what a
    vehicle takes does no harm. What is given for another reason than demand (`UNCERTAIN`) is never
    held back.

    The goals fit wherever the shares fit: they are either no more than the shares, or what they
    were when there was no less to share.
    """
    if event or any(key not in previous for key in shares):
        return {
            key: Goal(share.value_w, share.source, _raised_at(previous.get(key)))
            for key, share in shares.items()
        }
    moving = any(_due(previous[key], share, policy, now) for key, share in shares.items())
    return {
        key: _moved(previous[key], share, policy, now)
        if moving or share.source is LimitSource.UNCERTAIN
        else previous[key]
        for key, share in shares.items()
    }


def _raised_at(previous: Goal | None) -> float | None:
    return None if previous is None else previous.raised_at


def _due(previous: Goal, share: Share, policy: DispatchPolicy, now: float) -> bool:
    """Whether this is a raise worth a message by itself.

    The first useful one is. Another one is some time after the one before it, and the smaller it
    is, the longer after.
    """
    if not _useful(previous, share, policy):
        return False
    if previous.raised_at is None:
        return True
    waited_s = now - previous.raised_at
    missed_wh = (share.value_w - previous.value_w) * waited_s / SECONDS_PER_HOUR
    return waited_s >= policy.raise_spacing_s and missed_wh >= policy.raise_worth_wh


def _useful(previous: Goal, share: Share, policy: DispatchPolicy) -> bool:
    """Whether this is a raise that a vehicle is waiting for.

    One that has all it is thought to want has only more room to spare. As soon as it uses that up
    it is thought to want more, and what then bounds its share is something else.
    """
    step_w = share.value_w - previous.value_w
    return step_w >= policy.dead_band(previous.value_w) and share.source is not LimitSource.DEMAND


def _moved(previous: Goal, share: Share, policy: DispatchPolicy, now: float) -> Goal:
    if share.value_w <= previous.value_w:
        return Goal(share.value_w, share.source, previous.raised_at)
    return Goal(share.value_w, share.source, now) if _useful(previous, share, policy) else previous
