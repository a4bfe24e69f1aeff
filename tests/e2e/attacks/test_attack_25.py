"""A25: load that is shaken on purpose, by toggling the grid limit or by starting and stopping.

The row's toggling at 1 Hz is at 20 Hz here. csms has no limit on how fast a station's power may
rise (the row's ramp, and a random delay after an outage): what is tested is that lowers are never
late, that nothing is ever above the limit in force, and that chargers are not flooded.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tests.e2e.dialogue import csms_of, station, stop, until

TOGGLES = 20
NAMES = ("A", "B", "C", "D")


async def test_a_toggled_grid_limit_is_never_exceeded_and_floods_nobody(tmp_path: Path) -> None:
    document = station(*NAMES, grid_kw=200, power_kw=100)
    async with (
        csms_of(tmp_path, document, call_gap_s=0.05) as csms,
        contextlib.AsyncExitStack() as s,
    ):
        chargers = [await s.enter_async_context(csms.dial(name)) for name in NAMES]
        for number, each in enumerate(chargers):
            await each.boot()
            await each.start(timestamp=f"2026-01-01T10:00:0{number}Z")
        loop = csms.app.supervisor.loop_of("A")
        assert loop is not None
        await until(lambda: loop.settled)
        before = [len(each.named("SetChargingProfile")) for each in chargers]
        began = asyncio.get_running_loop().time()
        for number in range(TOGGLES):
            limit_kw = (40.0, 200.0)[number % 2]
            answer = await csms.api.put("/station/grid-limit", json={"limit": limit_kw})
            assert answer.status_code == 200, answer.text
            # A raise is never on its way while a lower is not confirmed.
            assert loop.ledger.total_w() <= 200_000
            await asyncio.sleep(0.05)
        passed_s = asyncio.get_running_loop().time() - began
        answer = await csms.api.put("/station/grid-limit", json={"limit": 40.0})
        await until(lambda: loop.settled and loop.ledger.total_w() <= 40_000)
        sent = [
            len(c.named("SetChargingProfile")) - b for c, b in zip(chargers, before, strict=True)
        ]
        assert max(sent) <= passed_s / 0.05 + 3


async def test_starts_and_stops_in_step_are_each_a_share_within_the_limit(tmp_path: Path) -> None:
    document = station(*NAMES, grid_kw=100, power_kw=100)
    async with csms_of(tmp_path, document) as csms, contextlib.AsyncExitStack() as stack:
        chargers = [await stack.enter_async_context(csms.dial(name)) for name in NAMES]
        for each in chargers:
            await each.boot()
        loop = csms.app.supervisor.loop_of("A")
        assert loop is not None
        for number in range(10):
            ids = [
                (await c.start(timestamp=f"2026-01-01T10:{number:02d}:00Z"))["transactionId"]
                for c in chargers
            ]
            assert loop.ledger.total_w() <= 100_000
            for each, one in zip(chargers, ids, strict=True):
                ends = stop(one, timestamp=f"2026-01-01T10:{number:02d}:30Z")
                await each.told("StopTransaction", ends)
            assert loop.ledger.total_w() <= 100_000
        await until(lambda: loop.settled)
        assert await csms.sessions("running") == []
        assert len(await csms.sessions("ended")) == 10 * len(NAMES)
