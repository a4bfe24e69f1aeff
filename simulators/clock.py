"""The only reader of the clock in `simulators`."""

from __future__ import annotations

import time

from simulators.moment import Moment


class Clock:
    """Real time, and scenario time that runs `speed` times as fast.

    UTC is read once and carried on by the monotonic clock, so that it never jumps within a run.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            msg = f"speed must be above 0, not {speed}"
            raise ValueError(msg)
        self.speed = speed
        self._utc_at_start_s = time.time()
        self._started_s = time.monotonic()

    def monotonic(self) -> float:
        """Seconds since the simulation began, at real speed."""
        return time.monotonic() - self._started_s

    def moment(self) -> Moment:
        """Now."""
        elapsed_s = self.monotonic()
        return Moment(self._utc_at_start_s + elapsed_s, elapsed_s * self.speed)
