"""Max-min shares: known stations from a file, and what the file cannot say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csms.balancing.allocation import Leaf, Node, Share, violations
from csms.balancing.allocators import max_min
from csms.balancing.allocators.max_min import allocate
from csms.station.model import ConnectorKey, LimitSource

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[4] / "cases" / "allocation.json").read_text()
)
INFEASIBLE = {"floors over the cap", "floors over a charger's cap"}


def key(text: str) -> ConnectorKey:
    charger_id, connector_id = text.split("/")
    return ConnectorKey(charger_id, int(connector_id))


def node(shape: dict[str, Any]) -> Node:
    children = tuple(node(c) if "children" in c else leaf(c) for c in shape["children"])
    return Node(shape["name"], shape["cap_w"], LimitSource(shape["source"]), children)


def leaf(shape: dict[str, Any]) -> Leaf:
    return Leaf(
        **(shape | {"key": key(shape["key"]), "upper_source": LimitSource(shape["upper_source"])})
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    root = node(case["tree"])
    shares = allocate(root, case["now"])
    assert {str(k): [s.value_w, s.source.value] for k, s in shares.items()} == case["shares"]
    assert (violations(root, shares) == []) is (case["name"] not in INFEASIBLE)


def plain(name: str, upper_w: int, *, weight: float = 1.0, quantum_w: int = 1) -> Leaf:
    return Leaf(key(name), upper_w, LimitSource.VEHICLE, weight=weight, quantum_w=quantum_w)


def test_shares_come_in_the_order_of_the_tree() -> None:
    root = Node("grid", 9, LimitSource.GRID, (plain("B/1", 1), plain("A/2", 1), plain("A/1", 1)))
    assert [str(k) for k in allocate(root, 0.0)] == ["B/1", "A/2", "A/1"]


def test_a_moment_before_anybody_waited_is_no_error() -> None:
    leaves = tuple(
        Leaf(key(name), 9, LimitSource.VEHICLE, minimum_w=6, waiting_since=5000.0)
        for name in ("A/1", "B/1")
    )
    shares = allocate(Node("grid", 9, LimitSource.GRID, leaves), 0.0)
    assert sorted(share.value_w for share in shares.values()) == [0, 9]


def test_every_large_minimum_is_served_once_in_as_many_turns_as_wait() -> None:
    minima = (9, 8, 5, 4, 3)
    leaves = tuple(
        Leaf(key(f"{name}/1"), 10, LimitSource.VEHICLE, minimum_w=minimum_w, waiting_since=at)
        for at, (name, minimum_w) in enumerate(zip("ABCDE", minima, strict=True))
    )
    served: dict[str, int] = dict.fromkeys("ABCDE", 0)
    for turn in range(5):
        shares = allocate(Node("grid", 10, LimitSource.GRID, leaves), turn * 900.0)
        for k, share in shares.items():
            served[k.charger_id] += share.value_w > 0
    # On the turns of A and B nobody else fits; on those of C, D and E two of the small ones do.
    assert served == {"A": 1, "B": 1, "C": 1, "D": 2, "E": 3}


def test_exact_shares_that_are_too_large_are_booked_only_as_far_as_they_fit() -> None:
    root = Node(
        "grid",
        100,
        LimitSource.GRID,
        (plain("A/1", 90), plain("B/1", 90, quantum_w=25), plain("C/1", 90)),
    )
    flat = max_min._Field.of(root)  # noqa: SLF001 - no tree makes the float error this large
    rooms = max_min._round_down(flat, [0, 1, 2], [40.9, 75.0, 40.9])  # noqa: SLF001
    assert flat.value_w == [40, 50, 10]
    assert rooms == [0]


def test_many_sizes_of_quanta_use_all_they_can() -> None:
    leaves = tuple(plain(f"A/{n}", 1000, quantum_w=q) for n, q in enumerate((7, 11, 13, 1, 50)))
    root = Node("grid", 999, LimitSource.GRID, leaves)
    shares = allocate(root, 0.0)
    assert violations(root, shares) == []
    assert sum(share.value_w for share in shares.values()) == 999


def test_a_level_nobody_reaches_is_the_highest_bend() -> None:
    assert max_min._level([(0, 5.0, 1.0)], 6) == 5.0  # noqa: SLF001 - only float error comes here
    assert max_min._level([(0, 5.0, 1.0)], 0) == 0.0  # noqa: SLF001


def test_a_share_is_a_plain_value() -> None:
    root = Node("grid", 5, LimitSource.GRID, (plain("A/1", 9),))
    assert allocate(root, 0.0) == {ConnectorKey("A", 1): Share(5, LimitSource.GRID)}


# ------------------------------------------------------------------ what is enough


def easy(name: str, upper_w: int, enough_w: int, **more: int) -> Leaf:
    return Leaf(key(name), upper_w, LimitSource.DEMAND, enough_w=enough_w, **more)


def values(cap_w: int, *leaves: Leaf) -> list[int]:
    root = Node("grid", cap_w, LimitSource.GRID, leaves)
    shares = allocate(root, 0.0)
    assert violations(root, shares) == []
    return [share.value_w for share in shares.values()]


@pytest.mark.parametrize(
    ("cap_w", "expected"),
    [
        (60, [30, 30]),
        (100, [40, 60]),
        (140, [40, 100]),
        (145, [45, 100]),
        (150, [50, 100]),
        (500, [50, 100]),
    ],
)
def test_more_than_enough_is_given_when_all_others_have_what_they_can(
    cap_w: int, expected: list[int]
) -> None:
    assert values(cap_w, easy("A/1", 50, 40), plain("B/1", 100)) == expected


def test_what_is_left_over_is_shared_fairly_too() -> None:
    assert values(100, easy("A/1", 60, 20), easy("B/1", 45, 40)) == [55, 45]
    assert values(80, easy("A/1", 60, 20), easy("B/1", 45, 40)) == [40, 40]


def test_enough_is_cut_to_whole_quanta_and_never_below_floor_or_minimum() -> None:
    other = plain("B/1", 1000)
    assert values(200, easy("A/1", 100, 49, quantum_w=10), other) == [40, 160]
    assert values(200, easy("A/1", 100, 10, floor_w=30), other) == [30, 170]
    assert values(200, easy("A/1", 100, 10, minimum_w=25), other) == [25, 175]
    assert values(20, easy("A/1", 100, 10, minimum_w=25), other) == [0, 20]
    assert values(200, easy("A/1", 20, 20), other) == [20, 180]


def test_the_source_says_what_kept_a_vehicle_from_more() -> None:
    root = Node("grid", 140, LimitSource.GRID, (easy("A/1", 50, 40), plain("B/1", 100)))
    assert allocate(root, 0.0)[key("A/1")] == Share(40, LimitSource.GRID)
    wide = Node("grid", 150, LimitSource.GRID, root.children)
    assert allocate(wide, 0.0)[key("A/1")] == Share(50, LimitSource.DEMAND)
