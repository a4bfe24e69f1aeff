"""csms without its reaction to a habit: the habit's story must then fail.

    python -m tests.e2e.habits.reactions          all of them
    python -m tests.e2e.habits.reactions NAME …   these

Each is tried in a process of its own, which is killed when it takes too long. Prints every habit
whose story does not fail as it must: it holds without the reaction, or does not end; exit code 1
when there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from simulators.charge_point.habits.catalogue import FAMILIES
from tests.e2e.habits import story, without_asking, without_hearing
from tests.e2e.habits.stories import SWITCHES, stories
from tests.e2e.habits.story import Story
from tests.simulation.patches import Patch, patched

LIMIT_S = 30.0
"""A story gives up by itself after 20 s."""

FAILS, HOLDS = 0, 3
"""Exit codes of the process that tries a story; Python's own is 1."""

WITHOUT = {**without_hearing.WITHOUT, **without_asking.WITHOUT}


def told() -> dict[str, Story]:
    """Every story."""
    found = {name: story for family in FAMILIES for name, story in stories(family).items()}
    return found | {name: story for name, (_, story) in SWITCHES.items()}


def holds_without(name: str, tale: Story) -> bool:
    """Whether the story holds without the reaction to its habit; so it does if there is none."""
    if name not in WITHOUT:
        return True
    if name == "hates_haste":
        tale = replace(tale, config={"call_gap_s": 0.0})
    # A patch that finds nothing to replace is no failure of the story: it is raised.
    patches = [*WITHOUT[name](), Patch(story, "PATIENCE", 200)]
    with contextlib.redirect_stdout(io.StringIO()), patched(patches):
        try:
            asyncio.run(story.play(tale))
        except Exception:  # noqa: BLE001 - in whatever way it fails
            return False
    return True


def verdict(holds: Callable[[], bool], limit_s: float) -> str:
    """What is wrong with a story that is tried; empty when it fails as it must."""

    def trial() -> None:
        sys.exit(HOLDS if holds() else FAILS)

    process = multiprocessing.get_context("fork").Process(target=trial, daemon=True)
    process.start()
    process.join(limit_s)
    if process.is_alive():
        process.kill()
        process.join()
        return f"has not ended after {limit_s:g} s"
    said = {FAILS: "", HOLDS: "holds without the reaction"}
    return said.get(process.exitcode or FAILS, f"could not be tried: exit code {process.exitcode}")


def main(names: Sequence[str], limit_s: float = LIMIT_S) -> int:
    """Try these, or all; the exit code."""
    tales = {name: tale for name, tale in told().items() if not names or name in names}
    useless = 0
    for name, tale in tales.items():
        wrong = verdict(functools.partial(holds_without, name, tale), limit_s)
        if wrong:
            useless += 1
            sys.stdout.write(f"{name}: {wrong}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(tales) - useless} of {len(tales)} fail without the reaction\n")
    return 1 if useless else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
