"""The grid of a simulated site: its limit as configured and as told, and a source of limits.

What may be drawn is known from here alone. More may be drawn from the moment it is decided; less
from the moment csms has taken it. A source that has been heard and is then silent for its time-out
leaves the fail-safe limit, until a heartbeat and a new limit have got through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from csms.station.feasibility import feasibility
from csms.station.model import Station
from tests.simulation.central import Central
from tests.simulation.chance import Chance
from tests.simulation.checker import Checker
from tests.simulation.mischief import every
from tests.simulation.population import DEEPEST_CUT
from tests.simulation.settings import SiteFaults

CUT_PARTS = (DEEPEST_CUT, 0.5, 0.6, 0.8)
CUT_LASTS_S = (120.0, 1_800.0)
SILENT_S = (30.0, 600.0)
TOO_DEEP = 0.5
RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What is left of the station's connection, as configured and as told at run time."""

    configured: float = 1.0
    told: float = 1.0


class Grid:
    """The grid connection of `base`. `central` is csms when it is up."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        base: Station,
        checker: Checker,
        central: Callable[[], Central | None],
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._base = base
        self._checker = checker
        self._central = central
        self._random: Random = chance.stream("grid")
        self._wanted = Parts()
        self._taken = Parts()
        self._heard_at: float | None = None
        self._lost = False
        self._silent = False
        self._telling = False

    def begin(self, faults: SiteFaults) -> None:
        """From now on things change and go wrong."""
        stream = self._chance.stream
        every(self._loop, faults.cut_every_s, stream("cuts"), self._cut)
        every(self._loop, faults.cut_too_deep_every_s, stream("deep cuts"), self._cut_too_deep)
        source = self._base.grid_source
        if source is not None:
            every(self._loop, faults.silence_every_s, stream("silences"), self._fall_silent)
            self._beat()

    def restarted(self) -> None:
        """A new csms: what it was told last may have been lost."""
        self._apply()
        self._tell()

    # ------------------------------------------------------------------ cuts

    def _cut(self) -> None:
        if self._wanted != Parts():
            return
        part = self._random.choice(CUT_PARTS)
        told = self._base.grid_source is not None and self._random.random() < 0.5
        self._wanted = Parts(told=part) if told else Parts(configured=part)
        self._chance.injected["grid cut told" if told else "grid cut"] += 1
        self._change()
        self._loop.call_later(self._random.uniform(*CUT_LASTS_S), self._restore)

    def _restore(self) -> None:
        self._wanted = Parts()
        self._change()

    def _change(self) -> None:
        self._allow()
        self._apply()
        self._tell()

    def _cut_too_deep(self) -> None:
        """Somebody configures less than the fallbacks need: that is refused, so nothing changes."""
        central = self._central()
        fallback_w = sum(c.fallback_w for c in self._base.connectors())
        if central is None or not central.up.is_set() or self._wanted != Parts():
            return
        self._chance.injected["grid cut too deep"] += 1
        asked_w = int(fallback_w * TOO_DEEP)
        part = asked_w / self._base.available_w
        station = self._configured(part)

        def done() -> None:
            self._wanted = Parts(configured=part)
            self._taken = self._wanted
            self._allow()

        central.configure(station, done)

    # ------------------------------------------------------------------ as configured

    def _configured(self, part: float) -> Station:
        taken_w = self._base.static_load_w + self._base.reserve_w
        station = replace(self._base, grid_limit_w=int(self._base.available_w * part) + taken_w)
        source = station.grid_source
        assert source is None or part < DEEPEST_CUT or not feasibility(station)
        return station

    def _apply(self) -> None:
        """Tell csms how the station is configured."""
        central = self._central()
        if central is None:
            return
        if not central.up.is_set():
            self._loop.call_later(1.0, self._apply)
            return
        part = self._wanted.configured

        def done() -> None:
            if part == self._wanted.configured:
                self._taken = replace(self._taken, configured=part)
                self._allow()

        station = self._configured(part)
        core = self._checker.core
        if core is None or core.state.station.grid_limit_w != station.grid_limit_w:
            central.configure(station, done)
        else:
            done()
        self._loop.call_later(RETRY_S, self._make_sure)

    def _make_sure(self) -> None:
        """A crash or the disk may have swallowed the last change."""
        core = self._checker.core
        configured = self._configured(self._wanted.configured)
        if core is not None and core.state.station.grid_limit_w != configured.grid_limit_w:
            self._apply()

    # ------------------------------------------------------------------ as told

    def _beat(self) -> None:
        if not self._silent:
            self._say(self._heartbeat)
        self._loop.call_later(self._random.uniform(20, 50), self._beat)

    def _tell(self) -> None:
        """Tell csms the limit, after a sign of life."""
        if self._base.grid_source is not None and not self._silent and not self._telling:
            self._say(self._heartbeat_and_limit)

    def _fall_silent(self) -> None:
        if self._silent or self._telling or self._wanted.told != self._taken.told:
            return
        self._silent = True
        self._chance.injected["grid source silent"] += 1
        self._loop.call_later(self._random.uniform(*SILENT_S), self._speak_again)

    def _speak_again(self) -> None:
        self._silent = False
        self._tell()

    def _say(self, what: Callable[[Central], Coroutine[Any, Any, None]]) -> None:
        central = self._central()
        if central is not None and central.up.is_set():
            central.run(what(central))
        elif central is not None:
            self._loop.call_later(1.0, self._tell)

    async def _heartbeat(self, central: Central) -> None:
        at = self._loop.time()
        if await central.told(lambda grid: grid.heartbeat(self._base.station_id)):
            self._heard(at)

    async def _heartbeat_and_limit(self, central: Central) -> None:
        self._telling = True
        try:
            await self._heartbeat(central)
            part = self._wanted.told
            limit_w = self._configured(part).grid_limit_w
            at = self._loop.time()
            if not await central.told(lambda grid: grid.give(self._base.station_id, limit_w)):
                self._loop.call_later(RETRY_S, self._tell)
                return
            self._lost = False
            self._heard(at)
            self._taken = replace(self._taken, told=part)
            self._allow()
        finally:
            self._telling = False
        if part != self._wanted.told:
            self._tell()

    def _heard(self, at: float) -> None:
        source = self._base.grid_source
        assert source is not None
        self._heard_at = at
        self._loop.call_at(at + source.timeout_s, self._time_out, at)

    def _time_out(self, at: float) -> None:
        if self._heard_at == at and not self._lost:
            self._lost = True
            self._checker.say("the grid source is lost")
            self._chance.injected["grid source lost"] += 1
            self._allow()

    # ------------------------------------------------------------------ what may be drawn

    def _allow(self) -> None:
        """What is lower counts when it has been taken, what is higher at once."""
        parts = [
            max(self._wanted.configured, self._taken.configured),
            max(self._wanted.told, self._taken.told),
        ]
        allowed_w = int(self._base.available_w * min(parts))
        source = self._base.grid_source
        if self._lost and source is not None:
            taken_w = self._base.static_load_w + self._base.reserve_w
            allowed_w = min(allowed_w, source.failsafe_w - taken_w)
        if allowed_w != self._checker.allowed_w:
            self._checker.limited(allowed_w)
