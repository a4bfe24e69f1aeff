"""The values of an allocation, and the one check of feasibility."""

from __future__ import annotations

import math

import pytest

from csms.balancing.allocation import Leaf, Node, Share, violations
from csms.station.model import ConnectorKey, LimitSource

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)


def leaf(
    key: ConnectorKey,
    upper_w: int = 100,
    *,
    floor_w: int = 0,
    minimum_w: int = 0,
    quantum_w: int = 1,
) -> Leaf:
    return Leaf(
        key,
        upper_w,
        LimitSource.VEHICLE,
        floor_w=floor_w,
        minimum_w=minimum_w,
        quantum_w=quantum_w,
    )


def grid(cap_w: int, *children: Leaf | Node) -> Node:
    return Node("site", cap_w, LimitSource.GRID, children)


def share(value_w: int) -> Share:
    return Share(value_w, LimitSource.GRID)


@pytest.mark.parametrize("name", ["upper_w", "floor_w", "minimum_w"])
def test_a_leaf_has_no_negative_power(name: str) -> None:
    with pytest.raises(ValueError, match="A/1: a power is negative"):
        leaf(A1, **{name: -1})


@pytest.mark.parametrize("weight", [0.0, -1.0, 0.0009, 1001.0, math.inf, math.nan])
def test_a_weight_is_within_reason(weight: float) -> None:
    with pytest.raises(ValueError, match=r"A/1: the weight must be 0\.001 to 1000\.0"):
        Leaf(A1, 1, LimitSource.VEHICLE, weight=weight)


@pytest.mark.parametrize("weight", [0.001, 1000.0])
def test_the_ends_of_the_weights_are_allowed(weight: float) -> None:
    assert Leaf(A1, 1, LimitSource.VEHICLE, weight=weight).weight == weight


def test_a_quantum_is_at_least_a_watt() -> None:
    with pytest.raises(ValueError, match="A/1: the quantum must be at least 1 W, not 0"):
        leaf(A1, quantum_w=0)


def test_a_cap_is_not_negative() -> None:
    with pytest.raises(ValueError, match="site: the cap is negative: -1 W"):
        grid(-1)


def test_leaves_come_in_order_from_every_level() -> None:
    inner = Node("A", 9, LimitSource.CHARGER, (leaf(A1), leaf(A2)))
    assert [found.key for found in grid(9, leaf(B1), inner).leaves()] == [B1, A1, A2]


def test_what_fits_has_no_violation() -> None:
    root = grid(100, leaf(A1, 60), leaf(A2, 60))
    assert violations(root, {A1: share(60), A2: share(40)}) == []


@pytest.mark.parametrize(
    ("bounds", "value_w", "said"),
    [
        ({"upper_w": 50}, 51, ["A/1: 51 W is above its upper bound of 50 W"]),
        ({"upper_w": 50}, -1, ["A/1: -1 W is below its floor of 0 W"]),
        ({"floor_w": 20}, 19, ["A/1: 19 W is below its floor of 20 W"]),
        ({"upper_w": 10, "floor_w": 20}, 20, []),
        ({"upper_w": 10, "floor_w": 20}, 21, ["A/1: 21 W is above its upper bound of 10 W"]),
        ({"minimum_w": 30}, 0, []),
        ({"minimum_w": 30}, 30, []),
        ({"minimum_w": 30}, 29, ["A/1: 29 W is neither its floor nor its minimum of 30 W"]),
        ({"minimum_w": 30, "floor_w": 5}, 5, []),
        ({"quantum_w": 7}, 14, []),
        ({"quantum_w": 7}, 15, ["A/1: 15 W is not a multiple of 7 W"]),
        ({"quantum_w": 7, "floor_w": 15}, 15, []),
    ],
)
def test_a_share_outside_its_leaf(bounds: dict[str, int], value_w: int, said: list[str]) -> None:
    assert violations(grid(1000, leaf(A1, **bounds)), {A1: share(value_w)}) == said


def test_every_cap_that_breaks_is_named() -> None:
    inner = Node("A", 50, LimitSource.CHARGER, (leaf(A1), leaf(A2)))
    root = grid(80, inner, leaf(B1))
    assert violations(root, {A1: share(30), A2: share(21), B1: share(30)}) == [
        "charger A: 51 W shared out of 50 W",
        "grid site: 81 W shared out of 80 W",
    ]


def test_a_missing_share_and_one_too_many() -> None:
    assert violations(grid(80, leaf(A1)), {B1: share(0)}) == [
        "B/1: a share for a connector that is not in the tree",
        "A/1: no share",
    ]
