"""A capped tree, a way to share it out, and the one check that says whether a sharing can hold.

Everything is whole watts, so that no sum is ever rounded. An allocator is any function from a
tree and a moment to shares; `violations` judges every one of them by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from csms.station.model import ConnectorKey, LimitSource

LEAST_WEIGHT = 0.001
MOST_WEIGHT = 1000.0
"""Weights within a million of each other keep the arithmetic exact to far less than a watt."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One connector that takes part.

    `upper_w` is the most it may or can use, and `upper_source` says why. `floor_w` is what it has
    whatever happens (its fallback): a share is never below it, even where `upper_w` is. `minimum_w`
    is the least worth offering: a share is the floor or at least this. A share above the floor is
    a whole number of `quantum_w`. What is above `enough_w` (None: nothing) is given only when
    everybody has enough. Shares grow in proportion to `weight`; a higher `priority` is
    filled first; `waiting_since` is UTC epoch seconds. Raises ValueError for a number that makes
    no sense.
    """

    key: ConnectorKey
    upper_w: int
    upper_source: LimitSource
    floor_w: int = 0
    minimum_w: int = 0
    weight: float = 1.0
    priority: int = 0
    waiting_since: float = 0.0
    quantum_w: int = 1
    enough_w: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no share could satisfy. NaN fails every comparison, so it is refused too."""
        if min(self.upper_w, self.floor_w, self.minimum_w, self.enough_w or 0) < 0:
            raise ValueError(f"{self.key}: a power is negative: {self}")
        if not LEAST_WEIGHT <= self.weight <= MOST_WEIGHT:
            raise ValueError(
                f"{self.key}: the weight must be {LEAST_WEIGHT} to {MOST_WEIGHT}, not {self.weight}"
            )
        if self.quantum_w < 1:
            raise ValueError(f"{self.key}: the quantum must be at least 1 W, not {self.quantum_w}")


@dataclass(frozen=True, slots=True)
class Node:
    """A cap over everything below it. `source` is what a share cut here is said to be limited by.

    Raises ValueError when `cap_w` is negative.
    """

    name: str
    cap_w: int
    source: LimitSource
    children: tuple[Node | Leaf, ...]

    def __post_init__(self) -> None:
        """Refuse a cap that nothing could satisfy."""
        if self.cap_w < 0:
            raise ValueError(f"{self.name}: the cap is negative: {self.cap_w} W")

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below, in order."""
        for child in self.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.leaves()


@dataclass(frozen=True, slots=True)
class Share:
    """What one connector gets, and the constraint that kept it from more."""

    value_w: int
    source: LimitSource


Allocator = Callable[[Node, float], dict[ConnectorKey, Share]]
"""From a tree and now (UTC epoch seconds) to the share of every leaf. Pure; never raises."""


def violations(root: Node, shares: Mapping[ConnectorKey, Share]) -> list[str]:
    """Everything that speaks against `shares`, readable; empty when they can hold.

    A leaf without a share is reported and counts as 0 W in the sums.
    """
    found: list[str] = []
    known = {leaf.key for leaf in root.leaves()}
    found.extend(
        f"{key}: a share for a connector that is not in the tree"
        for key in shares
        if key not in known
    )
    _judge(root, shares, found)
    return found


def _judge(node: Node, shares: Mapping[ConnectorKey, Share], found: list[str]) -> int:
    """Add what is wrong at and below `node` to `found`; the watts shared out below it."""
    total_w = 0
    for child in node.children:
        if isinstance(child, Node):
            total_w += _judge(child, shares, found)
        elif (share := shares.get(child.key)) is None:
            found.append(f"{child.key}: no share")
        else:
            found.extend(f"{child.key}: {what}" for what in _leaf_violations(child, share.value_w))
            total_w += share.value_w
    if total_w > node.cap_w:
        found.append(f"{node.source} {node.name}: {total_w} W shared out of {node.cap_w} W")
    return total_w


def _leaf_violations(leaf: Leaf, value_w: int) -> Iterator[str]:
    if value_w < leaf.floor_w:
        yield f"{value_w} W is below its floor of {leaf.floor_w} W"
    if value_w <= leaf.floor_w:
        return
    if value_w > leaf.upper_w:
        yield f"{value_w} W is above its upper bound of {leaf.upper_w} W"
    if value_w < leaf.minimum_w:
        yield f"{value_w} W is neither its floor nor its minimum of {leaf.minimum_w} W"
    if value_w % leaf.quantum_w:
        yield f"{value_w} W is not a multiple of {leaf.quantum_w} W"
