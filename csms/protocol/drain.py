"""An orderly end: finish what is in work, then close everybody, but not all at once.

What was closed dials again, at whoever comes after this process; a thousand handshakes in one
moment is a storm of our own making (safety.md §3.3).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from csms.ports import Clock

log = structlog.get_logger(__name__)

CLOSE_RESTART = 1012
LOOK_S = 0.05
SLICE_S = 0.1


@dataclass(frozen=True, slots=True)
class DrainPolicy:
    """How long an orderly end may take (safety.md §3.3).

    Requests in work and lowers have `work_s` to be finished (10 s). Then `closes_per_s` are closed,
    half of the handshakes that a csms lets through, so that few chargers are closed at once; but
    all within `close_s` (30 s, the least of 30 to 900).
    """

    work_s: float = 10.0
    close_s: float = 30.0
    closes_per_s: float = 100.0


class Drained(Protocol):
    """What draining knows of a connection."""

    @property
    def busy(self) -> bool:
        """Whether something is in work that is worth waiting for."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close without waiting."""
        ...


async def drain(
    connections: Callable[[], Sequence[Drained]], policy: DrainPolicy, clock: Clock
) -> None:
    """Wait until nothing is in work, then close all connections in slices; bounded in time."""
    give_up_at = clock.monotonic() + policy.work_s
    # A connection tells nobody when it is idle: its charger may ask for more at any moment.
    while any(c.busy for c in connections()) and clock.monotonic() < give_up_at:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_S)
    left = list(connections())
    busy = sum(c.busy for c in left)
    log.info("closing_connections", count=len(left), still_busy=busy)
    for index, part in enumerate(slices(left, policy)):
        if index > 0:
            await asyncio.sleep(SLICE_S)
        for connection in part:
            connection.close(CLOSE_RESTART, "restarting")


def slices(connections: Sequence[Drained], policy: DrainPolicy) -> list[Sequence[Drained]]:
    """The connections in parts, one for each `SLICE_S`."""
    most = max(1, math.ceil(policy.close_s / SLICE_S))
    size = max(math.ceil(policy.closes_per_s * SLICE_S), math.ceil(len(connections) / most), 1)
    return [connections[at : at + size] for at in range(0, len(connections), size)]
