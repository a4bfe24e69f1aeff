"""What goes wrong, and when: one seeded stream of times for each kind of fault and charger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from tests.simulation.chance import Chance
from tests.simulation.charger import SimulatedCharger
from tests.simulation.network import Network
from tests.simulation.settings import ChargerFaults

HOUR_S = 3_600.0
SPELL_S = (30.0, 300.0)
SLOW_S = (2.0, 40.0)
OFF_S = (15.0, 120.0)
AWAY_S = (60.0, 400.0)
"""How long a charger may be without any network: longer than its leases last."""


def every(
    loop: asyncio.AbstractEventLoop, mean_s: float, random: Random, act: Callable[[], None]
) -> None:
    """Do it again and again, at random times. `mean_s` 0: never."""
    if mean_s <= 0:
        return

    def again() -> None:
        act()
        loop.call_later(random.expovariate(1 / mean_s), again)

    loop.call_later(random.expovariate(1 / mean_s), again)


class Mischief:
    """The faults of one charger and its line."""

    def __init__(
        self,
        charger: SimulatedCharger,
        network: Network,
        chance: Chance,
        faults: ChargerFaults,
    ) -> None:
        self._charger = charger
        self._network = network
        self._loop = network.loop
        self._faults = faults
        self._chance = chance
        self._random = chance.stream("mischief", charger.charger_id)

    def begin(self) -> None:
        """From now on, things go wrong."""
        faults = self._faults
        charger = self._charger
        if faults.clock_skew_s:
            self._jump(count=False)
        for name, mean_s, act in (
            ("deaf", faults.deaf_every_s, self._deaf),
            ("slow", faults.slow_every_s, self._slow),
            ("reboot", faults.reboot_every_s, lambda: self._reboot(forget=False)),
            ("forget", faults.forget_every_s, lambda: self._reboot(forget=True)),
            ("jump", faults.clock_jump_every_s, lambda: self._jump(count=True)),
            ("hour", faults.clock_hour_every_s, self._jump_an_hour),
            ("lie", faults.meter_lies_every_s, self._lie),
            ("disconnect", faults.disconnect_every_s, self._disconnect),
            ("half open", faults.half_open_every_s, self._half_open),
        ):
            every(self._loop, mean_s, self._chance.stream("times", name, charger.charger_id), act)

    def _deaf(self) -> None:
        spells = self._charger.spells
        spells.deaf_until = self._loop.time() + self._random.uniform(*SPELL_S)
        spells.deaf_applies = self._random.random() < 0.5
        self._note("charger deaf")

    def _slow(self) -> None:
        spells = self._charger.spells
        spells.slow_until = self._loop.time() + self._random.uniform(*SPELL_S)
        spells.slow_s = self._random.uniform(*SLOW_S)
        self._note("charger slow")

    def _reboot(self, *, forget: bool) -> None:
        self._note("charger reboots and forgets" if forget else "charger reboots")
        self._charger.reboot(forget=forget, off_s=self._random.uniform(*OFF_S))

    def _jump(self, *, count: bool) -> None:
        most_s = self._faults.clock_skew_s
        self._charger.set_clock(self._random.uniform(-most_s, most_s))
        if count:
            self._chance.injected["clock jump"] += 1

    def _jump_an_hour(self) -> None:
        """As at the end of summer time, or at its beginning."""
        ahead = self._random.random() < 0.5
        self._note("clock an hour ahead" if ahead else "clock an hour behind")
        self._charger.set_clock(HOUR_S if ahead else -HOUR_S)

    def _lie(self) -> None:
        self._chance.injected[f"meter {self._charger.liar.begin()}"] += 1
        self._loop.call_later(self._random.uniform(120, 1200), self._tell_the_truth)

    def _tell_the_truth(self) -> None:
        self._charger.liar.lie = None

    def _disconnect(self) -> None:
        line = self._charger.line
        if line is None:
            return
        self._note("disconnect")
        if self._random.random() < 0.3:
            self._charger.spells.away_until = self._loop.time() + self._random.uniform(*AWAY_S)
        late_s = self._random.uniform(0, 60) if self._random.random() < 0.3 else 0.1
        if self._random.random() < 0.5:
            line.break_off(late_s, 0.1)
        else:
            line.break_off(0.1, late_s)

    def _half_open(self) -> None:
        line = self._charger.line
        if line is None:
            return
        self._note("half-open line")
        line.half_open = True
        if self._random.random() < 0.5:
            self._loop.call_later(self._random.uniform(1, 60), self._give_up, line)

    def _give_up(self, line: object) -> None:
        if self._charger.line is line:
            self._charger.drop_line()

    def _note(self, kind: str) -> None:
        self._network.note(self._charger.charger_id, kind)
