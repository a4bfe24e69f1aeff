"""Runs the show: csms on a temporary database, the simulated site beside it, and the view."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from csms.api.operations import Operations
from csms.app import running
from csms.config import Config
from csms.control.clock import SystemClock
from csms.demo.screen import block, event_line, screen, simulated_line
from csms.demo.simulator import SitePlan, simulated_site, station_of
from csms.demo.verdict import LimitWatch
from csms.ports import Clock
from csms.station.units import render_kw

HOST = "127.0.0.1"
LOG_LINES = 100
LOOK_S = 0.2
"""How often the station is looked at."""

BLOCK_S = 3.0
"""How often plain output shows the station."""

OVERTIME_S = 60.0
"""How much longer than its duration a show may take, to start and to stop."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`duration_s` None: until Ctrl-C. `scenario`: a name the simulators know, or a file."""

    duration_s: float | None = None
    speed: float = 1.0
    seed: int = 1
    scenario: str = "demo"


def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Run the show; returns the exit code: 0, or 1 when the promise was broken.

    Raises ConfigError when the scenario cannot be played.
    """
    return asyncio.run(_run(options, console or Console()))


async def _run(options: DemoOptions, console: Console) -> int:
    station = await station_of(options.scenario)
    with tempfile.TemporaryDirectory(prefix="csms-demo-") as folder:
        config = demo_config(Path(folder), options.speed)
        async with running(config, [station]) as app:
            plan = SitePlan(
                options.scenario,
                app.ocpp_url,
                app.api_url,
                options.duration_s,
                options.speed,
                options.seed,
            )
            links = (
                f"chargers connect to {app.ocpp_url}/<id>\n"
                f"the API is at {app.api_url}, described at {app.api_url}/docs"
            )
            show = Show(app.supervisor, station.station_id, links, console)
            async with simulated_site(plan, show.on_simulated) as site:
                await show.run(site.ended, options.duration_s)
    return show.conclude(site.exit_code, site.report, site.complaints)


def demo_config(folder: Path, speed: float) -> Config:
    """Default settings, on default ports when they are free, quick enough to watch."""
    defaults = Config()
    return Config(
        database_url=f"sqlite:///{folder / 'demo.db'}",
        key_secret_file=folder / "demo.secret",
        anonymous_chargers="accept",  # the simulated site shows no keys; the bind is loopback
        ocpp_port=_free_or_any(defaults.ocpp_port),
        api_port=_free_or_any(defaults.api_port),
        meter_interval_s=max(1, round(2 / speed)),
        raise_spacing_s=max(1.0, 10.0 / speed),
        boot_quiet_s=0.2,
        reserve_mb=0,
    )


def _free_or_any(port: int) -> int:
    try:
        with socket.create_server((HOST, port)):
            return port
    except OSError:
        return 0


@dataclass(slots=True)
class Show:
    """The view of one run, and the judge of it."""

    operations: Operations
    station_id: str
    links: str
    console: Console
    watch: LimitWatch = field(default_factory=LimitWatch)
    clock: Clock = field(default_factory=SystemClock)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    began_at: float = 0.0
    last_event: int = 0
    most_sessions: int = 0
    failures: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _block_at: float = 0.0

    def __post_init__(self) -> None:
        """Remember when it began."""
        self.began_at = self.clock.now()

    async def run(self, ended: asyncio.Event, duration_s: float | None) -> None:
        """Show what happens until the simulator has `ended`, or somebody wants to stop."""
        self._print(self.links)
        with ExitStack() as stack:
            stack.enter_context(_signals_set(self.stop))
            live = None
            if self.console.is_terminal:
                live = stack.enter_context(Live(console=self.console))
            try:
                async with asyncio.timeout(None if duration_s is None else duration_s + OVERTIME_S):
                    while not (ended.is_set() or self.stop.is_set()):
                        self.look(live)
                        await _pause(ended, LOOK_S)
            except TimeoutError:
                self.failures.append("the simulator did not end in time")
            self.look(live)

    def look(self, live: Live | None) -> None:
        """Take one look at the station and show it."""
        status = self.operations.status(self.station_id)
        self.watch.observe(status)
        self.most_sessions = max(self.most_sessions, len(status.sessions()))
        for event in self.operations.events(self.last_event):
            self.last_event = event.number
            self._say(event_line(event, self.began_at))
        if live is not None:
            live.update(screen(status, self.links, list(self.log), self.console.height))
        elif status.at >= self._block_at:
            self._block_at = status.at + BLOCK_S
            self._print(block(status))

    def on_simulated(self, event: Mapping[str, Any]) -> None:
        """Take an event of the simulated site."""
        line = simulated_line(event, self.clock.now() - self.began_at)
        if line is not None:
            self._say(line)

    def conclude(
        self, exit_code: int | None, report: Mapping[str, Any] | None, complaints: Iterable[str]
    ) -> int:
        """Say how it went; returns the exit code.

        `exit_code`, `report` and `complaints` are the simulator's: its own record of the limits,
        and what it wrote to standard error.
        """
        failures = list(self.failures)
        if self.watch.exceeded:
            failures.append(self.watch.exceeded)
        if exit_code != 0 or report is None:
            failures.append(f"the simulator failed (exit code {exit_code})")
            failures += [str(f) for f in (report or {}).get("failures", [])]
            failures += complaints
        if not self.watch.under_control:
            failures.append("not every charger came under control")
        for failure in failures:
            self._print(f"FAILED: {failure}")
        if not failures:
            self._print(
                f"The grid limit held. Up to {self.most_sessions} vehicles at a time; limits that "
                f"may be in force summed to at most {render_kw(self.watch.peak_w)} kW."
            )
        return 1 if failures else 0

    def _say(self, line: str) -> None:
        self.log.append(line)
        if not self.console.is_terminal:
            self._print(line)

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _pause(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
