"""A25: load that is shaken on purpose, by toggling the grid limit or by starting and stopping.

The row's toggling at 1 Hz is at 20 Hz here. The row's ramp is the station's `maxRampKwPerMin`, 60 s
between two raises of it; without it power comes back at once, and what is tested is that lowers are
never late, that nothing is ever above the limit in force, and that chargers are not flooded. The
row's random delay after an outage is not there: a ramp does the same for the grid.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csms.control.station_loop import StationLoop
from tests.e2e.dialogue import Csms, Dialogue, accepts, csms_of, station, stop, until

TOGGLES = 20
NAMES = ("A", "B", "C", "D")


def toggled_station() -> dict[str, Any]:
    """Its chargers send no readings: that they obey after a pause is said of them, not shown."""
    document = station(*NAMES, grid_kw=200, power_kw=100)
    for charger in document["chargers"]:
        charger["capabilities"] = {"lease": "yes"}
    return document


async def all_start(csms: Csms, chargers: list[Dialogue]) -> StationLoop:
    """A session on each charger; their station's loop.

    All boot before any starts: a charger that boots counts in full, so that a session beside it may
    be paused, and is then watched for minutes.
    """
    loop = csms.app.supervisor.loop_of(NAMES[0])
    assert loop is not None
    for each in chargers:
        await each.boot()
    await until(lambda: loop.settled and loop.ledger.total_w() == 0)
    for number, each in enumerate(chargers):
        await each.start(timestamp=f"2026-01-01T10:00:0{number}Z")
    return loop


async def test_a_toggled_grid_limit_is_never_exceeded_and_floods_nobody(tmp_path: Path) -> None:
    document = toggled_station()
    async with (
        csms_of(tmp_path, document, call_gap_s=0.05) as csms,
        contextlib.AsyncExitStack() as s,
    ):
        chargers = [await s.enter_async_context(csms.dial(name)) for name in NAMES]
        loop = await all_start(csms, chargers)
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


class Held:
    """What the newest profiles of sessions let through at all chargers together, as it changes."""

    def __init__(self) -> None:
        self.now_kw = dict.fromkeys(NAMES, 0.0)
        self.totals_kw: list[float] = []

    def answers(self, name: str) -> Any:
        def answer(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
            if action == "SetChargingProfile" and payload["connectorId"] == 1:
                profile = payload["csChargingProfiles"]
                if profile["chargingProfilePurpose"] == "TxProfile":
                    first = profile["chargingSchedule"]["chargingSchedulePeriod"][0]
                    self.now_kw[name] = first["limit"] / 1_000
                    self.totals_kw.append(sum(self.now_kw.values()))
            return accepts(action, payload)

        return answer


async def test_with_a_ramp_a_toggled_grid_limit_gives_back_one_step(tmp_path: Path) -> None:
    ramp_kw, low_kw = 20.0, 40.0
    document = toggled_station()
    held = Held()
    async with (
        csms_of(tmp_path, document, call_gap_s=0.05) as csms,
        contextlib.AsyncExitStack() as s,
    ):
        chargers = [await s.enter_async_context(csms.dial(n, held.answers(n))) for n in NAMES]
        loop = await all_start(csms, chargers)
        await until(lambda: loop.settled and sum(held.now_kw.values()) == 200)
        # Set while all charge: a ramp lowers nobody.
        changed = document | {"maxRampKwPerMin": ramp_kw}
        answer = await csms.api.post("/station/config", json=changed)
        assert answer.status_code == 200, answer.text
        assert (await csms.get("/station/status"))["maxRampKwPerMin"] == ramp_kw
        assert sum(held.now_kw.values()) == 200
        answer = await csms.api.put("/station/grid-limit", json={"limit": low_kw})
        await until(lambda: loop.settled and sum(held.now_kw.values()) == low_kw)
        held.totals_kw.clear()
        began = asyncio.get_running_loop().time()
        for number in range(TOGGLES):
            limit_kw = (200.0, low_kw)[number % 2]
            answer = await csms.api.put("/station/grid-limit", json={"limit": limit_kw})
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(0.05)
        await csms.api.put("/station/grid-limit", json={"limit": 200.0})
        await until(lambda: loop.settled and sum(held.now_kw.values()) > low_kw)
        # At most one more window has begun since the cut, and on a busy machine some more.
        passed_s = asyncio.get_running_loop().time() - began
        steps = 2 + passed_s // 60
        assert max(held.totals_kw) <= low_kw + steps * ramp_kw
        sources = {s["allocatedSource"] for s in await csms.sessions("running")}
        assert sources == {"ramp"}


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
