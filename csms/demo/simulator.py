"""The simulated site of the show: another process, which meets csms on the wire only."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from csms.errors import ConfigError
from csms.station.document import parse_station
from csms.station.feasibility import feasibility
from csms.station.model import Station

LONGEST_LINE_BYTES = 1 << 20
COMPLAINTS_KEPT = 20
PATIENCE_S = 15.0
"""How long the simulator may take to print a station, or to end when it is asked to."""

Watcher = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What the simulator is to play; as in `python -m simulators site --help`."""

    scenario: str
    ocpp_url: str
    api_url: str
    duration_s: float | None
    speed: float
    seed: int

    def arguments(self) -> list[str]:
        """The simulator's command line."""
        arguments = ["site", "--url", self.ocpp_url, "--api", self.api_url]
        arguments += ["--scenario", self.scenario, "--speed", str(self.speed)]
        arguments += ["--seed", str(self.seed), "--json"]
        if self.duration_s is not None:
            arguments += ["--duration", str(self.duration_s)]
        return arguments


@dataclass(slots=True)
class SimulatedSite:
    """A simulator that runs. `report` is its own record of how it went, once it has ended."""

    process: Process
    report: Mapping[str, Any] | None = None
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=COMPLAINTS_KEPT))
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def exit_code(self) -> int | None:
        """The simulator's exit code; None while it runs."""
        return self.process.returncode

    async def stop(self) -> None:
        """Ask it to end, and make it end."""
        if self.process.returncode is None:
            self.process.terminate()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def _start(arguments: list[str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators",
        *arguments,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=LONGEST_LINE_BYTES,
        start_new_session=True,  # a Ctrl-C is for us, who end the simulator in good order
    )


async def station_of(scenario: str) -> Station:
    """The station a scenario plays on. Raises ConfigError when there is none that can be used."""
    origin = f"scenario {scenario}"
    process = await _start(["scenario", scenario])
    try:
        async with asyncio.timeout(PATIENCE_S):
            told, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ConfigError(origin, [("", "the simulator did not answer")]) from None
    if process.returncode != 0:
        what = complaint.decode(errors="replace").strip().removeprefix(f"{scenario}: ")
        raise ConfigError(origin, [("", what)])
    station = parse_station(json.loads(told), origin)
    reasons = feasibility(station)
    if reasons:
        raise ConfigError(origin, [("", reason) for reason in reasons])
    return station


@asynccontextmanager
async def simulated_site(plan: SitePlan, watcher: Watcher) -> AsyncIterator[SimulatedSite]:
    """Run the simulator until it ends or the block is left; `watcher` is told its events."""
    site = SimulatedSite(await _start(plan.arguments()))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_read(site, watcher))
            try:
                yield site
            finally:
                await site.stop()
    finally:
        await site.stop()


async def _read(site: SimulatedSite, watcher: Watcher) -> None:
    assert site.process.stdout is not None
    assert site.process.stderr is not None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_read_complaints(site, site.process.stderr))
        async for line in site.process.stdout:
            event = event_of(line)
            if event.get("event") == "report":
                site.report = event
            else:
                watcher(event)
    await site.process.wait()
    site.ended.set()


async def _read_complaints(site: SimulatedSite, stream: asyncio.StreamReader) -> None:
    async for line in stream:
        site.complaints.append(line.decode(errors="replace").rstrip())


def event_of(line: bytes) -> dict[str, Any]:
    """The event in a line of the simulator; a line that is none becomes one that says it."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict):
        return event
    return {"event": "said", "text": line.decode(errors="replace").rstrip()}
