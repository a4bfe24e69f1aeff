"""csms as a process, and somebody who presses Ctrl-C twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.csms_process import csms_process
from tests.e2e.test_overload import STATION, close_code, not_ready

FIRST_AND_SECOND = [
    (signal.SIGINT, signal.SIGINT),
    (signal.SIGTERM, signal.SIGINT),
    (signal.SIGINT, signal.SIGTERM),
]


@pytest.mark.parametrize(("first", "second"), FIRST_AND_SECOND)
async def test_the_second_signal_ends_it_at_once(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    async with csms_process(tmp_path, STATION, drain_work_s=60.0) as csms:
        up = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(close_code(csms, "CP001", up))
            await up.wait()
            os.kill(csms.pid, first)
            async with asyncio.timeout(10):
                await not_ready(csms)
            began = time.monotonic()
            os.kill(csms.pid, second)
            assert await csms.ended() == -second
            assert time.monotonic() - began < 5.0
