from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from csms.errors import StorageError
from csms.storage import dialect
from csms.storage.work import Stream
from csms.storage.writer import Writer, WriterSettings
from tests.unit.csms.storage.databases import url_in

FAST = WriterSettings(window_s=0.0, linger_s=0.0, retry_s=0.0)
PATIENT_S = 20


def disk_full() -> OperationalError:
    return OperationalError("INSERT", {}, Exception("database or disk is full"))


def note(text: str) -> Callable[[Connection], str]:
    """Work that writes one row and gives its text back."""

    def write(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO notes (text) VALUES (?)", (text,))
        return text

    return write


class Gate:
    """Work that holds the writer in its transaction until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.reached.set()
        assert self.let_go.wait(PATIENT_S)


class Notes:
    """A database with one table, and a writer on it with one stream of notes."""

    def __init__(self, folder: Path, settings: WriterSettings = FAST, limit: int = 100) -> None:
        self.url = dialect.parse(url_in(folder))
        self.stream: Stream[str] = Stream(self.save_rows, limit)
        self.refusals: list[Exception] = []
        self.saves: list[list[str]] = []
        self.writer = Writer(self.connect, settings, [self.stream], self.save_kept)

    def connect(self) -> Connection:
        connection = dialect.writer_engine(self.url).connect()
        with connection.begin():
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"
            )
        return connection

    def save_kept(self, connection: Connection, rows: Collection[str]) -> None:
        self.save_rows(connection, list(rows))

    def save_rows(self, connection: Connection, rows: Sequence[str]) -> None:
        self.saves.append(list(rows))
        if self.refusals:
            raise self.refusals.pop(0)
        for row in rows:
            if "bad" in row:
                raise ValueError(row)
            note(row)(connection)

    def read(self) -> list[str]:
        """What another connection sees."""
        engine = dialect.reader_engine(self.url)
        with engine.connect() as connection, connection.begin():
            rows = connection.exec_driver_sql("SELECT text FROM notes ORDER BY id").scalars()
            return list(rows)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Writer]:
        await self.writer.open()
        try:
            yield self.writer
        finally:
            await self.writer.close()


@asynccontextmanager
async def held(writer: Writer) -> AsyncIterator[None]:
    """The writer is in a transaction, and goes on afterwards."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.submit(gate))
        await asyncio.to_thread(gate.reached.wait, PATIENT_S)
        try:
            yield
        finally:
            gate.let_go.set()


async def error_of(waiting: Any) -> str:
    """What the awaited call raises, or nothing."""
    try:
        await waiting
    except StorageError as error:
        return str(error)
    return ""


async def asked_while_held(writer: Writer, *works: Callable[[Connection], Any]) -> list[str]:
    """Ask for all the works while the writer is busy; what each caller was told."""
    async with asyncio.TaskGroup() as group, held(writer):
        tasks = [group.create_task(error_of(writer.submit(work))) for work in works]
        await asyncio.sleep(0)
    return [task.result() for task in tasks]


# ---------------------------------------------------------------------- group commit


async def test_an_answer_comes_after_the_commit(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        assert await writer.submit(note("one")) == "one"
        assert notes.read() == ["one"]
    assert (writer.counters.commits, writer.counters.operations) == (1, 1)


async def test_what_waits_is_committed_together_in_order(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        told = await asked_while_held(writer, *(note(str(n)) for n in range(30)))

        assert told == [""] * 30
        assert notes.read() == [str(n) for n in range(30)]
        assert writer.counters.commits == 2
        assert writer.counters.operations == 31


async def test_a_batch_is_bounded(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, batch_operations=10))
    async with notes.opened() as writer:
        await asked_while_held(writer, *(note(str(n)) for n in range(30)))

        assert writer.counters.commits == 4
        assert notes.read() == [str(n) for n in range(30)]


async def test_a_full_batch_does_not_wait_for_the_window(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=3600.0, batch_operations=3))
    async with asyncio.timeout(PATIENT_S), notes.opened() as writer:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(writer.submit(note(str(number))))
        assert writer.counters.commits == 1


async def test_closing_does_not_wait_for_the_window(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=3600.0, linger_s=3600.0))
    async with (
        asyncio.timeout(PATIENT_S),
        asyncio.TaskGroup() as group,
        notes.opened() as writer,
    ):
        writer.put(notes.stream, "row")
        group.create_task(writer.submit(note("asked")))
        await asyncio.sleep(0)
    assert notes.read() == ["row", "asked"]


