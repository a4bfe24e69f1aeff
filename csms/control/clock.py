"""The only module that reads the clock."""

from __future__ import annotations

import time


class SystemClock:
    """`ports.Clock` on the machine's clocks.

    `now` is UTC at the start plus monotonic time since: setting the machine's clock while csms runs
    neither shortens nor lengthens anything.
    """

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now(self) -> float:
        """UTC epoch seconds."""
        return self._offset_s + time.monotonic()

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()
