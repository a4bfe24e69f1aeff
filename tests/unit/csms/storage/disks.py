"""A disk that is as full as a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KILOBYTE = 1024


@dataclass
class Disk:
    """Calls itself 100 MB large; `free` bytes of it are free. Broken, it tells nothing."""

    free: int = 50_000 * KILOBYTE
    total: int = 100_000 * KILOBYTE
    broken: bool = False

    def __call__(self, _folder: Path) -> Disk:
        if self.broken:
            raise OSError("gone")
        return self

    def has(self, share: float) -> None:
        """From now on this share of it is free."""
        self.free = round(share * self.total)
