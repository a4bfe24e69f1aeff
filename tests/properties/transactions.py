"""Sessions under every replay: chargers that repeat, lose, delay and contradict, against a model.

A charger is told what to do by a list of steps; what it says goes through the OCPP handlers, the
recorder, the station's loop and a store, and csms restarts in between. The model keeps a plain note
of each transaction: the answer its start got, what its meter truly rose, and its first stop.

`python -m tests.properties.transactions --examples 10000` tries that many lists of steps (`--seed`
for others) and ends with a traceback and the shortest list when one breaks a rule.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from csms.control.presumption import Presumption
from csms.errors import StorageError
from csms.ports import StoredSession
from csms.protocol.ocpp16 import routes
from csms.protocol.ocpp16.fields import time_text
from csms.station.state import ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.fakes import FakeClock, FaultyStore, Site, site

TODAY = 1_780_000_000.0
DAY_S = 86_400
FULL_WH = 1_000_000
STATIONS = station(charger("A", connectors=2), charger("B", connectors=1))
PLACES = (("A", 1), ("A", 2), ("B", 1))
TAGS = ("RED", "BLUE")
STATUSES = (ConnectorStatus.AVAILABLE, ConnectorStatus.PREPARING, ConnectorStatus.CHARGING)

Step = tuple[int, int, int]


@dataclass
class Transaction:
    """What a charger knows of one of its transactions. `lines_wh`: what the meter truly rose."""

    charger_id: str
    start: dict[str, Any]
    started_at: float
    meter_wh: int
    transaction_id: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    told_start: bool = True
    read: bool = False
    gained_wh: int = 0
    began_anew: bool = False
    out_of_turn: bool = False
    samples: list[dict[str, Any]] = field(default_factory=list)
    stop: dict[str, Any] | None = None

    @property
    def closed(self) -> bool:
        """Whether the last reading has been told."""
        return self.stop is not None and "meterStop" in self.stop

    def reads(self, gain_wh: int) -> int:
        """The meter rises, and is read."""
        self.meter_wh += gain_wh
        if not self.closed:
            # Without a reading at the start, the first one is the start.
            self.gained_wh += gain_wh if self.told_start or self.read else 0
            self.read = True
        return self.meter_wh


class Play:
    """Chargers, a csms that may restart, and the model."""

    def __init__(self, store: FaultyStore) -> None:
        self.clock = FakeClock(TODAY)
        self.store = store
        self.transactions: list[Transaction] = []
        self.aside: set[tuple[str, str]] = set()
        self.site: Site
        self._stack = AsyncExitStack()

    async def run(self, steps: list[Step]) -> None:
        """Do the steps, then hold everything against the model."""
        await self._open()
        try:
            for action, which, how in steps:
                self.clock.advance(1.0)
                await _STEPS[action % len(_STEPS)](self, which, how)
                await self._settled()
            await self._check()
        finally:
            await self._stack.aclose()

    async def _open(self) -> None:
        self.site = await self._stack.enter_async_context(
            site(STATIONS, store=self.store, clock=self.clock)
        )

    async def _settled(self) -> None:
        await self.site.loop().caught_up()

    async def tell(self, charger_id: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The answer to a message, told until there is one (OCPP 1.6 §3.7.1)."""
        for _ in range(2):
            try:
                return await routes.serve(
                    self.site.supervisor.recorder, charger_id, action, payload
                )
            except StorageError:
                continue
        return await routes.serve(self.site.supervisor.recorder, charger_id, action, payload)

    # ------------------------------------------------------------------ steps

    async def start(self, which: int, how: int) -> None:
        """A vehicle comes, now or days ago; an earlier stop on the connector may be missing."""
        charger_id, connector_id = PLACES[which % len(PLACES)]
        started_at = self.clock.now()
        if how % 4 == 3:
            started_at -= DAY_S * (1 + which % 5)
        payload: dict[str, Any] = {
            "connectorId": connector_id,
            "idTag": TAGS[how % 2],
            "timestamp": time_text(started_at),
            "meterStart": FULL_WH,
        }
        if how % 5 == 4:
            payload["meterStart"] = None
        begun = Transaction(
            charger_id, payload, started_at, FULL_WH, told_start=payload["meterStart"] is not None
        )
        if any(t.charger_id == charger_id and t.start == payload for t in self.transactions):
            return
        begun.answer = await self.tell(charger_id, "StartTransaction", payload)
        begun.transaction_id = begun.answer["transactionId"]
        self.transactions.append(begun)
        if how % 7 == 6:
            # A burst: begun and over before anything else is told.
            await self._sample(begun, how)
            await self._stop(begun, begun.transaction_id, how)

    async def start_again(self, which: int, _how: int) -> None:
        """A start is repeated: the answer is the one it got."""
        if self.transactions:
            begun = self.transactions[which % len(self.transactions)]
            again = await self.tell(begun.charger_id, "StartTransaction", dict(begun.start))
            assert again == begun.answer

    async def sample(self, which: int, how: int) -> None:
        """The meter is read, in a transaction that may be over."""
        if self.transactions:
            await self._sample(self.transactions[which % len(self.transactions)], how)

    async def _sample(self, of: Transaction, how: int) -> None:
        if how % 6 == 5 and of.told_start and not of.began_anew:
            reading_wh = 0  # a drop-out
            of.out_of_turn = True
        else:
            if how % 6 == 4 and not of.closed and not of.out_of_turn:
                of.meter_wh, of.began_anew = 0, True
                await self._read(of, of.reads(0))
            reading_wh = of.reads(how)
        await self._read(of, reading_wh)

    async def _read(self, of: Transaction, reading_wh: int) -> None:
        payload = {
            "connectorId": of.start["connectorId"],
            "transactionId": of.transaction_id,
            "meterValue": [{"sampledValue": [{"value": str(reading_wh)}]}],
        }
        of.samples.append(payload)
        assert await self.tell(of.charger_id, "MeterValues", payload) == {}

    async def sample_again(self, which: int, how: int) -> None:
        """An earlier reading comes out of turn."""
        told = [t for t in self.transactions if t.samples and t.told_start and not t.began_anew]
        if told:
            of = told[which % len(told)]
            of.out_of_turn = True
            payload = of.samples[how % len(of.samples)]
            assert await self.tell(of.charger_id, "MeterValues", payload) == {}

    async def stop(self, which: int, how: int) -> None:
        """A transaction is stopped under its own id; once stopped, the stop is repeated."""
        if self.transactions:
            of = self.transactions[which % len(self.transactions)]
            if of.stop is None:
                await self._stop(of, of.transaction_id, how)
            else:
                await self._answered(of.charger_id, of.stop)

    async def _stop(self, of: Transaction, transaction_id: int, how: int) -> None:
        payload = {
            "transactionId": transaction_id,
            "timestamp": time_text(self.clock.now()),
            "reason": "EVDisconnected",
        }
        if how % 5 != 4 or of.out_of_turn:
            payload["meterStop"] = of.reads(how)
        of.stop = payload
        await self._answered(of.charger_id, payload)

    async def stop_without_id(self, which: int, how: int) -> None:
        """The answer to the start was lost: the stop names no transaction (errata 3.18)."""
        charger_id, _ = PLACES[which % len(PLACES)]
        now = self.clock.now()
        mine = [t for t in self.transactions if t.charger_id == charger_id and t.stop is None]
        if len(mine) == 1:
            await self._stop(mine[0], (0, -1)[how % 2], how)
            return
        payload = {"transactionId": -1, "timestamp": time_text(now), "meterStop": FULL_WH + 500_000}
        before = len(await self.store.quarantined(charger_id, limit=10_000))
        await self._answered(charger_id, payload)
        after = len(await self.store.quarantined(charger_id, limit=10_000))
        if after == before:
            await self._placed(mine, payload)
        else:
            self.aside.add((charger_id, str(payload)))

    async def _placed(self, mine: list[Transaction], payload: dict[str, Any]) -> None:
        """One of several was the only one that runs: it has this stop now, and no other has."""
        ended = [t for t in mine if (await self._stored(t)).stop_timestamp is not None]
        (of,) = ended
        of.reads(payload["meterStop"] - of.meter_wh)
        if of.began_anew and of.told_start:
            # It reads more than the meter ever did before it began anew: by the third rule of
            # `csms.station.register` it had only dropped out, and goes on as if it never had.
            of.began_anew = False
            of.gained_wh = payload["meterStop"] - FULL_WH
        of.stop = payload

    async def stop_otherwise(self, which: int, how: int) -> None:
        """A stop that contradicts the first, or is of nobody's transaction or another charger's."""
        if not self.transactions:
            return
        of = self.transactions[which % len(self.transactions)]
        charger_id, transaction_id = of.charger_id, of.transaction_id
        if how % 3 == 0 and of.stop is None:
            return
        if how % 3 == 1:
            charger_id = "A" if charger_id == "B" else "B"
        elif how % 3 == 2:
            taken = {t.transaction_id for t in self.transactions}
            transaction_id = next(n for n in range(1, 100) if n not in taken)
        payload = {
            "transactionId": transaction_id,
            "timestamp": time_text(self.clock.now()),
            "meterStop": 77,
        }
        self.aside.add((charger_id, str(payload)))
        await self._answered(charger_id, payload)

    async def _answered(self, charger_id: str, payload: dict[str, Any]) -> None:
        assert await self.tell(charger_id, "StopTransaction", dict(payload)) == {}

    async def boot(self, which: int, how: int) -> None:
        """A charger boots and says what its connectors do."""
        charger_id, _ = PLACES[which % len(PLACES)]
        answer = await self.tell(charger_id, "BootNotification", {"chargePointVendor": "V"})
        assert answer["status"] == "Accepted"
        self.clock.advance(1.0)
        await self.status(which, how)

    async def status(self, which: int, how: int) -> None:
        """A connector says what it does; later csms looks whether a session is over."""
        charger_id, connector_id = PLACES[which % len(PLACES)]
        status = STATUSES[how % len(STATUSES)].value
        payload = {"connectorId": connector_id, "status": status, "errorCode": "NoError"}
        assert await self.tell(charger_id, "StatusNotification", payload) == {}
        await self._settled()
        if how % 2:
            self.clock.advance(120.0)
            recorder = self.site.supervisor.recorder
            # What could not be kept is found again at the next look.
            with suppress(StorageError):
                await Presumption(lambda: [self.site.loop()], recorder, self.clock).look()

    async def restart(self, _which: int, how: int) -> None:
        """Csms goes down and comes back, or its database fails for a moment."""
        if how % 2:
            self.store.ends_to_fail = 1
            return
        await self._stack.aclose()
        await self._open()

    # ------------------------------------------------------------------ what must hold

    async def _stored(self, of: Transaction) -> StoredSession:
        stored = await self.store.find(of.charger_id, of.transaction_id)
        assert stored is not None
        return stored

    async def _check(self) -> None:
        self.store.ends_to_fail = 0
        kept = [s for c in "AB" for s in await self._all(c)]
        ids = [t.transaction_id for t in self.transactions]
        assert sorted(s.transaction_id for s in kept) == sorted(ids)
        assert len(set(ids)) == len(ids)
        assert all(0 < transaction_id < 2**31 for transaction_id in ids)
        for of in self.transactions:
            self._check_session(of, await self._stored(of))
        running = [s.connector for s in kept if s.ended_at is None]
        assert len(set(running)) == len(running)
        live = self.site.loop().state.sessions()
        assert {s.connector for s in live} == set(running)
        aside = [q for c in "AB" for q in await self.store.quarantined(c, limit=10_000)]
        assert len(aside) == len(self.aside)

    async def _all(self, charger_id: str) -> list[StoredSession]:
        ended = await self.store.ended("SITE", limit=10_000)
        running = await self.store.running()
        return [s for s in ended + running if s.connector.charger_id == charger_id]

    @staticmethod
    def _check_session(of: Transaction, stored: StoredSession) -> None:
        assert stored.energy_wh >= 0
        if of.stop is None:
            assert stored.stop_timestamp is None
        else:
            assert (stored.stop_timestamp, stored.reason) == (
                of.stop["timestamp"],
                of.stop.get("reason", "Local"),
            )
            assert time_text(stored.ended_at or 0.0) == of.stop["timestamp"]
            assert stored.meter_stop_wh == of.stop.get("meterStop")
        if of.stop is not None:
            plain = of.closed and of.told_start and not of.began_anew
            assert stored.estimated is not plain
        if of.closed or not of.out_of_turn:
            assert stored.energy_wh == of.gained_wh, (of, stored)
        else:
            assert stored.energy_wh <= of.gained_wh


_STEPS: list[Callable[[Play, int, int], Any]] = [
    Play.start,
    Play.start_again,
    Play.sample,
    Play.sample_again,
    Play.stop,
    Play.stop_without_id,
    Play.stop_otherwise,
    Play.boot,
    Play.status,
    Play.restart,
    Play.start,
    Play.sample,
    Play.stop,
]

steps = st.lists(
    st.tuples(st.integers(0, len(_STEPS) - 1), st.integers(0, 11), st.integers(0, 41)),
    min_size=1,
    max_size=30,
)


def holds(played: list[Step]) -> None:
    """Play these steps; AssertionError when something does not hold."""
    asyncio.run(Play(FaultyStore()).run(played))


def main() -> int:
    """Play as many lists of steps as asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    trying = settings(
        max_examples=asked.examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    played = 0

    @seed(asked.seed)
    @trying
    @given(steps)
    def plays(each: list[Step]) -> None:
        nonlocal played
        played += 1
        holds(each)

    plays()
    sys.stdout.write(f"{played} lists of steps, every rule held\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
