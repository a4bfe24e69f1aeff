"""What a world may be run with in place of the core as it is: a name, a reason and its patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.simulation.patches import Patch
from tests.simulation.settings import WorldSettings


def unchanged(settings: WorldSettings) -> WorldSettings:
    """The same world."""
    return settings


@dataclass(frozen=True, slots=True)
class Alteration:
    """Patches of the core, made when a world begins, and the world in which they show.

    `patches` is called once for each world, so that it may keep something for one world's life.
    `first_seed` is that of a world in which they show soon.
    """

    name: str
    text: str
    patches: Callable[[], Sequence[Patch]]
    settings: Callable[[WorldSettings], WorldSettings] = field(default=unchanged)
    first_seed: int = 1
