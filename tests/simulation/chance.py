"""Seeded chance: one stream of numbers per concern, so that one change does not shift the others.

Also what faults were injected, counted by kind.
"""

from __future__ import annotations

from collections import Counter
from random import Random


class Chance:
    """The random numbers of one world."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.injected: Counter[str] = Counter()

    def stream(self, *concern: object) -> Random:
        """A stream of its own, the same for the same seed and name."""
        return Random(f"{self.seed}/" + "/".join(str(part) for part in concern))
