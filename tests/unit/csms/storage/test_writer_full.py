"""A writer on a database that has no room: SQLite refuses to grow it, as it does on a full disk."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from csms.storage.reserve import Reserve
from csms.storage.writer import Writer, WriterSettings
from tests.unit.csms.storage.disks import KILOBYTE, Disk
from tests.unit.csms.storage.test_writer import Notes, asked_while_held, error_of, held, note

QUICK = WriterSettings(window_s=0.0, linger_s=0.0, retry_s=0.01, full_s=0.05, tend_s=0.01)
LONG = WriterSettings(window_s=0.0, linger_s=0.0, retry_s=0.01, full_s=3600.0, tend_s=0.01)
LARGE = "x" * 20 * KILOBYTE
PATIENT_S = 60.0


class FullNotes(Notes):
    """Notes in a database that cannot grow while it is `full`. `disk` says what it likes."""

    def __init__(self, folder: Path, settings: WriterSettings = QUICK, reserve: int = 0) -> None:
        super().__init__(folder, settings)
        self.disk = Disk()
        self.reserve = Reserve(self.url, reserve, self.disk)
        self.path = folder / "csms.db-reserve"
        self.writer = Writer(self.connect, settings, [self.stream], self.save_kept, self.reserve)

    async def full(self, full: bool = True) -> None:
        """From now on it has no room, or has it again."""
        pages = 1 if full else 1_000_000

        def limit(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        await self.writer.submit(limit)

    async def round(self) -> None:
        """One turn of the writer: from then on it has seen the disk as it is."""
        await self.writer.submit(lambda _connection: None)

    async def written(self, *texts: str) -> None:
        """Wait until the database has just these, in any order, shortened to some letters."""
        async with asyncio.timeout(PATIENT_S):
            while sorted(text[:6] for text in self.read()) != sorted(texts):
                await error_of(self.round())


async def test_what_is_small_is_written_though_what_can_wait_has_no_room(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path, LONG)
    async with notes.opened() as writer, asyncio.TaskGroup() as group:
        await notes.full()
        async with held(writer):
            writer.put(notes.stream, LARGE)
            large = group.create_task(error_of(writer.submit(note(LARGE), can_wait=True)))
            limit = group.create_task(writer.submit(note("limit")))
            await asyncio.sleep(0)
            writer.keep({"k": "kept"})
        assert "database or disk is full" in await large
        assert await limit == "limit"
        assert notes.read() == ["limit", "kept"]
        # Rows wait, and what is asked next does not wait for them.
        assert await writer.submit(note("next")) == "next"
        await notes.full(False)
        assert writer.counters.lost == 0
    assert [text[:6] for text in notes.read()] == ["limit", "kept", "next", "xxxxxx"]


async def test_rows_are_written_when_there_is_room_again(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path)
    async with notes.opened() as writer:
        await notes.full()
        writer.put(notes.stream, LARGE)
        assert "is full" in await error_of(writer.submit(note(LARGE)))
        await notes.full(False)
        await notes.written("xxxxxx")
    assert writer.counters.lost == notes.stream.dropped == 0


async def test_the_reserve_is_given_up_for_what_was_asked(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path, LONG, reserve=KILOBYTE)
    saved: list[bool] = []

    def asked(connection: Connection) -> None:
        saved.append(notes.path.exists())
        note("small" if saved[1:] else LARGE)(connection)

    async with notes.opened() as writer:
        await notes.full()
        assert notes.path.exists()
        await writer.submit(asked, can_wait=True)
        # What the first try had no room for, the second one had.
        assert saved == [True, False]
        # Nor is it made again for a while.
        await notes.round()
        await notes.round()
        assert not notes.path.exists()


async def test_what_can_wait_is_refused_on_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path, reserve=KILOBYTE)
    async with notes.opened() as writer:
        await writer.submit(note("first"))
        assert notes.path.exists()
        notes.disk.has(0.009)
        await notes.round()
        writer.put(notes.stream, "row")
        told = await error_of(writer.submit(note("start"), can_wait=True))
        assert told == "the disk is nearly full: this can wait"
        assert await asked_while_held(writer, note("limit")) == [""]
        writer.keep({"k": "kept"})
        await writer.settled()
        assert notes.read() == ["first", "limit", "kept"]
        assert not notes.path.exists()
        notes.disk.has(0.5)
        assert await writer.submit(note("start"), can_wait=True) == "start"
        await notes.written("first", "limit", "kept", "row", "start")
        assert notes.path.exists()


async def test_a_reserve_that_was_left_is_given_up_before_opening(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path)
    notes.path.write_bytes(b"left")
    notes.disk.has(0.001)
    seen: list[bool] = []

    def connect() -> Connection:
        seen.append(notes.path.exists())
        return notes.connect()

    writer = Writer(connect, QUICK, [notes.stream], notes.save_kept, notes.reserve)
    await writer.open()
    assert seen == [False]
    writer.put(notes.stream, "row")
    await writer.close()
    assert (notes.read(), writer.counters.lost) == ([], 1)


async def test_limits_that_have_no_room_are_tried_again(tmp_path: Path) -> None:
    notes = FullNotes(tmp_path)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    notes.refusals = [OperationalError("INSERT", {}, full)]
    async with notes.opened() as writer:
        writer.keep({"k": "limit"})
        await notes.written("limit")
    assert (writer.counters.lost, len(notes.saves)) == (0, 2)
