"""A network in memory: lines between chargers and csms that lose, delay, double and reorder frames.

A line has csms's end (`protocol.connection.Socket`) and the charger's end, which is told of frames
and of the end by calls. Half open, it swallows everything and tells nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tests.simulation.chance import Chance
from tests.simulation.settings import NetworkFaults

CALL_FRAME = "[2"
TIE_S = 1e-6
"""Timers of one moment run in any order: what must keep its order is this far apart."""


class ChargerEnd(Protocol):
    """The charger, as its line knows it."""

    charger_id: str

    def heard(self, line: Line, text: str) -> None:
        """A frame has come."""
        ...

    def hung_up(self, line: Line) -> None:
        """The line is gone."""
        ...


class Lane:
    """One direction of a line."""

    def __init__(self, line: Line, name: str, deliver: Callable[[str], None]) -> None:
        network = line.network
        self._line = line
        self._name = name
        self._deliver = deliver
        self._loop = network.loop
        self._faults = network.faults
        self._random = network.chance.stream("frames", name, line.charger_id, line.number)
        self._last_at = 0.0
        self._last_call_at = 0.0

    def send(self, text: str) -> None:
        """Put a frame on its way."""
        if self._line.half_open:
            return
        faults, random = self._faults, self._random
        kind = "request" if text.startswith(CALL_FRAME) else "answer"
        fate = random.random()
        low, high = faults.delay_s
        delay_s = low + (high - low) * random.random()
        if fate < faults.lost:
            self._note(f"{self._name} {kind} lost")
            return
        fate -= faults.lost
        if fate < faults.late:
            delay_s += min(random.expovariate(1 / faults.late_mean_s), faults.late_most_s)
            self._note(f"{self._name} {kind} late")
        fate -= faults.late
        at = self._loop.time() + delay_s
        if 0 <= fate < faults.overtakes:
            at = max(at, self._last_call_at + TIE_S) if self._keeps_order(text) else at
            self._note(f"{self._name} {kind} out of order")
        else:
            at = max(at, self._last_at + TIE_S, self._last_call_at + TIE_S)
            self._last_at = at
        if self._keeps_order(text):
            self._last_call_at = max(at, self._last_call_at)
        fate -= faults.overtakes
        self._loop.call_at(at, self._arrive, text)
        if 0 <= fate < faults.twice:
            self._loop.call_at(at, self._arrive, text)
            self._note(f"{self._name} {kind} twice")

    def _keeps_order(self, text: str) -> bool:
        return self._name == "csms" and text.startswith(CALL_FRAME)

    def _arrive(self, text: str) -> None:
        if not self._line.half_open:
            self._deliver(text)

    def _note(self, kind: str) -> None:
        self._line.network.note(self._line.charger_id, kind)


class CsmsEnd:
    """csms's end of a line: `protocol.connection.Socket`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._loop = line.network.loop
        self.heard_at = self._loop.time()
        self.pong_seen = False
        self.on_closing: Callable[[], None] = _nobody
        self.open = True
        self._frames: deque[str] = deque()
        self.over = False
        self._reader: asyncio.Future[None] | None = None

    async def receive(self) -> str | bytes | None:
        while not self._frames:
            if self.over:
                return None
            self._reader = self._loop.create_future()
            await self._reader
        return self._frames.popleft()

    def write(self, text: str) -> None:
        if self.open:
            self._line.to_charger.send(text)

    def write_ping(self) -> None:
        if self.open:
            self._loop.call_later(0.1, self._pong)

    def start_close(self, code: int, reason: str) -> None:
        if self.open:
            self.open = False
            self._loop.call_later(0.1, self._line.end_at_charger)
            self._loop.call_later(0.2, self._answered_close)

    def abort(self) -> None:
        self.open = False
        self._loop.call_later(0.1, self._line.end_at_charger)
        self.end()

    def arrive(self, text: str) -> None:
        """A frame has come over the network."""
        if self.over or self._line.csms_gone:
            return
        self.heard_at = self._loop.time()
        self._frames.append(text)
        self._wake()

    def end(self) -> None:
        """The line is gone, as seen from here."""
        if self.over:
            return
        self.over = True
        self.open = False
        self.on_closing()
        self._wake()

    def _answered_close(self) -> None:
        if not self._line.half_open:
            self.end()

    def _pong(self) -> None:
        if not self._line.half_open and not self.over and not self._line.charger_gone:
            self.heard_at = self._loop.time()
            self.pong_seen = True

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Line:
    """One connection of one charger, from its dial to its end."""

    def __init__(self, network: Network, charger: ChargerEnd, number: int) -> None:
        self.network = network
        self.charger_id = charger.charger_id
        self.number = number
        self.half_open = False
        self.csms_gone = False
        self.charger_gone = False
        self._charger = charger
        self.csms_end = CsmsEnd(self)
        self.to_csms = Lane(self, "charger", self.csms_end.arrive)
        self.to_charger = Lane(self, "csms", self._heard)

    @property
    def works(self) -> bool:
        """Whether frames get through."""
        return not (self.half_open or self.csms_gone or self.charger_gone or self.csms_end.over)

    def send(self, text: str) -> None:
        """The charger sends a frame."""
        if not self.charger_gone:
            self.to_csms.send(text)

    def hang_up(self) -> None:
        """The charger gives the line up; csms is told a moment later, unless it is half open."""
        if not self.charger_gone:
            self.charger_gone = True
            if not self.half_open:
                self.network.loop.call_later(0.1, self.csms_end.end)

    def end_at_charger(self) -> None:
        """The charger sees the end of the line."""
        if not self.charger_gone and not self.half_open:
            self.charger_gone = True
            self._charger.hung_up(self)

    def break_off(self, csms_after_s: float, charger_after_s: float) -> None:
        """The line breaks; each end sees it in its own time."""
        self.network.loop.call_later(csms_after_s, self.csms_end.end)
        self.network.loop.call_later(charger_after_s, self.end_at_charger)

    def _heard(self, text: str) -> None:
        if not self.charger_gone:
            self._charger.heard(self, text)


class Network:
    """Makes lines. `accept` is csms when it is up: takes a line, or says no with False."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        chance: Chance,
        faults: NetworkFaults,
        touched: Callable[[str, str], None],
    ) -> None:
        self.loop = loop
        self.chance = chance
        self.faults = faults
        self.accept: Callable[[Line], bool] = _nobody_there
        self._touched = touched
        self._dials = 0
        self._lines: dict[str, Line] = {}

    def dial(self, charger: ChargerEnd) -> Line | None:
        """A new line; None when nobody answers."""
        self._dials += 1
        line = Line(self, charger, self._dials)
        if not self.accept(line):
            self.chance.injected["dial refused"] += 1
            return None
        self._lines[charger.charger_id] = line
        self._touched(charger.charger_id, "dialled")
        return line

    def line_of(self, charger_id: str) -> Line | None:
        """The line the charger dialled last."""
        return self._lines.get(charger_id)

    def csms_died(self) -> None:
        """The process is gone: its sockets are closed by its system, but for those half open."""
        self.accept = _nobody_there
        for line in self._lines.values():
            line.csms_gone = True
            line.csms_end.open = False
            self.loop.call_later(0.1, line.end_at_charger)

    def note(self, charger_id: str, kind: str) -> None:
        """A fault was injected that concerns this charger."""
        self.chance.injected[kind] += 1
        self._touched(charger_id, kind)


def _nobody() -> None:
    """Tell nobody."""


def _nobody_there(_line: Line) -> bool:
    return False
