"""A charger with a vehicle for tests of commissioning: it obeys what it is told, or does not.

It charges by the limits it took through the fake link, whatever the loop believes; `tick` lets ten
seconds pass. Samples taken without a link are sent when it is back, as old as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from csms.control.trials import Report
from csms.dispatch.commands import Scope, SetLimit
from csms.ports import Answer, BootReport, StopReport
from csms.station.facts import ChargerDisconnected, MeterSample
from csms.station.model import ConnectorKey
from tests.unit.csms.control.fakes import TAG, YES, Site

A1 = ConnectorKey("A", 1)
TICK_S = 10.0
MAX_W = 100_000
LEASE_S = 60.0
MOST_TICKS = 400
CYCLES = 12


@dataclass
class Plant:
    """Charger A with one connector, and what is wrong with it.

    `after`: what it does at the end of a limit ("fallback", "goes on", "full"). `takes_w`: the most
    its vehicle takes. `comes_back` False: it does not dial again once its link was cut.
    """

    at: Site
    after: str = "fallback"
    takes_w: int = MAX_W
    forgets: bool = False
    overshoots: bool = False
    stops_at_zero: bool = False
    refuses_start: bool = False
    reboots: bool = True
    comes_back: bool = True
    tells_energy: bool = True
    energy_wh: float = 0.0
    transaction_id: int | None = None
    connected: bool = False
    rebooting: bool = False
    profiles: dict[Scope, SetLimit] = field(default_factory=dict)
    queue: list[MeterSample] = field(default_factory=list)
    peak_w: int = 0
    paused: bool = False

    def __post_init__(self) -> None:
        self.at.link.script = self.take
        self.at.link.on_disconnect = lambda _: self.lose()
        self.at.link.on_reset = self.reset
        self.at.link.on_remote_start = self.asked_to_start

    async def begin(self) -> None:
        """It connects, and a vehicle charges."""
        await self.connect()
        await self.start()
        await self.tick()

    async def connect(self) -> None:
        self.connected = True
        await self.at.connect("A")

    async def start(self) -> None:
        self.transaction_id = await self.at.start(A1, TAG, round(self.energy_wh))

    async def asked_to_start(self, key: ConnectorKey, id_token: str) -> None:
        if not self.refuses_start:
            self.transaction_id = await self.at.start(key, id_token, round(self.energy_wh))

    async def reset(self, charger_id: str) -> None:
        self.rebooting = self.reboots

    def take(self, command: SetLimit) -> Answer:
        self.profiles[command.scope] = command
        return YES

    def lose(self) -> None:
        self.connected = False
        if self.forgets:
            self.profiles.clear()
        self.at.supervisor.recorder.record(ChargerDisconnected("A", self.at.clock.now()))

    @property
    def limit_w(self) -> int:
        """What it lets through."""
        told = self.profiles.get(Scope.SESSION) or self.profiles.get(Scope.DEFAULT)
        if self.overshoots and self.paused:
            return MAX_W
        if told is None:
            return MAX_W
        ends_at = told.limit.expires_at
        if ends_at is None or self.at.clock.now() < ends_at or self.after == "goes on":
            return told.limit.value_w
        return MAX_W if self.after == "full" else told.after_w

    async def tick(self) -> None:
        """Time passes."""
        self.at.clock.advance(TICK_S)
        if self.transaction_id is not None:
            await self._charge()
        if self.rebooting:
            await self._reboot()
        if not self.connected and self.comes_back and await self.at.supervisor.admit("A", "x"):
            await self.connect()
        if self.connected:
            for sample in self.queue:
                self.at.supervisor.recorder.record(sample)
            self.queue.clear()
        for _ in range(CYCLES):
            await self.at.loop().caught_up()

    async def _charge(self) -> None:
        limit_w = self.limit_w
        if limit_w == 0 and self.stops_at_zero:
            await self.stop()
            return
        power_w = min(limit_w, self.takes_w)
        self.peak_w = max(self.peak_w, power_w)
        if limit_w == 0:
            self.paused = Scope.SESSION in self.profiles
        self.energy_wh += power_w * TICK_S / 3_600
        now = self.at.clock.now()
        energy_wh = round(self.energy_wh) if self.tells_energy else None
        sample = MeterSample(A1, now, now, power_w, energy_wh, transaction_id=self.transaction_id)
        self.queue.append(sample)

    async def stop(self) -> None:
        report = StopReport("A", self.transaction_id, round(self.energy_wh), self.at.clock.now())
        await self.at.supervisor.recorder.stop_session(report)
        self.transaction_id = None
        self.profiles.pop(Scope.SESSION, None)

    async def _reboot(self) -> None:
        self.rebooting = False
        await self.stop()
        self.lose()
        await self.connect()
        await self.at.supervisor.recorder.boot(BootReport("A", "ACME", "Fast", "1", "2.0"))

    async def commissioned(self) -> Report:
        """Run a test from its beginning to its end."""
        tests = self.at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        for _ in range(MOST_TICKS):
            report = tests.report("A")
            if report.ended_at is not None:
                return report
            await self.tick()
        raise AssertionError(tests.report("A"))
