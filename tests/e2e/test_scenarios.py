"""The scenarios that define the job, over real websockets, HTTP and a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from csms.app import running
from csms.config import Config
from csms.station.document import parse_station
from simulators.runner import Options, run_scenario
from simulators.scenario import load_scenario

REACTION_S = 1.0


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
        # Patience is for a machine that is busy with something else; the scenario says 1 s.
        report = await run_scenario(
            scenario, app.ocpp_url, app.api_url, options=Options(patience=5.0)
        )
    assert report.failures == []
    assert report.problems == []
    assert report.overloads == 0
    assert report.peak_limit_sum_w <= station.available_w + 1
    expectations = [step for step in report.steps if step.action == "expect"]
    assert expectations
    assert all(step.ok for step in expectations)
