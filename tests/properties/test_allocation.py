"""Whatever the station: shares are max-min fair, can hold, and come at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.balancing.allocation import Leaf, Node, violations
from csms.balancing.allocators.max_min import allocate
from csms.station.model import ConnectorKey, LimitSource
from tests.properties.allocation_vs_lp import compare, difference, reference

TREES = 20_000
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_random_trees_equal_the_linear_programs(part: int) -> None:
    size = TREES // PARTS
    assert compare(range(part * size, (part + 1) * size)) == {}


def test_the_linear_programs_know_the_right_answer() -> None:
    leaves = [
        Leaf(ConnectorKey(name, 1), upper_w, LimitSource.VEHICLE)
        for name, upper_w in (("A", 10), ("B", 100), ("C", 1000))
    ]
    charger = Node("AB", 100, LimitSource.CHARGER, (leaves[0], leaves[1]))
    exact = reference(Node("grid", 180, LimitSource.GRID, (charger, leaves[2])))
    assert [round(exact[leaf.key], 6) for leaf in leaves] == [10.0, 85.0, 85.0]


@st.composite
def leaf_strategy(draw: st.DrawFn, number: int, *, simple: bool) -> Leaf:
    """A leaf; a simple one has neither minimum nor coarse quanta."""
    small = st.integers(0, 30)
    return Leaf(
        ConnectorKey("CP", number),
        draw(st.one_of(small, st.integers(0, 400_000))),
        LimitSource.VEHICLE,
        floor_w=draw(st.one_of(st.just(0), small)),
        minimum_w=0 if simple else draw(st.one_of(st.just(0), small, st.just(4_140))),
        weight=draw(st.sampled_from((1.0, 1.0, 0.1, 2.0, 3.7, 10.0))),
        priority=draw(st.sampled_from((0, 0, 1))),
        waiting_since=draw(st.floats(0, 10_000)),
        quantum_w=1 if simple else draw(st.sampled_from((1, 1, 7, 69, 25_000))),
    )


@st.composite
def tree_strategy(draw: st.DrawFn, *, simple: bool, floors_fit: bool = True) -> Node:
    """One to seven leaves under up to three levels of caps."""
    count = draw(st.integers(1, 7))
    children: list[Node | Leaf] = [
        draw(leaf_strategy(number, simple=simple)) for number in range(1, count + 1)
    ]
    for level, source in enumerate((LimitSource.CHARGER, LimitSource.FEEDER)):
        grouped: list[Node | Leaf] = []
        while children:
            size = draw(st.integers(1, len(children)))
            inside, children = tuple(children[:size]), children[size:]
            name = f"{source}{level}{len(grouped)}"
            grouped.append(capped(draw, name, source, inside, floors_fit=floors_fit))
        children = grouped
    return capped(draw, "grid", LimitSource.GRID, tuple(children), floors_fit=floors_fit)


def capped(
    draw: st.DrawFn,
    name: str,
    source: LimitSource,
    children: tuple[Node | Leaf, ...],
    *,
    floors_fit: bool,
) -> Node:
    """A node; its cap is anything, but not less than the floors below if they are to fit."""
    bare = Node(name, 0, source, children)
    least_w = sum(leaf.floor_w for leaf in bare.leaves()) if floors_fit else 0
    more_w = draw(st.one_of(st.integers(0, 40), st.integers(0, 900_000)))
    return replace(bare, cap_w=least_w + more_w)


@given(tree_strategy(simple=True))
def test_simple_trees_equal_the_linear_programs(root: Node) -> None:
    assert difference(root) == ""


@given(tree_strategy(simple=False), st.floats(0, 1e9))
def test_shares_can_hold(root: Node, now: float) -> None:
    assert violations(root, allocate(root, now)) == []


@given(tree_strategy(simple=False, floors_fit=False), st.floats(0, 1e9))
def test_floors_that_do_not_fit_are_given_and_make_nothing_else_worse(
    root: Node, now: float
) -> None:
    shares = allocate(root, now)
    assert all(shares[leaf.key].value_w >= leaf.floor_w for leaf in root.leaves())
    blamed = [what for what in violations(root, shares) if "shared out of" not in what]
    assert blamed == []
    for node in nodes(root):
        floors_w = sum(leaf.floor_w for leaf in node.leaves())
        total_w = sum(shares[leaf.key].value_w for leaf in node.leaves())
        assert total_w <= max(node.cap_w, floors_w)


@given(tree_strategy(simple=False), st.floats(0, 1e9))
def test_nobody_left_out_could_have_been_served_too(root: Node, now: float) -> None:
    """With only minima counted, no leaf left out fits beside those of its class that are served."""
    leaves = [replace(leaf, priority=0, quantum_w=1) for leaf in root.leaves()]
    root = rebuilt(root, {leaf.key: leaf for leaf in leaves})
    shares = allocate(root, now)
    least_w = {
        leaf.key: max(leaf.floor_w, leaf.minimum_w)
        if shares[leaf.key].value_w >= leaf.minimum_w
        else leaf.floor_w
        for leaf in leaves
    }
    for leaf in leaves:
        if shares[leaf.key].source is LimitSource.MINIMUM and leaf.upper_w >= leaf.minimum_w:
            assert not fits(root, least_w | {leaf.key: leaf.minimum_w})


@given(tree_strategy(simple=True), st.integers(1, 30), st.floats(0, 1e6))
def test_equal_minima_are_served_as_often_as_possible(
    root: Node, minimum_w: int, now: float
) -> None:
    leaves = {
        leaf.key: replace(leaf, priority=0, floor_w=0, minimum_w=minimum_w)
        for leaf in root.leaves()
    }
    root = rebuilt(root, leaves)
    served = sum(share.value_w >= minimum_w for share in allocate(root, now).values())
    able = [key for key, leaf in leaves.items() if leaf.upper_w >= minimum_w]
    assert served == max(
        size
        for size in range(len(able) + 1)
        if any(fits(root, dict.fromkeys(keys, minimum_w)) for keys in combinations(able, size))
    )


@given(tree_strategy(simple=False), st.floats(0, 1e9))
def test_nobody_could_be_given_one_more_quantum(root: Node, now: float) -> None:
    shares = allocate(root, now)
    values_w = {key: share.value_w for key, share in shares.items()}
    for leaf in root.leaves():
        value_w = values_w[leaf.key]
        next_w = value_w - value_w % leaf.quantum_w + leaf.quantum_w
        wants_it = leaf.minimum_w <= next_w <= leaf.upper_w
        if wants_it and shares[leaf.key].source is not LimitSource.MINIMUM:
            assert not fits(root, values_w | {leaf.key: next_w})


def nodes(root: Node) -> list[Node]:
    """Every node of a tree."""
    return [root, *(n for c in root.children if isinstance(c, Node) for n in nodes(c))]


def fits(root: Node, values_w: dict[ConnectorKey, int]) -> bool:
    """Whether these values are within every cap."""
    return all(
        sum(values_w.get(leaf.key, 0) for leaf in node.leaves()) <= node.cap_w
        for node in nodes(root)
    )


def rebuilt(root: Node, leaves: dict[ConnectorKey, Leaf]) -> Node:
    """The tree with other leaves in the same places."""
    return replace(
        root,
        children=tuple(
            rebuilt(child, leaves) if isinstance(child, Node) else leaves[child.key]
            for child in root.children
        ),
    )


@pytest.mark.parametrize("charger_w", range(1, 301, 7))
def test_no_charger_size_makes_two_equal_vehicles_unequal(charger_w: int) -> None:
    """Algorithms that split rounded power can loop for ever here: 201 W for two of 150."""
    leaves = tuple(Leaf(ConnectorKey("A", n), 150, LimitSource.VEHICLE) for n in (1, 2))
    charger = Node("A", charger_w, LimitSource.CHARGER, leaves)
    shares = allocate(Node("grid", 400, LimitSource.GRID, (charger,)), 0.0)
    values_w = [share.value_w for share in shares.values()]
    assert sum(values_w) == min(charger_w, 300)
    assert max(values_w) - min(values_w) <= 1
