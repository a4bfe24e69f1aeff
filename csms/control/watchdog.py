"""Ends a process whose event loop stands still.

A thread of the interpreter's own (`faulthandler`) needs no lock that the loop could hold: when it
is not told in time that the loop still turns, it writes the stack of every thread to standard
error and ends the process. What supervises csms starts it again; what chargers were promised is in
the ledger, and leases run out by themselves (safety.md §3.2, F8).
"""

from __future__ import annotations

import faulthandler
from collections.abc import Callable
from typing import Any

REARM_S = 1.0


class Watchdog:
    """Armed by the first beat. `stall_s`: how long the loop may stand still (§3.2: 5 s); 0: ever.

    `arm` and `disarm` are those of `faulthandler`.
    """

    def __init__(
        self,
        stall_s: float,
        arm: Callable[..., Any] = faulthandler.dump_traceback_later,
        disarm: Callable[[], Any] = faulthandler.cancel_dump_traceback_later,
    ) -> None:
        self._stall_s = stall_s
        self._arm = arm
        self._disarm = disarm
        self._armed_at: float | None = None

    def beat(self, now: float) -> None:
        """The loop turns. Arming costs a thread, so not every beat does it."""
        if self._stall_s <= 0:
            return
        rearm_s = min(REARM_S, self._stall_s / 2)
        if self._armed_at is None or now - self._armed_at >= rearm_s:
            self._armed_at = now
            self._arm(self._stall_s + rearm_s, exit=True)

    def stop(self) -> None:
        """The loop is about to end in good order."""
        if self._armed_at is not None:
            self._armed_at = None
            self._disarm()
