"""The disk is full: transactions are not answered, limits go on, and later nothing is twice.

One test says how full the disk is, the other has SQLite refuse to grow, as it does without space.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, event

from csms.app import running
from csms.control.clock import SystemClock
from csms.station.document import parse_station
from csms.storage import SqlSettings, SqlStore, dialect
from csms.storage.writer import WriterSettings
from tests.e2e.dialogue import Csms, Dialogue, start, station, stop, until
from tests.e2e.quick import CONFIG
from tests.unit.csms.storage.disks import Disk

UNKEPT_CLOSE_S = 2.0
RESERVE_BYTES = 1_000_000
MANY_PAGES = 1_000_000
NO_MORE_PAGES = 1
"""SQLite keeps those it has."""


class SmallStore(SqlStore):
    """A store on a disk that is as full as a test wants, in a database of so many `pages`."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk()
        self.pages = MANY_PAGES
        super().__init__(
            f"sqlite:///{folder}/csms.db",
            clock=SystemClock(),
            settings=SqlSettings(
                reserve_bytes=RESERVE_BYTES, writer=WriterSettings(full_s=0.5, tend_s=0.1)
            ),
            measure=self.disk,
        )

    def _connect_writer(self) -> Connection:
        engine = dialect.writer_engine(self._url)
        event.listen(engine, "begin", self._limit)
        return self._connect(engine, self._prepare)

    def _limit(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self.pages}")


@asynccontextmanager
async def csms(folder: Path) -> AsyncIterator[tuple[Csms, SmallStore]]:
    changes = {"unkept_close_s": UNKEPT_CLOSE_S, "raise_spacing_s": 0.0}
    store = SmallStore(folder)
    document = station("CP1", connectors=2)
    async with (
        running(
            CONFIG.model_copy(update=changes), [parse_station(document, "test")], store=store
        ) as app,
        httpx.AsyncClient(base_url=app.api_url, timeout=30.0, trust_env=False) as api,
    ):
        yield Csms(app, api), store


def rows(folder: Path, question: str) -> list[tuple[Any, ...]]:
    """What another connection sees."""
    with closing(sqlite3.connect(folder / "csms.db")) as other:
        return other.execute(question).fetchall()


def lowest_w(charger: Dialogue) -> float:
    """The lowest limit csms sent, whatever it is for."""
    periods = [
        period["limit"]
        for profile in charger.named("SetChargingProfile")
        for period in profile["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
    ]
    return min(periods, default=float("inf"))


async def unanswered(charger: Dialogue, action: str, payload: dict[str, Any]) -> None:
    """Ask, and be answered nothing, while all that needs no room is answered."""
    async with asyncio.TaskGroup() as tasks:

        async def asking() -> None:
            try:
                frame = await charger.say(action, payload)
            except ConnectionError:
                return
            raise AssertionError(frame)

        tasks.create_task(asking())
        assert "currentTime" in await charger.told("Heartbeat", {})
        await until(lambda: charger.closed is not None)
    assert charger.closed == 1013


async def test_below_a_hundredth_nothing_is_written_that_can_wait(tmp_path: Path) -> None:
    reserve = tmp_path / "csms.db-reserve"
    async with csms(tmp_path) as (it, store):
        async with it.dial("CP1") as charger:
            await charger.boot()
            session = await charger.start(1)
            await until(lambda: charger.named("SetChargingProfile"))
            assert reserve.stat().st_size == RESERVE_BYTES
            store.disk.has(0.009)
            await until(lambda: not reserve.exists())
            frames = rows(tmp_path, "SELECT count(*) FROM frames")
            # The grid has less to give: the limit is written, and sent.
            before = rows(tmp_path, "SELECT max(token) FROM limits")
            lowered = await it.api.put("/station/grid-limit", json={"limit": 20})
            assert lowered.status_code == 200
            await until(lambda: lowest_w(charger) <= 20_000)
            assert rows(tmp_path, "SELECT max(token) FROM limits") > before
            assert (await it.api.get("/readyz")).status_code == 503
            assert (await charger.told("Authorize", {"idTag": "TAG"}))["idTagInfo"]
            await unanswered(charger, "StartTransaction", start(2))
        async with it.dial("CP1") as charger:
            await charger.boot()
            await unanswered(charger, "StopTransaction", stop(session["transactionId"]))
        assert rows(tmp_path, "SELECT count(*) FROM frames") == frames
        assert len(await store.running()) == 1
        store.disk.has(0.5)
        async with it.dial("CP1") as charger:
            await charger.boot()
            second = await charger.start(2)
            assert await charger.start(2) == second
            await charger.told("StopTransaction", stop(session["transactionId"]))
        await until(lambda: reserve.exists() and rows(tmp_path, "SELECT 1 FROM frames"))
        assert len(rows(tmp_path, "SELECT 1 FROM sessions")) == 2
        (left,) = await store.running()
        assert left.transaction_id == second["transactionId"]


async def test_a_database_that_has_no_room_loses_no_transaction(tmp_path: Path) -> None:
    """Starts go on until there is no page left; each that was answered is kept, and once."""
    answered: list[int] = []
    async with csms(tmp_path) as (it, store):
        async with it.dial("CP1") as charger:
            await charger.boot()
            await charger.start(1)
            await until(lambda: charger.named("SetChargingProfile"))
            store.pages = NO_MORE_PAGES
            number = 0
            try:
                while True:
                    async with asyncio.timeout(30):
                        number += 1
                        payload = start(2, idTag="OTHER", meterStart=number)
                        answered.append(
                            (await charger.told("StartTransaction", payload))["transactionId"]
                        )
            except ConnectionError:
                assert charger.closed == 1013
        async with it.dial("CP1") as charger:
            # What needs no room goes on, and so does a lower, whether it can be written or not.
            await charger.boot()
            await it.api.put("/station/grid-limit", json={"limit": 20})
            await until(lambda: lowest_w(charger) <= 20_000)
            assert "currentTime" in await charger.told("Heartbeat", {})
            store.pages = MANY_PAGES
            late = await charger.told("StartTransaction", payload)
            assert await charger.told("StartTransaction", payload) == late
        kept = rows(tmp_path, "SELECT transaction_id FROM sessions ORDER BY started_at")
        assert {row[0] for row in kept} > {*answered, late["transactionId"]}
        assert len(kept) == number + 1
