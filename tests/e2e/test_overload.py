"""csms as a process: how it ends, how it says so, and what ends it when it stands still."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from csms.protocol.framing import CALL
from tests.e2e.csms_process import CsmsProcess, csms_process

STATION: dict[str, Any] = {
    "stationId": "S1",
    "gridCapacity": 400,
    "chargers": [{"id": f"CP{n:03}", "maxPower": 100, "connectors": 1} for n in range(40)],
}
BOOT = '[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'


async def close_code(
    csms: CsmsProcess, identity: str, up: asyncio.Event
) -> tuple[int | None, float]:
    """Connect, boot, never answer; how and when the connection was closed.

    `up` once csms waits for an answer: before, it has no work that could hold it up.
    """
    url = f"{csms.ocpp_url}/{identity}"
    async with connect(url, subprotocols=[Subprotocol("ocpp1.6")], proxy=None) as charger:
        await charger.send(BOOT)
        while json.loads(await charger.recv())[0] != CALL:
            pass
        up.set()
        await charger.wait_closed()
        return charger.close_code, time.monotonic()


async def not_ready(csms: CsmsProcess) -> None:
    """Wait until it says that it is not ready."""
    while (await csms.api.get("/readyz")).status_code == 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def test_an_orderly_end_says_so_at_once_and_closes_everybody_for_a_restart(
    tmp_path: Path,
) -> None:
    async with csms_process(tmp_path, STATION, drain_work_s=3.0) as csms:
        assert (await csms.api.get("/livez")).json() == {"status": "ok"}
        assert (await csms.api.get("/readyz")).json() == {"ready": True, "reasons": []}
        ups = [asyncio.Event() for _ in range(40)]
        async with asyncio.TaskGroup() as tasks:
            names = [charger["id"] for charger in STATION["chargers"]]
            ends = [
                tasks.create_task(close_code(csms, name, up))
                for name, up in zip(names, ups, strict=True)
            ]
            for up in ups:
                await up.wait()
            stopping = tasks.create_task(csms.stop())
            # Nobody answers the limits, which are waited for: it is not ready, and lives.
            async with asyncio.timeout(3):
                await not_ready(csms)
            assert "it is about to end" in (await csms.api.get("/readyz")).json()["reasons"]
            assert (await csms.api.get("/livez")).status_code == 200
        assert {end.result()[0] for end in ends} == {1012}
        assert stopping.result() == 0


async def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with csms_process(tmp_path, STATION, drain_work_s=60.0) as csms:
        up = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(close_code(csms, "CP001", up))
            await up.wait()
            os.kill(csms.pid, signal.SIGTERM)
            async with asyncio.timeout(10):
                await not_ready(csms)
            began = time.monotonic()
            assert await csms.stop() == -signal.SIGTERM
            assert time.monotonic() - began < 5.0


STANDS_STILL = """
import asyncio, time
from csms.control.watchdog import Watchdog

async def main():
    dog = Watchdog(0.5)
    for _ in range(20):
        dog.beat(time.monotonic())
        await asyncio.sleep(0.1)
    print("turning", flush=True)
    time.sleep(60)

asyncio.run(main())
"""


async def test_a_process_whose_loop_stands_still_ends_itself_and_says_where() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STANDS_STILL),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        answered, said = await process.communicate()
    assert answered == b"turning\n"
    assert process.returncode == 1
    assert b"Timeout" in said
    assert b"in main" in said
