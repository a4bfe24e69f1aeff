"""`csms serve` and `csms demo` as an operator runs them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import httpx
import pytest

from tests.e2e.csms_process import CsmsProcess, csms_process, free_port

STATION = {
    "stationId": "CLI",
    "gridCapacity": 100,
    "chargers": [{"id": "CP001", "maxPower": 50, "connectors": 1}],
}
BOUND_S = 90.0


async def csms(*arguments: str, **environment: str) -> Process:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CSMS_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "csms",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        env=kept | environment,
        start_new_session=True,
    )


async def ended(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(BOUND_S):
        told, complained = await process.communicate()
    return process.returncode, told.decode(), complained.decode()


async def test_serve_stops_in_order_on_sigterm(tmp_path: Path) -> None:
    async with csms_process(tmp_path, STATION) as process:
        assert (await process.status())["stationId"] == "CLI"
        assert await process.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_needs_no_file_but_a_station(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "station.json").write_text(json.dumps(STATION), encoding="utf-8")
    port = free_port()
    process = await csms(
        "serve",
        CSMS_STATIONS=str(tmp_path),
        CSMS_OCPP_PORT="0",
        CSMS_API_PORT=str(port),
        CSMS_DATABASE_URL=f"sqlite:///{tmp_path / 'csms.db'}",
        CSMS_LOG_FORMAT="json",
    )
    async with (
        asyncio.timeout(BOUND_S),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api,
    ):
        while True:
            try:
                assert (await api.get("/health")).status_code == 200
                break
            except httpx.TransportError:
                assert process.returncode is None
                await asyncio.sleep(0.05)
    process.send_signal(number)
    code, _, log = await ended(process)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert code == 0, log
    assert events[-1] == "stopped"


async def test_a_port_that_is_taken_is_a_readable_error(tmp_path: Path) -> None:
    async with csms_process(tmp_path, STATION) as process:
        second = tmp_path / "second"
        second.mkdir()
        rival = CsmsProcess(second, STATION, {"api_port": process.api_port})
        await rival.api.aclose()
        code, _, complained = await ended(
            await csms("serve", "--config", str(second / "csms.toml"))
        )
    assert code == 2
    assert f"api_port: cannot listen on 127.0.0.1 port {process.api_port}" in complained
    assert "Traceback" not in complained


async def test_the_demo_balances_vehicles_and_ends_well() -> None:
    code, told, complained = await ended(await csms("demo", "--duration", "10", "--speed", "3"))
    assert (code, complained) == (0, "")
    assert re.search(r"The grid limit held\. Up to [4-6] vehicles at a time", told)
    assert "chargers connect to ws://127.0.0.1:" in told
    assert "session_started: DC1/1" in told
    assert told.count("DEMO: may be in force") >= 2


async def test_the_demo_fails_when_its_scenario_does(tmp_path: Path) -> None:
    scenario = tmp_path / "broken.toml"
    scenario.write_text(
        """
        [station]
        stationId = "BROKEN"
        gridCapacity = 100
        chargers = [{ id = "CP001", maxPower = 50, connectors = 1 }]

        [[step]]
        at = 0
        action = "expect"
        within = 0.2
        allocated = { "CP001/1" = 99.0 }
        """,
        encoding="utf-8",
    )
    code, told, _ = await ended(await csms("demo", "--scenario", str(scenario)))
    assert code == 1
    assert "FAILED: the simulator failed (exit code 1)" in told
    assert "expected CP001/1 99 kW" in told


async def test_the_demo_can_be_interrupted() -> None:
    process = await csms("demo", "--speed", "3")
    assert process.stdout is not None
    async with asyncio.timeout(BOUND_S):
        async for line in process.stdout:
            if b"session_started" in line:
                break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    code, told, complained = await ended(process)
    assert (code, complained) == (0, "")
    assert "The grid limit held." in told
