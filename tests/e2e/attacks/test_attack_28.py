"""A28: provisioning that keeps a charger rebooting.

As the row has it: a charger that reboots on every write boots twice at most. Days are in
tests/unit/csms/control/test_set_up.py, where the clock can be moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import Csms, accepts, csms_of, station, until

LAST_KEY = "MaxChargingProfilesInstalled"


class Touchy:
    """A charger that reboots on every write, also of a key that already has the value."""

    def __init__(
        self, *, takes: bool = True, reboots: bool = True, reboots_on_reading: str = ""
    ) -> None:
        self.settings = {
            "MeterValueSampleInterval": "900",
            "MeterValuesSampledData": "Energy.Active.Import.Register",
            "AllowOfflineTxForUnknownId": "true",
        }
        self.takes = takes
        self.reboots = reboots
        self.reboots_on_reading = reboots_on_reading
        self.boots = 0
        self.read: list[str] = []
        self.writes: list[tuple[str, str]] = []
        self.off = asyncio.Event()

    def answer(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if self.off.is_set():
            return None
        if action == "GetConfiguration":
            (key,) = payload["key"]
            self.read.append(key)
            if key == self.reboots_on_reading:
                self.off.set()
                return None
            if key not in self.settings:
                return {"unknownKey": [key]}
            value = {"key": key, "readonly": False, "value": self.settings[key]}
            return {"configurationKey": [value]}
        if action != "ChangeConfiguration":
            return accepts(action, payload)
        self.writes.append((payload["key"], payload["value"]))
        if self.takes:
            self.settings[payload["key"]] = payload["value"]
        if self.reboots:
            self.off.set()
        return {"status": "RebootRequired"}

    async def power_on(self, csms: Csms, charger_id: str = "A") -> bool:
        """Boot, and work until the next reboot (True) or until nothing more is asked (False)."""
        self.boots += 1
        self.read, self.off = [], asyncio.Event()
        loops = len(csms.events("boot_loop"))
        async with csms.dial(charger_id, self.answer) as charger:

            def at_rest() -> bool:
                """Whether all was asked; one that is left alone gets its limits all the same."""
                if len(csms.events("boot_loop")) > loops:
                    return bool(charger.named("SetChargingProfile"))
                return LAST_KEY in self.read

            await charger.boot()
            await until(lambda: self.off.is_set() or at_rest())
            return self.off.is_set()


async def test_a_charger_that_reboots_on_every_write_boots_twice(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A"), unknown_id_tokens="reject") as csms:
        touchy = Touchy()
        while await touchy.power_on(csms):
            assert touchy.boots < 10
        assert touchy.boots == 2
        assert touchy.writes == [("MeterValueSampleInterval", "1")]
        assert len(csms.events("reboot_required")) == 1
        assert len(csms.events("away_after_write")) == 1
        # It comes back as often as it likes: nothing more is written.
        for _ in range(3):
            assert not await touchy.power_on(csms)
        assert len(touchy.writes) == 1


async def test_a_charger_that_forgets_what_it_took_is_not_told_again(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        touchy = Touchy(takes=False)
        for _ in range(4):
            await touchy.power_on(csms)
        assert len(touchy.writes) == 1


async def test_a_charger_that_reboots_when_it_is_read_comes_to_rest(tmp_path: Path) -> None:
    # The pause after a boot is for this too: what was about to be asked is taken back.
    async with csms_of(tmp_path, station("A"), boot_quiet_s=0.2) as csms:
        touchy = Touchy(reboots_on_reading="MeterValueSampleInterval")
        while await touchy.power_on(csms):
            assert touchy.boots < 10
        assert touchy.boots == 3
        assert csms.events("boot_loop") == ["A: 3 boots in 600 s"]
        # Nothing is asked, but its limits are sent.
        async with csms.dial("A", touchy.answer) as charger:
            await charger.boot()
            await until(lambda: charger.named("SetChargingProfile"))
            assert charger.named("GetConfiguration") == []


async def test_a_value_that_needs_a_reboot_is_shown_until_then(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        touchy = Touchy(reboots=False)
        async with csms.dial("A", touchy.answer) as charger:
            await charger.boot()
            await until(lambda: len(touchy.writes) == 2)
            shown = await csms.get("/stations/S/status")
            keys = ["MeterValueSampleInterval", "MeterValuesSampledData"]
            assert shown["chargers"][0]["awaitingReboot"] == keys
            await charger.boot()
            shown = await csms.get("/stations/S/status")
            assert shown["chargers"][0]["awaitingReboot"] == []


async def test_a_quiet_charger_is_neither_asked_nor_told_anything(tmp_path: Path) -> None:
    document = station("A", "B")
    document["chargers"][0]["quiet"] = True
    async with csms_of(tmp_path, document) as csms, csms.dial("A") as quiet:
        await quiet.boot()
        # Another one that comes after it is asked everything meanwhile.
        assert not await Touchy(reboots=False).power_on(csms, "B")
        assert quiet.asked == []
