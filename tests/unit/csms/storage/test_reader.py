from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from csms.errors import StorageError
from csms.storage import dialect
from csms.storage.reader import Reader
from tests.unit.csms.storage.databases import url_in


def one(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[], Connection]:
    return dialect.reader_engine(dialect.parse(url_in(tmp_path))).connect


@pytest.fixture
async def reader(connect: Callable[[], Connection]) -> AsyncIterator[Reader]:
    made = Reader(connect, waiting_reads=3)
    await made.open()
    yield made
    await made.close()


async def test_a_question_is_answered_in_the_reading_thread(reader: Reader) -> None:
    names = await reader.read(lambda _: threading.current_thread().name)

    assert names == "csms-reader_0"
    assert await reader.read(one) == 1


async def test_each_question_sees_what_was_committed_before_it(
    reader: Reader, tmp_path: Path
) -> None:
    def count(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one())

    engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)))
    with engine.connect() as connection:
        with connection.begin():
            connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        assert await reader.read(count) == 0
        with connection.begin():
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
            assert await reader.read(count) == 0
        assert await reader.read(count) == 1
    engine.dispose()


async def test_a_database_error_is_readable_and_the_next_question_is_answered(
    reader: Reader,
) -> None:
    with pytest.raises(StorageError, match="cannot read from the database: no such table: none"):
        await reader.read(lambda c: c.exec_driver_sql("SELECT * FROM none").all())

    assert await reader.read(one) == 1


async def test_too_many_questions_are_refused(reader: Reader) -> None:
    gate = threading.Event()

    async def ask() -> bool:
        return await reader.read(lambda _: gate.wait(10))

    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StorageError, match="3 questions wait"):
            await reader.read(one)
        gate.set()

    assert [task.result() for task in asked] == [True, True, True]
    assert await reader.read(one) == 1


async def test_a_question_that_nobody_waits_for_counts_until_its_turn(reader: Reader) -> None:
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(reader.read(lambda _: gate.wait(10))) for _ in range(3)]
        await asyncio.sleep(0)
        for task in asked:
            task.cancel()
    with pytest.raises(StorageError, match="3 questions wait"):
        await reader.read(one)
    gate.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await reader.read(one) == 1
            except StorageError:
                await asyncio.sleep(0)
            else:
                return


async def test_a_closed_reader_answers_nothing(connect: Callable[[], Connection]) -> None:
    reader = Reader(connect)
    with pytest.raises(StorageError, match="not open"):
        await reader.read(one)
    await reader.open()
    await reader.close()
    with pytest.raises(StorageError, match="not open"):
        await reader.read(one)
    await reader.close()


async def test_open_raises_what_connecting_raises() -> None:
    def fail() -> Connection:
        raise StorageError("no database")

    reader = Reader(fail)
    with pytest.raises(StorageError, match="no database"):
        await reader.open()
    with pytest.raises(StorageError, match="not open"):
        await reader.read(one)
