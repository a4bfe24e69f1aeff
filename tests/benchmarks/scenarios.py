"""How long csms takes to do what the scenarios expect: `python -m tests.benchmarks.scenarios`.

Over real websockets, HTTP and a real database, as in the end-to-end tests. Goal: 1 s, but where a
vehicle has to be watched first (ev_takes_less).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from csms.app import running
from csms.config import Config
from csms.station.document import parse_station
from simulators.runner import Options, StepReport, run_scenario
from simulators.scenario import load_scenario

NAMES = ("s0", "s1", "s2", "static_load", "ev_takes_less")


async def reactions(name: str, folder: Path) -> list[StepReport]:
    """The steps of a scenario that waited for csms."""
    scenario = load_scenario(name)
    config = Config(
        ocpp_port=0,
        api_port=0,
        database_url=f"sqlite:///{folder / name}.db",
        boot_quiet_s=0.0,
        meter_interval_s=scenario.meter_interval_s,
        reserve_mb=0,
    )
    async with running(config, [parse_station(scenario.station, name)]) as app:
        report = await run_scenario(
            scenario, app.ocpp_url, app.api_url, options=Options(patience=5.0)
        )
    return [step for step in report.steps if step.reaction_s is not None]


def main(names: list[str]) -> None:
    """Print one line for each scenario, and the worst of all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    worst_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or NAMES:
            steps = asyncio.run(reactions(name, Path(folder)))
            slowest = max(steps, key=lambda step: step.reaction_s or 0.0)
            reaction_s = slowest.reaction_s or 0.0
            worst_s = max(worst_s, reaction_s)
            print(f"{name:14s} {len(steps):2d} reactions, worst {reaction_s:.3f} s: {slowest.what}")
    print(f"worst of all: {worst_s:.3f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
