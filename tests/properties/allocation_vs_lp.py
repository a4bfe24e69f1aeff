"""Max-min fair shares a second way: linear programs, solved one after the other.

The lexicographic max-min point of a convex set: raise the lowest share per weight as far as it
goes; the leaves whose bound then has a price (a dual value) cannot rise in any optimum, so they are
settled; go on with the others. It shares nothing with the allocator but the tree.

`python -m tests.properties.allocation_vs_lp --trees 20000 --seed 1` compares that many random trees
and ends with exit code 1 if one differs by more than 1 W. A tree is named by its seed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping
from typing import Any

import highspy
import numpy as np

from csms.balancing.allocation import Leaf, Node, violations
from csms.balancing.allocators.max_min import allocate
from csms.station.model import ConnectorKey, LimitSource

PRICE = 1e-7
"""A dual value above this counts as a price."""


class FairnessProgram:
    """The linear programs of one tree.

    Variables: one share per leaf, and the level. Rows: the sum under each node is at most its cap;
    each leaf's share is at least its weight times the level.
    """

    def __init__(self, root: Node) -> None:
        self.leaves = list(root.leaves())
        position = {leaf.key: index for index, leaf in enumerate(self.leaves)}
        self.level = len(self.leaves)
        self.solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("presolve", "off")
        for leaf in self.leaves:
            self.solver.addVar(leaf.floor_w, max(leaf.floor_w, leaf.upper_w))
        self.solver.addVar(0, highspy.kHighsInf)
        nodes = [root]
        while nodes:
            node = nodes.pop()
            nodes += [child for child in node.children if isinstance(child, Node)]
            below = np.array([position[leaf.key] for leaf in node.leaves()], dtype=np.int32)
            self.solver.addRow(
                -highspy.kHighsInf, node.cap_w, len(below), below, np.ones(len(below))
            )
        self.first_bound = self.solver.getNumRow()
        for index, leaf in enumerate(self.leaves):
            columns = np.array([index, self.level], dtype=np.int32)
            weights = np.array([1.0, -leaf.weight])
            self.solver.addRow(0, highspy.kHighsInf, 2, columns, weights)
        self.solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self.solver.changeColCost(self.level, 1.0)

    def settle(self, members: set[int]) -> dict[int, float]:
        """The exact shares in watts of the leaves `members`; the others keep their lower bound."""
        for index in range(len(self.leaves)):
            if index not in members:
                self._release(index)
        open_leaves, settled = set(members), {}
        while open_leaves:
            self.solver.run()
            if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise ArithmeticError(f"no optimum: {self.solver.getModelStatus()}")
            solution = self.solver.getSolution()
            level, prices = solution.col_value[self.level], solution.row_dual
            done = {i for i in open_leaves if abs(prices[self.first_bound + i]) > PRICE}
            if not done:
                raise ArithmeticError("nothing has a price")
            for index in done:
                settled[index] = level * self.leaves[index].weight
                self._release(index)
                self.fix(index, settled[index])
            open_leaves -= done
        return settled

    def restore(self, members: set[int]) -> None:
        """Tie `members` to the level again."""
        for index in members:
            self.solver.changeRowBounds(self.first_bound + index, 0, highspy.kHighsInf)

    def _release(self, index: int) -> None:
        self.solver.changeRowBounds(self.first_bound + index, -highspy.kHighsInf, highspy.kHighsInf)

    def fix(self, index: int, value_w: float) -> None:
        """Let a leaf have exactly this much."""
        self.solver.changeColBounds(index, value_w, value_w)


def reference(root: Node) -> dict[ConnectorKey, float]:
    """The weighted max-min fair shares in watts, class by class. Floors must fit; no minima."""
    program = FairnessProgram(root)
    shares: dict[int, float] = {}
    by_priority: dict[int, set[int]] = {}
    for index, leaf in enumerate(program.leaves):
        by_priority.setdefault(leaf.priority, set()).add(index)
    for priority in sorted(by_priority, reverse=True):
        program.restore(by_priority[priority])
        shares |= program.settle(by_priority[priority])
    return {program.leaves[index].key: value_w for index, value_w in shares.items()}


class RandomTrees:
    """Small random trees in which every floor fits, named by their seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.chargers = 0

    def tree(self) -> Node:
        """One tree of one to nine leaves, two to four levels deep."""
        children: list[Node | Leaf] = []
        for _ in range(self.rng.randint(1, 3)):
            if self.rng.random() < 0.25:
                chargers = tuple(self.charger() for _ in range(self.rng.randint(1, 2)))
                children.append(self.node("feeder", LimitSource.FEEDER, chargers))
            else:
                children.append(self.charger())
        return self.node("grid", LimitSource.GRID, tuple(children))

    def charger(self) -> Node:
        """A charger with one or two leaves."""
        self.chargers += 1
        leaves = tuple(self.leaf(number) for number in range(1, self.rng.randint(1, 2) + 1))
        return self.node(f"CP{self.chargers}", LimitSource.CHARGER, leaves)

    def leaf(self, number: int) -> Leaf:
        """A leaf, often with equal numbers, sometimes with a floor, a weight or a priority."""
        rng = self.rng
        upper_w = rng.choice((0, rng.randint(1, 400_000), rng.choice((11_000, 50_000, 150_000))))
        return Leaf(
            ConnectorKey(f"CP{self.chargers}", number),
            upper_w,
            LimitSource.VEHICLE,
            floor_w=rng.randint(0, 20_000) if rng.random() < 0.2 else 0,
            weight=rng.choice((1.0, 1.0, 1.0, 2.0, 0.5, round(rng.uniform(0.1, 10), 3))),
            priority=rng.choice((0, 0, 0, 0, 1, 2)),
        )

    def node(self, name: str, source: LimitSource, children: tuple[Node | Leaf, ...]) -> Node:
        """A cap from just the floors to more than everybody together can use."""
        bare = Node(name, 0, source, children)
        floors_w = sum(leaf.floor_w for leaf in bare.leaves())
        uppers_w = sum(max(leaf.upper_w, leaf.floor_w) for leaf in bare.leaves())
        share = self.rng.choice((0.0, 1.0, self.rng.uniform(0, 1.2)))
        return Node(name, floors_w + int(share * max(0, uppers_w - floors_w)), source, children)


def difference(root: Node) -> str:
    """What is wrong with the allocator's shares of this tree; empty when nothing is."""
    shares = allocate(root, 0.0)
    exact = reference(root)
    wrong = violations(root, shares)
    for key, value_w in exact.items():
        if abs(shares[key].value_w - value_w) > 1 + 1e-6 * max(1.0, value_w / 1000):
            wrong.append(f"{key}: {shares[key].value_w} W, by linear programs {value_w:.3f} W")
    return "; ".join(wrong)


def compare(seeds: range) -> Mapping[int, str]:
    """By seed, the trees on which the two ways differ."""
    found = {seed: difference(RandomTrees(seed).tree()) for seed in seeds}
    return {seed: what for seed, what in found.items() if what}


def main() -> int:
    """Compare as many trees as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trees", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = compare(range(asked.seed, asked.seed + asked.trees))
    for seed, what in found.items():
        sys.stdout.write(f"tree {seed}: {what}\n")
    sys.stdout.write(f"{asked.trees} trees, {len(found)} differ\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
