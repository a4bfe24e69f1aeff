"""How fast the power of a station may rise: a ramp holds raises back, and lowers nobody.

Who can switch many vehicles at once can shake the grid with them. With a ramp, what was taken away
comes back step by step, one in each window. It makes shares smaller and never larger, so the laws
hold without it; lowers are not its concern.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from csms.balancing.allocation import Allocator, Leaf, Node, Share
from csms.station.model import RAMP_WINDOW_S, ConnectorKey, LimitSource


class Ramp:
    """What a station has given out, and the most that it may give out in this window.

    That is a step above the least it has given out since the window began. A window begins with the
    first look at it that is RAMP_WINDOW_S after the last one began. There is at most one step in
    each; the steps of two may be close together.
    """

    def __init__(self) -> None:
        self.began_at: float | None = None
        self._least_w = 0
        self._given_w: Mapping[ConnectorKey, int] = {}

    def gave(self, given_w: Mapping[ConnectorKey, int]) -> None:
        """These connectors, and no others, were given so many watts."""
        self._given_w = given_w

    def present_w(self, counted_w: Mapping[ConnectorKey, int]) -> dict[ConnectorKey, int]:
        """What these connectors have, in watts: what they were given last, or else what counts.

        What was given counts while it is on its way too. Otherwise power that goes from one vehicle
        to another would be a fall and then a raise.
        """
        return {key: self._given_w.get(key, watts) for key, watts in counted_w.items()}

    def ceiling_w(self, total_w: int, step_w: int, now: float) -> int:
        """The most that may be given out, in watts, where `total_w` is; `step_w` is one step."""
        began_at = self.began_at
        if began_at is None or not 0 <= now - began_at < RAMP_WINDOW_S:
            self.began_at, self._least_w = now, total_w
        self._least_w = min(self._least_w, total_w)
        return self._least_w + step_w


def hold_back(
    leaves: Collection[Leaf],
    shares: Mapping[ConnectorKey, Share],
    kept_w: Mapping[ConnectorKey, int],
    most_w: int,
    allocator: Allocator,
    now: float,
) -> dict[ConnectorKey, Share]:
    """The shares that must be smaller so that all leaves together have no more than `most_w`.

    None when they fit. `shares` fit under every cap. `kept_w` is what each leaf has already, in
    watts: no share is cut below that, even when all these are more than `most_w`.
    """
    if sum(shares[leaf.key].value_w for leaf in leaves) <= most_w:
        return {}
    inside = tuple(_up_to(leaf, shares[leaf.key], kept_w[leaf.key]) for leaf in leaves)
    cut = allocator(Node("ramp", max(0, most_w), LimitSource.RAMP, inside), now)
    return {
        key: Share(share.value_w, LimitSource.RAMP)
        for key, share in cut.items()
        if share.value_w < shares[key].value_w
    }


def _up_to(leaf: Leaf, share: Share, kept_w: int) -> Leaf:
    return replace(leaf, upper_w=share.value_w, floor_w=min(share.value_w, kept_w))
