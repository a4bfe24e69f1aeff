"""How a reaction is taken away from csms: by patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation.patches import Patch

Without = Callable[[], Sequence[Patch]]


def one(owner: Any, name: str, value: Any) -> Without:
    """One patch, always the same."""
    return lambda: [Patch(owner, name, value)]
