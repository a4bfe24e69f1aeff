"""The time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The time. `now` never jumps back within one process."""

    def now(self) -> float:
        """UTC epoch seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean anything."""
        ...
