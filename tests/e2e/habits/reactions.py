"""csms without its reaction to a habit: the habit's story must then fail.

    python -m tests.e2e.habits.reactions          all of them
    python -m tests.e2e.habits.reactions NAME …   these

Prints every habit whose story holds without the reaction; exit code 1 when there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
from collections.abc import Sequence
from dataclasses import replace

from simulators.charge_point.habits.catalogue import FAMILIES
from tests.e2e.habits import story, without_asking, without_hearing
from tests.e2e.habits.stories import SWITCHES, stories
from tests.e2e.habits.story import Story
from tests.simulation.patches import Patch, patched

WITHOUT = {**without_hearing.WITHOUT, **without_asking.WITHOUT}


def told() -> dict[str, Story]:
    """Every story."""
    found = {name: story for family in FAMILIES for name, story in stories(family).items()}
    return found | {name: story for name, (_, story) in SWITCHES.items()}


def holds_without(name: str, tale: Story) -> bool:
    """Whether the story holds without the reaction to its habit."""
    if name == "hates_haste":
        tale = replace(tale, config={"call_gap_s": 0.0})
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            with patched([*WITHOUT[name](), Patch(story, "PATIENCE_S", 1.0)]):
                asyncio.run(story.play(tale))
        except Exception:  # noqa: BLE001 - in whatever way it fails
            return False
    return True


def main(names: Sequence[str]) -> int:
    """Try these, or all; the exit code."""
    tales = {name: tale for name, tale in told().items() if not names or name in names}
    useless = 0
    for name, tale in tales.items():
        if name not in WITHOUT or holds_without(name, tale):
            useless += 1
            sys.stdout.write(f"{name}: holds without the reaction\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(tales) - useless} of {len(tales)} fail without the reaction\n")
    return 1 if useless else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