async def test_a_caller_does_not_wait_while_rows_linger(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, linger_s=3600.0))
    async with asyncio.timeout(PATIENT_S), notes.opened() as writer:
        writer.put(notes.stream, "row")
        writer.keep({"k": "kept"})
        await writer.submit(note("asked"))
        assert notes.read() == ["row", "kept", "asked"]
        assert writer.counters.commits == 1


async def test_a_half_full_stream_does_not_linger(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(linger_s=3600.0), limit=8)
    async with asyncio.timeout(PATIENT_S), notes.opened() as writer:
        for number in range(4):
            writer.put(notes.stream, str(number))
        while writer.counters.rows < 4:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        assert notes.read() == ["0", "1", "2", "3"]


async def test_rows_are_written_after_the_linger(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with asyncio.timeout(PATIENT_S), notes.opened() as writer:
        writer.put(notes.stream, "row")
        while not writer.counters.rows:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        assert notes.read() == ["row"]


async def test_settled_waits_for_everything_before_it(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(linger_s=3600.0))
    async with asyncio.timeout(PATIENT_S), notes.opened() as writer:
        await writer.settled()
        assert writer.counters.operations == 0
        writer.put(notes.stream, "row")
        writer.keep({"k": "kept"})
        await writer.settled()
        assert notes.read() == ["row", "kept"]


async def test_settled_waits_for_what_is_being_written(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer, asyncio.TaskGroup() as group:
        async with held(writer):
            settled = group.create_task(writer.settled())
            await asyncio.sleep(0)
            assert not settled.done()
        await settled


async def test_a_caller_that_goes_does_not_take_its_work_back(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        async with asyncio.TaskGroup() as group, held(writer):
            task = group.create_task(writer.submit(note("gone")))
            await asyncio.sleep(0)
            task.cancel()
        await writer.settled()
        assert notes.read() == ["gone"]


# ---------------------------------------------------------------------- bounds


async def test_too_much_work_is_refused_and_the_rest_done(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, waiting_operations=5))
    async with notes.opened() as writer:
        told = await asked_while_held(writer, *(note(str(n)) for n in range(7)))

    refused = "the database is behind: 5 operations wait"
    assert told == ["", "", "", "", "", refused, refused]
    assert writer.counters.refused == 2
    assert notes.read() == ["0", "1", "2", "3", "4"]


async def test_kept_rows_side_by_side_are_merged_by_key(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        async with held(writer):
            for number in range(1000):
                writer.keep({number % 3: str(number), "all": "x"})
        await writer.settled()

    assert notes.saves == [["999", "x", "997", "998"]]


async def test_kept_rows_keep_their_place_between_asked_work(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer, asyncio.TaskGroup() as group, held(writer):
        writer.keep({"k": "1"})
        group.create_task(writer.submit(note("2")))
        await asyncio.sleep(0)
        writer.keep({"k": "3"})
        writer.keep({"k": "4"})
        group.create_task(writer.submit(note("5")))
        await asyncio.sleep(0)
    assert notes.read() == ["1", "2", "4", "5"]


async def test_what_is_kept_is_a_copy(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        rows = {"k": "mine"}
        async with held(writer):
            writer.keep(rows)
            rows["k"] = "changed"
        await writer.settled()
    assert notes.read() == ["mine"]


# ---------------------------------------------------------------------- errors


async def test_only_the_guilty_one_fails(tmp_path: Path) -> None:
    def half_done(connection: Connection) -> None:
        note("half")(connection)
        connection.exec_driver_sql("INSERT INTO notes (text) VALUES (NULL)")

    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        told = await asked_while_held(writer, note("1"), half_done, note("2"), note("3"))

        assert told == ["", "the database refused: NOT NULL constraint failed: notes.text", "", ""]
        assert notes.read() == ["1", "2", "3"]
        assert writer.counters.failed == 1


async def test_any_error_of_the_work_is_a_storage_error(tmp_path: Path) -> None:
    def broken(_connection: Connection) -> None:
        raise ZeroDivisionError("a bug")

    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        assert await error_of(writer.submit(broken)) == "the database refused: a bug"
        assert await writer.submit(note("goes on")) == "goes on"


async def test_bad_rows_are_found_and_lost_alone(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        async with held(writer):
            for number in range(20):
                writer.put(notes.stream, f"bad {number}" if number in {3, 17} else str(number))
            writer.keep({n: "bad kept" if n == 2 else f"kept {n}" for n in range(5)})
        await writer.settled()

    good = [str(n) for n in range(20) if n not in {3, 17}]
    assert notes.read() == [*good, "kept 0", "kept 1", "kept 3", "kept 4"]
    assert (writer.counters.lost, writer.counters.failed) == (3, 3)
    assert notes.stream.dropped == 0


async def test_an_error_that_may_pass_fails_the_callers_and_keeps_the_rows(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer, asyncio.TaskGroup() as group:
        notes.refusals = [disk_full()]
        async with held(writer):
            writer.put(notes.stream, "row")
            writer.keep({"a": "kept a", "b": "kept b"})
            asked = group.create_task(error_of(writer.submit(note("asked"))))
            await asyncio.sleep(0)
            writer.keep({"b": "kept b again"})
        assert await asked == "the database refused: database or disk is full"
        await writer.settled()

    assert notes.read() == ["row", "kept a", "kept b again"]
    assert writer.counters.lost == 0


async def test_rows_that_came_since_are_newer_than_the_ones_given_back(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, linger_s=3600.0, retry_s=0.0))
    gate = Gate()

    def refused(connection: Connection) -> None:
        gate(connection)
        raise disk_full()

    async with notes.opened() as writer, asyncio.TaskGroup() as group:
        writer.put(notes.stream, "row 1")
        writer.keep({"a": "old a", "b": "old b"})
        asked = group.create_task(error_of(writer.submit(refused)))
        await asyncio.to_thread(gate.reached.wait, PATIENT_S)
        writer.put(notes.stream, "row 2")
        writer.keep({"b": "new b"})
        gate.let_go.set()
        assert "disk is full" in await asked
        await writer.settled()

    assert notes.read() == ["row 1", "row 2", "old a", "new b"]


async def test_nothing_overtakes_what_was_refused_while_looking_for_the_guilty(
    tmp_path: Path,
) -> None:
    """The batch fails for a bad row; done one by one, its first kept rows are refused."""
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, retry_s=0.0))
    async with notes.opened() as writer, asyncio.TaskGroup() as group:
        async with held(writer):
            notes.refusals = [ValueError("the batch"), disk_full()]
            writer.keep({"k": "older"})
            first = group.create_task(error_of(writer.submit(note("newer"))))
            await asyncio.sleep(0)
            writer.keep({"k": "newest"})
            second = group.create_task(error_of(writer.submit(note("last"))))
            await asyncio.sleep(0)
        assert "disk is full" in await first
        assert "disk is full" in await second
        await writer.settled()

    assert notes.read() == ["newest"]
    assert writer.counters.failed == 0


async def test_a_refusal_in_half_a_batch_of_rows_keeps_their_order(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        async with held(writer):
            notes.refusals = [ValueError("all"), ValueError("first half"), disk_full()]
            for number in range(8):
                writer.put(notes.stream, str(number))
        # The first one to wait may share the batch, and is then refused with it.
        await error_of(writer.settled())
        await writer.settled()

    assert notes.read() == ["0", "1", "2", "3", "4", "5", "6", "7"]


async def test_a_database_that_refuses_is_left_alone_for_a_while(tmp_path: Path) -> None:
    # It lingers until somebody asks, so that what is kept and what is asked go together.
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, linger_s=3600.0, retry_s=3600.0))
    notes.refusals = [disk_full() for _ in range(1000)]
    async with asyncio.timeout(PATIENT_S):
        await notes.writer.open()
        notes.writer.keep({"k": "kept"})
        assert "disk is full" in await error_of(notes.writer.submit(note("asked")))
        assert await asyncio.to_thread(notes.read) == []
        with pytest.raises(StorageError, match="disk is full"):
            await notes.writer.close()

    # Once when asked, and once more at the end.
    assert notes.saves == [["kept"], ["kept"]]


# ---------------------------------------------------------------------- opening and closing


async def test_open_raises_what_connecting_raises(tmp_path: Path) -> None:
    def fail() -> Connection:
        raise StorageError("no database")

    writer = Writer(fail)
    with pytest.raises(StorageError, match="no database"):
        await writer.open()
    with pytest.raises(StorageError, match="not open"):
        await writer.submit(note("x"))


async def test_a_writer_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    async with notes.opened() as writer:
        writer.put(notes.stream, "row")
        writer.keep({"k": "kept"})

    assert notes.read() == ["row", "kept"]
    with pytest.raises(StorageError, match="not open"):
        writer.keep({"k": "late"})
    with pytest.raises(StorageError, match="not open"):
        await writer.settled()
    writer.put(notes.stream, "late")
    assert notes.stream.dropped == 1


async def test_closing_writes_more_than_one_batch(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, batch_operations=4))
    async with asyncio.TaskGroup() as group, notes.opened() as writer, held(writer):
        for number in range(10):
            group.create_task(writer.submit(note(str(number))))
        await asyncio.sleep(0)
    assert notes.read() == [str(n) for n in range(10)]


async def test_closing_a_database_that_refuses_says_so_and_tells_everybody(tmp_path: Path) -> None:
    notes = Notes(tmp_path, WriterSettings(window_s=0.0, linger_s=3600.0, batch_operations=3))
    notes.refusals = [disk_full() for _ in range(9)]
    await notes.writer.open()
    writer = notes.writer
    writer.keep({1: "kept", 2: "kept"})
    writer.put(notes.stream, "row")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(error_of(writer.submit(note(str(n))))) for n in range(9)]
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="disk is full"):
            await writer.close()

    assert [task.result() for task in tasks] == [
        "the database refused: database or disk is full"
    ] * 9
    assert writer.counters.lost == 3
    assert notes.read() == []


async def test_a_writer_that_dies_tells_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes(tmp_path)
    async with asyncio.TaskGroup() as group:
        await notes.writer.open()
        async with held(notes.writer):
            monkeypatch.setattr(notes.writer, "_write", None)
            waiting = group.create_task(error_of(notes.writer.submit(note("a"))))
            await asyncio.sleep(0)
        assert "not callable" in await waiting
        with pytest.raises(StorageError, match="not open"):
            await notes.writer.submit(note("b"))
        with pytest.raises(StorageError, match="not callable"):
            await notes.writer.close()


def test_a_loop_that_ends_before_the_writer_is_no_trouble(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    gate = Gate()

    async def leave() -> None:
        await notes.writer.open()
        notes.writer.keep({"k": "kept"})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await notes.writer.submit(gate)

    asyncio.run(leave())
    gate.let_go.set()
    while "kept" not in notes.read():
        gate.reached.wait(0.01)
    assert notes.read() == ["kept"]
