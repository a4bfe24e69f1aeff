"""A22: a day's frames, recorded and played again.

The wire itself is TLS's matter: tests/e2e/attacks/test_attack_01.py and test_attack_12.py. The row
puts what is older than 90 days, or 5 minutes ahead, into quarantine; csms keeps it as what it is,
since chargers come back after months and clocks are often wrong, and tells of the clock (event
`clock_wrong`) or, where no clock explains it, of the message (`transaction_out_of_time`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import UNHURRIED, Csms, Dialogue, csms_of, sample, start, station, stop

SESSIONS = 24
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def live_a_day(charger: Dialogue) -> list[tuple[str, dict[str, Any]]]:
    """A session an hour; what was said, in order."""
    said: list[tuple[str, dict[str, Any]]] = []
    for number in range(SESSIONS):
        began = DAY + timedelta(hours=number)
        meter = 1_000 * number
        asked = start(meterStart=meter, timestamp=written(began))
        one = (await charger.told("StartTransaction", asked))["transactionId"]
        ended = written(began + timedelta(minutes=50))
        rest = [
            ("MeterValues", sample(one)),
            ("StopTransaction", stop(one, meterStop=meter + 1_000, timestamp=ended)),
        ]
        for action, payload in rest:
            await charger.told(action, payload)
        said += [("StartTransaction", asked), *rest]
    return said


async def bills(csms: Csms) -> list[dict[str, Any]]:
    assert await csms.sessions("running") == []
    return await csms.sessions("ended")


async def test_a_day_played_again_makes_no_bill(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms:
        async with csms.dial("A") as charger:
            await charger.boot()
            said = await live_a_day(charger)
        before = await bills(csms)
        assert len(before) == SESSIONS
        assert csms.events("clock_wrong")
        async with csms.dial("A") as charger:
            await charger.boot()
            for action, payload in said:
                await charger.told(action, payload)
        assert await bills(csms) == before
        assert await csms.quarantined("A") == []
    # Nor after a restart, from the raw frames, in the wrong order.
    async with csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        for number, (action, payload) in enumerate(reversed(said)):
            frame = await charger.say(action, json.loads(json.dumps(payload)), f"again-{number}")
            assert frame[0] == 3
        assert await bills(csms) == before


async def test_a_day_played_as_another_charger_ends_nothing_of_its_owner(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A", "B"), **UNHURRIED) as csms:
        async with csms.dial("A") as charger:
            await charger.boot()
            said = await live_a_day(charger)
        before = await bills(csms)
        async with csms.dial("B") as thief:
            await thief.boot()
            for action, payload in said:
                if action != "StartTransaction":
                    await thief.told(action, payload)
        assert await bills(csms) == before
        assert len(await csms.quarantined("B")) == SESSIONS


async def test_what_is_long_ago_or_to_come_is_kept_and_told(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), **UNHURRIED) as csms, csms.dial("A") as charger:
        await charger.boot()
        now = datetime.now(UTC)
        right = sample()
        right["meterValue"][0]["timestamp"] = written(now)
        await charger.told("MeterValues", right)
        old = now - timedelta(days=91, hours=2)
        one = (await charger.start(timestamp=written(old)))["transactionId"]
        await charger.told("StopTransaction", stop(one, timestamp=written(old)))
        ahead = written(now + timedelta(minutes=20, seconds=20))
        two = (await charger.start(timestamp=ahead))["transactionId"]
        await charger.told("StopTransaction", stop(two))
        said = csms.events("transaction_out_of_time")
        assert said[:2] == [
            "A/1 StartTransaction says it was written 91 days ago",
            "A/1 StopTransaction says it was written 91 days ago",
        ]
        assert said[2].startswith("A/1 StartTransaction says it was written 20 minutes ahead")
        assert len(await bills(csms)) == 2
        assert await csms.quarantined("A") == []
