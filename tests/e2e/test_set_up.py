"""How a charger is set up that loses what it is asked before it has booted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import Csms, accepts, csms_of, station, until

INTERVAL_KEY = "MeterValueSampleInterval"


class Deaf:
    """A charger that does not answer before it has booted."""

    def __init__(self) -> None:
        self.booted = False

    def answer(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if not self.booted:
            return None
        if action == "GetConfiguration" and payload["key"] == [INTERVAL_KEY]:
            value = {"key": INTERVAL_KEY, "readonly": False, "value": "900"}
            return {"configurationKey": [value]}
        return accepts(action, payload)


async def test_what_was_asked_before_a_late_boot_is_asked_again(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), no_boot_wait_s=0.1) as csms:
        deaf = Deaf()
        async with csms.dial("A", deaf.answer) as charger:
            await until(lambda: charger.asked)
            # Limits go first.
            assert [action for action, _ in charger.asked] == ["SetChargingProfile"]
            deaf.booted = True
            await charger.boot()
            await until(lambda: charger.named("ChangeConfiguration"), seconds=5.0)
            (written,) = charger.named("ChangeConfiguration")
            assert written["key"] == INTERVAL_KEY
            # The limit that was lost is not waited for either.
            async with asyncio.timeout(5.0):
                while await condition(csms) != "CONTROLLED":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)


async def condition(csms: Csms) -> str:
    """The charger's condition."""
    shown = await csms.get("/stations/S/status")
    return str(shown["chargers"][0]["condition"])
