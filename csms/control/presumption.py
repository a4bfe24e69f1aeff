"""Ends sessions whose StopTransaction does not come, once their charger says they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from csms.control.recorder import StationRecorder
from csms.control.station_loop import StationLoop
from csms.ports import Clock, StoredSession
from csms.station.presumption import GRACE_S, presumed_over

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0


class Presumption:
    """Looks at every station now and then. An end that cannot be kept is tried again."""

    def __init__(
        self,
        loops: Callable[[], Iterable[StationLoop]],
        recorder: StationRecorder,
        clock: Clock,
        grace_s: float = GRACE_S,
    ) -> None:
        self._loops = loops
        self._recorder = recorder
        self._clock = clock
        self._grace_s = grace_s
        self._superseded: list[tuple[StoredSession, float]] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception:  # boundary: the next look finds the same sessions again
                log.exception("presumption_failed")

    def supersede_later(self, older: StoredSession, ended_at: float) -> None:
        """Another session has begun on its connector, which could not be kept when it was seen."""
        self._superseded.append((older, ended_at))

    async def look(self) -> None:
        """End what is over now."""
        while self._superseded:
            await self._recorder.supersede(*self._superseded[-1])
            self._superseded.pop()
        now = self._clock.now()
        for loop in list(self._loops()):
            for presumed in presumed_over(loop.state, now, self._grace_s):
                await self._recorder.presume_end(presumed)
