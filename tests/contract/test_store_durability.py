"""What survives: a close, a kill, a full queue, a neighbour that fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from csms.dispatch.ledger import EntryState
from csms.errors import StorageError
from csms.ports import ChargerRecord, Losses, Store
from csms.storage import SqlSettings, SqlStore
from csms.storage.writer import WriterSettings
from tests.contract.conftest import Reopen
from tests.contract.examples import entry, frame, sample, session

ROOT = Path(__file__).parents[2]
TOO_LARGE = 2**63


@pytest.fixture
async def sql_store(sqlite_url: str) -> AsyncIterator[SqlStore]:
    made = SqlStore(sqlite_url)
    await made.open()
    yield made
    await made.close()


async def test_everything_is_there_after_close_and_open(new_store: Reopen) -> None:
    first = new_store()
    await first.open()
    await first.start(session(1))
    await first.start(session(2))
    await first.end("session-0002", ended_at=9.0, meter_stop_wh=5500, reason="Local")
    await first.write("site", [entry(1)])
    first.write_later("site", [entry(1, EntryState.CONFIRMED), entry(2)])
    first.sample("session-0001", sample(1, energy_wh=5400))
    first.frame(frame(1))
    await first.save_station("site", {"stationId": "site"})
    await first.save_charger(ChargerRecord("CP1", accepted=True))
    await first.save_capability("CP1", {"unit": "A"})
    await first.save_model_capability(("V", "M", "1"), {"unit": "W"})
    await first.close()

    second = new_store()
    await second.open()
    try:
        assert [s.meter_wh for s in await second.running()] == [5400]
        assert [s.energy_wh for s in await second.ended("site")] == [500]
        assert await second.load("site") == [entry(1, EntryState.CONFIRMED), entry(2)]
        assert await second.last_token() == 2
        assert await second.samples("session-0001") == [sample(1, energy_wh=5400)]
        assert await second.frames("CP1") == [frame(1)]
        assert await second.load_stations() == {"site": {"stationId": "site"}}
        assert await second.load_chargers() == {"CP1": ChargerRecord("CP1", accepted=True)}
        assert await second.load_capabilities() == {"CP1": {"unit": "A"}}
        assert await second.load_model_capabilities() == {("V", "M", "1"): {"unit": "W"}}
        assert (await second.start(session(1, session_id="x"))).session_id == "session-0001"
    finally:
        await second.close()


async def test_close_twice(new_store: Reopen) -> None:
    made = new_store()
    await made.open()
    await made.close()
    await made.close()


async def test_one_store_can_be_opened_again(new_store: Reopen) -> None:
    made = new_store()
    for number in (1, 2):
        await made.open()
        await made.start(session(number))
        await made.close()
    await made.open()
    assert await made.running() == [session(1), session(2)]
    await made.close()


WRITING = """
import asyncio
from csms.dispatch.ledger import EntryState
from csms.storage import SqlStore
from tests.contract.examples import entry, session

async def worker(store, first):
    for number in range(first, 10**9, 8):
        await store.start(session(number, start_timestamp=str(number)))
        print("started", number, flush=True)
        await store.write("site", [entry(number + 1)])
        print("limited", number + 1, flush=True)
        await store.end(
            f"session-{number:04}", ended_at=9.0, meter_stop_wh=5000 + number, reason="Local"
        )
        print("ended", number, flush=True)

async def main():
    store = SqlStore("URL")
    await store.open()
    async with asyncio.TaskGroup() as group:
        for first in range(8):
            group.create_task(worker(store, first))

asyncio.run(main())
"""


async def killed_while_writing(url: str, lines: int) -> list[tuple[str, int]]:
    """Start a process that writes, kill it after so many answers; every answer it had."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITING.replace("URL", url),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    read = [await process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    read += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -signal.SIGKILL
    words = [line.decode().split() for line in read if line.endswith(b"\n")]
    return [(what, int(number)) for what, number in words]


async def test_nothing_answered_is_lost_by_a_kill(sqlite_url: str) -> None:
    answered = await killed_while_writing(sqlite_url, lines=200)
    assert len(answered) >= 200

    store = SqlStore(sqlite_url)
    await store.open()
    try:
        ended = await store.ended("site", limit=10_000)
        kept = {
            "started": {s.transaction_id - 1000 for s in [*await store.running(), *ended]},
            "ended": {s.energy_wh for s in ended},
            "limited": {e.token for e in await store.load("site")},
        }
        assert [(what, n) for what, n in answered if n not in kept[what]] == []
    finally:
        await store.close()


