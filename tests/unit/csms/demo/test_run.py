"""Running the show."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from csms.config import Config
from csms.control.events import Event
from csms.demo.run import Show, demo_config
from tests.unit.csms.api.fakes import STARTED_AT, STATUS, FakeOperations

REPORT = {"event": "report", "passed": True, "failures": []}


@dataclass
class StandingClock:
    """A clock that stands where it is put."""

    at: float = STARTED_AT

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Stage:
    """A show without csms or simulator, and what it printed."""

    operations: FakeOperations
    show: Show
    console: Console

    def printed(self) -> list[str]:
        assert isinstance(self.console.file, io.StringIO)
        text = self.console.file.getvalue()
        self.console.file.seek(0)
        self.console.file.truncate()
        return text.splitlines()

    def look(self, **changes: Any) -> list[str]:
        self.operations.snapshot = replace(self.operations.snapshot, **changes)
        self.show.look(None)
        return self.printed()


def stage(*, terminal: bool = False) -> Stage:
    operations = FakeOperations()
    console = Console(file=io.StringIO(), width=80, height=40, force_terminal=terminal)
    show = Show(operations, "S1", "the links", console, clock=StandingClock())
    return Stage(operations, show, console)


def test_plain_output_shows_the_station_every_few_seconds() -> None:
    staged = stage()
    assert len(staged.look()) == 4
    assert staged.look(at=STATUS.at + 2.9) == []
    assert len(staged.look(at=STATUS.at + 3.0)) == 4


def test_every_event_is_shown_once() -> None:
    staged = stage()
    staged.look()
    staged.operations.journal.append(Event(1, STARTED_AT + 1, "S1", "session_started", "CP001/1"))
    assert staged.look() == ["    1.0 s  csms       session_started: CP001/1"]
    assert staged.look() == []
    staged.show.on_simulated({"event": "left", "connector": "CP001/1"})
    staged.show.on_simulated({"event": "limit", "connector": "CP001/1"})
    assert staged.printed() == ["    0.0 s  simulator  CP001/1 left"]


def test_on_a_terminal_lines_go_to_the_screen_only() -> None:
    staged = stage(terminal=True)
    staged.show.on_simulated({"event": "left", "connector": "CP001/1"})
    assert staged.printed() == []
    with Live(console=staged.console, auto_refresh=False) as live:
        staged.show.look(live)
        live.refresh()
    shown = "\n".join(staged.printed())
    assert "CP001/1 left" in shown
    assert "the links" in shown


def test_a_show_that_kept_its_promise_ends_with_0() -> None:
    staged = stage()
    staged.look()
    staged.look(at=STATUS.at + 1)
    assert staged.show.conclude(0, REPORT, []) == 0
    assert staged.printed() == [
        (
            "The grid limit held. Up to 1 vehicles at a time; limits that may be in force summed "
            "to at most 150.0 kW."
        )
    ]


def test_a_breach_ends_with_1() -> None:
    staged = stage()
    staged.look()
    staged.look(at=STATUS.at + 9, worst_case_w=500_000, overcommitted=True)
    assert staged.show.conclude(0, REPORT, []) == 1
    assert staged.printed() == [
        "FAILED: limits that may be in force sum to 500.0 kW, but 397.0 kW are available"
    ]


def test_a_simulator_that_failed_ends_with_1() -> None:
    staged = stage()
    staged.look()
    failed = {"failures": ["limits summed to 401 kW"]}
    assert staged.show.conclude(1, failed, ["a traceback"]) == 1
    assert staged.printed() == [
        "FAILED: the simulator failed (exit code 1)",
        "FAILED: limits summed to 401 kW",
        "FAILED: a traceback",
    ]
    assert staged.show.conclude(0, None, []) == 1


def test_chargers_that_never_came_end_with_1() -> None:
    staged = stage()
    assert staged.show.conclude(0, REPORT, []) == 1
    assert staged.printed() == ["FAILED: not every charger came under control"]


async def test_the_show_ends_with_the_simulator() -> None:
    staged = stage()
    ended = asyncio.Event()
    ended.set()
    await staged.show.run(ended, 1.0)
    assert staged.printed()[0] == "the links"
    assert staged.show.failures == []


async def test_the_show_ends_when_somebody_wants_it_to() -> None:
    staged = stage()
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
    await staged.show.run(asyncio.Event(), None)
    assert staged.show.stop.is_set()


async def test_a_simulator_that_does_not_end_is_a_failure() -> None:
    staged = stage()
    await staged.show.run(asyncio.Event(), -1_000.0)
    assert staged.show.failures == ["the simulator did not end in time"]


def test_the_show_is_quick_enough_to_watch(tmp_path: Path) -> None:
    config = demo_config(tmp_path, 1.0)
    assert config.database_url == f"sqlite:///{tmp_path}/demo.db"
    assert (config.meter_interval_s, config.raise_spacing_s) == (2, 10.0)
    faster = demo_config(tmp_path, 20.0)
    assert (faster.meter_interval_s, faster.raise_spacing_s) == (1, 1.0)


@pytest.mark.parametrize("name", ["ocpp_port", "api_port"])
def test_a_port_that_is_taken_is_not_fought_for(tmp_path: Path, name: str) -> None:
    default = getattr(Config(), name)
    try:
        taken = socket.create_server(("127.0.0.1", default))
    except OSError:  # somebody else has it: just as good
        assert getattr(demo_config(tmp_path, 1.0), name) == 0
        return
    with taken:
        assert getattr(demo_config(tmp_path, 1.0), name) == 0
