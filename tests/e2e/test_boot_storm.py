"""After a power cut everybody comes at once: nobody is rejected, and those who charge go first.

The rate of handshakes, which is that of boots, is low here, so that few hundred chargers are a
storm. Nobody waits as long as it is told: who was sent away knocks again at once, which is worse.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from websockets.exceptions import InvalidMessage, InvalidStatus

from tests.e2e.dialogue import BOOT, Csms, Dialogue, csms_of, station

CHARGING = [f"CHARGING{n}" for n in range(5)]
OTHERS = [f"CP{n:03}" for n in range(395)]
PER_S = 25.0
BURST = 160
COMING_AGAIN = 20


@dataclass
class Storm:
    """Everybody dials, and boots when all are connected.

    `refused` is what Retry-After said to each that was sent away, `answers` what a first boot was
    answered: status and interval; `again` the same of some that had to wait.
    """

    csms: Csms
    refused: dict[str, list[int]] = field(default_factory=dict)
    answers: dict[str, tuple[str, int]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    barrier: asyncio.Barrier = field(
        default_factory=lambda: asyncio.Barrier(len(CHARGING) + len(OTHERS))
    )

    async def rage(self) -> None:
        """Until every charger has had its answer, and some of those that had to wait another."""
        async with asyncio.TaskGroup() as tasks:
            for name in OTHERS + CHARGING:
                tasks.create_task(self._come(name))

    async def _come(self, name: str) -> None:
        while True:
            try:
                async with self.csms.dial(name) as charger:
                    await self._boot(name, charger)
                    return
            except InvalidStatus as refusal:
                if refusal.response.status_code != 503:
                    raise
                wait_s = int(refusal.response.headers["Retry-After"])
                self.refused.setdefault(name, []).append(wait_s)
            except InvalidMessage:
                pass  # so slow a handshake, on a busy machine, that csms has given it up
            await asyncio.sleep(0.5)

    async def _boot(self, name: str, charger: Dialogue) -> None:
        await self.barrier.wait()
        answer = await charger.told("BootNotification", BOOT)
        self.answers[name] = (answer["status"], answer["interval"])
        await self.barrier.wait()
        pending = [each for each, (status, _) in self.answers.items() if status == "Pending"]
        if name in pending[:COMING_AGAIN]:
            # There is room for so many after a second, and they were told to wait for thirty.
            await asyncio.sleep(2 * COMING_AGAIN / PER_S)
            answer = await charger.told("BootNotification", BOOT)
            self.again.append(answer["status"])
        await self.barrier.wait()


async def test_in_a_storm_of_boots_nobody_is_rejected_and_those_who_charge_go_first(
    tmp_path: Path,
) -> None:
    document = station(*CHARGING, *OTHERS, grid_kw=100_000)
    rates = {
        "handshakes_per_s": PER_S,
        "handshakes_burst": BURST,
        "slow_handshakes_per_source": 400,  # all come from one address
        "call_timeout_s": 30.0,
    }
    async with csms_of(tmp_path, document, **rates) as it:
        for name in CHARGING:
            async with it.dial(name) as charger:
                await charger.boot()
                await charger.start(1, idTag=name)
        storm = Storm(it)
        await storm.rage()
    # Who charges is never sent away, and served at once.
    assert not set(CHARGING) & storm.refused.keys()
    assert {storm.answers[name][0] for name in CHARGING} == {"Accepted"}
    # Of the others some are sent away, each until another moment, …
    waits_s = Counter(waits[0] for waits in storm.refused.values())
    assert len(waits_s) > 10
    assert 30 <= min(waits_s) <= max(waits_s) <= 60
    assert all(len(set(waits)) == 1 for waits in storm.refused.values())
    # … and some have to boot again, spread over the time that their boots take.
    assert {status for status, _ in storm.answers.values()} == {"Accepted", "Pending"}
    accepted = sum(status == "Accepted" for status, _ in storm.answers.values())
    assert accepted >= BURST
    intervals_s = Counter(wait for status, wait in storm.answers.values() if status == "Pending")
    assert min(intervals_s) >= 30
    assert len(intervals_s) >= 3
    assert storm.again
    assert set(storm.again) == {"Accepted"}