HOLDING = """
import asyncio
from csms.storage import SqlStore

async def main():
    await SqlStore("URL").open()
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_database_serves_one_store_at_a_time(sqlite_url: str) -> None:
    first, second = SqlStore(sqlite_url), SqlStore(sqlite_url)
    await first.open()
    with pytest.raises(StorageError, match=r"csms\.db is in use by another csms \(process \d+\)"):
        await second.open()
    assert await first.running() == []
    await first.close()
    await second.open()
    await second.close()


async def test_a_database_serves_one_process_and_a_kill_frees_it(sqlite_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDING.replace("URL", sqlite_url),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    store = SqlStore(sqlite_url)
    try:
        assert await process.stdout.readline() == b"open\n"
        with pytest.raises(StorageError, match=rf"another csms \(process {process.pid}\)"):
            await store.open()
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await store.open()
    await store.close()


async def test_only_the_guilty_one_of_a_batch_fails(sqlite_url: str) -> None:
    settings = SqlSettings(writer=WriterSettings(window_s=0.2, batch_operations=9))
    store = SqlStore(sqlite_url, settings=settings)
    await store.open()
    try:
        sessions = [session(n) for n in range(9)]
        sessions[4] = session(4, meter_start_wh=TOO_LARGE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(outcome(store, n)) for n in sessions]
        outcomes = [task.result() for task in tasks]

        assert outcomes == ["", "", "", "", "refused", "", "", "", ""]
        assert len(await store.running()) == 8
        assert store.statistics().failed == 1
    finally:
        await store.close()


async def outcome(store: Store, each: object) -> str:
    try:
        await store.start(each)  # type: ignore[arg-type]
    except StorageError:
        return "refused"
    return ""


async def test_one_bad_row_costs_no_other_row(sql_store: SqlStore) -> None:
    for number in range(21):
        power_w = TOO_LARGE if number == 13 else number
        sql_store.sample("a", sample(power_w) if number == 13 else sample(number))
    sql_store.write_later("site", [entry(n, value_w=-1 if n == 3 else n) for n in range(1, 8)])

    samples = await sql_store.samples("a")

    assert [s.power_w for s in samples] == [n for n in range(21) if n != 13]
    assert [e.token for e in await sql_store.load("site")] == [1, 2, 4, 5, 6, 7]
    assert sql_store.losses() == Losses(rows=2)


async def test_too_many_samples_and_frames_drop_the_oldest(sqlite_url: str) -> None:
    settings = SqlSettings(waiting_samples=5, waiting_frames=3)
    store = SqlStore(sqlite_url, settings=settings)
    await store.open()
    try:
        # With the database busy, nothing is written between the first and the last.
        with sqlite3_lock(sqlite_url):
            for number in range(100):
                store.sample("a", sample(number))
                store.frame(frame(number))
            dropped = store.statistics()
        assert dropped.dropped_samples >= 90
        assert dropped.dropped_frames >= 92
        samples = await store.samples("a")
        frames = await store.frames("CP1")
        assert samples[-5:] == [sample(n) for n in range(95, 100)]
        assert frames[-3:] == [frame(n) for n in range(97, 100)]
        done = store.statistics()
        assert len(samples) + done.dropped_samples == 100
        assert len(frames) + done.dropped_frames == 100
    finally:
        await store.close()


class sqlite3_lock:  # noqa: N801 - used as a statement
    """Another process writes to the database and does not come to an end."""

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_exception: object) -> None:
        self.connection.execute("ROLLBACK")
        self.connection.close()


async def test_a_busy_database_fails_the_callers_and_keeps_the_rest(sqlite_url: str) -> None:
    settings = SqlSettings(writer=WriterSettings(retry_s=0.01), busy_timeout_s=0.01)
    store = SqlStore(sqlite_url, settings=settings)
    await store.open()
    try:
        await store.write("site", [entry(1), entry(2)])
        with sqlite3_lock(sqlite_url):
            store.write_later("site", [entry(1, EntryState.SUPERSEDED)])
            store.sample("a", sample(1))
            with pytest.raises(StorageError, match="locked"):
                await store.start(session(1))
            store.write_later("site", [entry(2, EntryState.UNANSWERED)])
            with pytest.raises(StorageError, match="locked"):
                await store.write("site", [entry(3)])
            store.write_later("site", [entry(2, EntryState.CONFIRMED)])
            store.sample("a", sample(2))

        assert await store.load("site") == [entry(2, EntryState.CONFIRMED)]
        assert await store.samples("a") == [sample(1), sample(2)]
        assert await store.running() == []
        assert await store.start(session(1)) == session(1)
    finally:
        await store.close()


async def test_close_says_what_could_not_be_written(sqlite_url: str) -> None:
    settings = SqlSettings(writer=WriterSettings(retry_s=0.01), busy_timeout_s=0.01)
    store = SqlStore(sqlite_url, settings=settings)
    await store.open()
    with sqlite3_lock(sqlite_url):
        store.write_later("site", [entry(1)])
        with pytest.raises(StorageError, match="locked"):
            await store.close()
    assert store.statistics().lost == 1
    await store.open()
    assert await store.load("site") == []
    await store.close()
