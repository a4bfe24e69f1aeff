"""A5: touching another charger's transaction.

The row asks for all ids around the other's, ±1000; here ±100 around it, and -1, 0 and 1 with them.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import UNHURRIED, csms_of, sample, station, stop

AROUND = 100


async def test_a_stranger_cannot_stop_or_meter_a_session(tmp_path: Path) -> None:
    async with (
        csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms,
        csms.dial("A") as victim,
        csms.dial("B") as thief,
    ):
        await victim.boot()
        await thief.boot()
        mine = (await victim.start())["transactionId"]
        before = await csms.sessions("running")
        near = [n for n in range(mine - AROUND, mine + AROUND + 1) if n < 2**31]
        for transaction_id in (*near, -1, 0, 1):
            # Always answered (§4.10), and of no effect.
            answer = await thief.say("StopTransaction", stop(transaction_id))
            assert answer[0] == 3
            forged = sample(transaction_id, value="99999999", measurand="")
            assert await thief.told("MeterValues", forged) == {}
        assert said(await csms.sessions("running")) == said(before)
        assert await csms.sessions("ended") == []
        found = await csms.quarantined("B")
        assert len(found) >= min(len(near), 100)
        assert await csms.quarantined("A") == []
        assert any(f"transaction {mine}" in str(item) for item in found)
        assert len(csms.events("quarantined")) >= len(near)
        # Its own charger can.
        assert await victim.told("StopTransaction", stop(mine)) == {}
        (ended,) = await csms.sessions("ended")
        assert ended["energy"] == 1.0


def said(sessions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What sessions are known by, and what was measured of them."""
    return [(s["sessionId"], s["measuredPower"], s["energy"]) for s in sessions]


async def test_ids_of_one_charger_say_nothing_of_those_of_another(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        ids = []
        for number in range(50):
            answer = await charger.start(timestamp=f"2026-01-01T10:00:{number:02d}Z")
            ids.append(answer["transactionId"])
        steps = {later - earlier for earlier, later in itertools.pairwise(ids)}
        assert len(steps) == len(ids) - 1
        assert max(ids) > 2**24
        assert all(0 < each < 2**31 for each in ids)
