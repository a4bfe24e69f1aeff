"""The scenarios that define the job, over real websockets, HTTP and a real database."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from csms.app import running
from csms.config import Config
from csms.station.document import parse_station
from simulators.runner import Options, run_scenario
from simulators.scenario import load_scenario


@pytest.mark.parametrize("name", ["s0", "s1", "s2", "static_load", "ev_takes_less"])
async def test_scenario(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    config = Config(
        ocpp_port=0,
        api_port=0,
        database_url=f"sqlite:///{tmp_path / 'csms.db'}",
        boot_quiet_s=0.0,
        meter_interval_s=scenario.meter_interval_s,
    )
    station = parse_station(scenario.station, name)
    async with running(config, [station]) as app, asyncio.timeout(90):
        # Patience is for a machine that is busy with something else: how quick the reactions are
        # is printed, and measured by tests/benchmarks/scenarios.py.
        report = await run_scenario(
            scenario, app.ocpp_url, app.api_url, options=Options(patience=5.0)
        )
    for step in report.steps:
        if step.reaction_s is not None:
            sys.stdout.write(f"{name} {step.at:g} s: {step.what}: {step.reaction_s:.3f} s\n")
    assert report.failures == []
    assert report.problems == []
    assert report.overloads == 0
    assert report.peak_limit_sum_w <= station.available_w + 1
    expectations = [step for step in report.steps if step.action == "expect"]
    assert expectations
    assert all(step.ok for step in expectations)
