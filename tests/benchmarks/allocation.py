"""How long one allocation takes: `python -m tests.benchmarks.allocation`. Goal: 1 ms at 100."""

from __future__ import annotations

import random
import statistics
import time

from csms.balancing.allocation import Leaf, Node
from csms.balancing.allocators.max_min import allocate
from csms.station.model import ConnectorKey, LimitSource

RUNS = 200


def station(connectors: int, *, minimum_w: int = 0, seed: int = 1) -> Node:
    """Chargers with two connectors each; some chargers are short of power, and the grid is."""
    rng = random.Random(seed)
    chargers = []
    for number in range(connectors // 2):
        leaves = tuple(
            Leaf(
                ConnectorKey(f"CP{number:04d}", connector),
                upper_w=rng.randrange(50_000, 300_000),
                upper_source=LimitSource.VEHICLE,
                minimum_w=minimum_w,
                waiting_since=rng.random() * 3600,
            )
            for connector in (1, 2)
        )
        chargers.append(Node(f"CP{number:04d}", 200_000, LimitSource.CHARGER, leaves))
    return Node("grid", 60_001 * connectors, LimitSource.GRID, tuple(chargers))


def median_ms(root: Node) -> float:
    """The median duration of one allocation in milliseconds."""
    taken = []
    for run in range(RUNS):
        began = time.perf_counter()
        allocate(root, float(run))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def main() -> None:
    """Print one line for each size."""
    for connectors in (10, 100, 1000):
        plain = median_ms(station(connectors))
        scarce = median_ms(station(connectors, minimum_w=70_000))
        print(f"{connectors:5d} connectors: {plain:7.3f} ms, with minima {scarce:7.3f} ms (median)")


if __name__ == "__main__":
    main()
