"""What only the SQL store does; the contract suite tests the rest."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import StorageError
from csms.ports import Frame, Losses, Store, StoredSession, TokenStatus
from csms.station.facts import MeterSample
from csms.station.model import ConnectorKey, Limit, LimitSource
from csms.storage import SqlSettings, SqlStore, dialect, migrate, tables
from tests.unit.csms.storage.databases import url_in

KEY = ConnectorKey("CP1", 1)
DAY_S = 86_400.0


class FixedClock:
    def now(self) -> float:
        return 1_700_000_000.5

    def monotonic(self) -> float:
        return 0.0


@asynccontextmanager
async def opened(store: SqlStore) -> AsyncIterator[SqlStore]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def entry(token: int, state: EntryState, sent_at: float) -> Entry:
    return Entry(token, KEY, Scope.DEFAULT, Limit(1, LimitSource.GRID), state, sent_at, sent_at)


def rows(folder: Path, query: str) -> list[object]:
    """The first column of what another connection sees."""
    connection = sqlite3.connect(folder / "csms.db")
    try:
        return [row[0] for row in connection.execute(query)]
    finally:
        connection.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_it_is_a_store(tmp_path: Path) -> None:
    store: Store = SqlStore(url_in(tmp_path))
    assert isinstance(store, SqlStore)


# ---------------------------------------------------------------------- opening


async def test_opening_makes_the_database(tmp_path: Path) -> None:
    async with opened(SqlStore(url_in(tmp_path))):
        assert rows(tmp_path, "SELECT version_num FROM alembic_version") == ["0012"]


async def test_opening_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=rf"the database folder {tmp_path}/no does not exist"):
        await SqlStore(f"sqlite:///{tmp_path}/no/csms.db").open()


async def test_a_folder_that_goes_before_opening(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    store = SqlStore(url_in(folder))
    folder.rmdir()

    with pytest.raises(StorageError, match=r"cannot lock sqlite:///.*No such file or directory"):
        await store.open()


async def test_opening_what_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "csms.db").write_text("the quick brown fox\n" * 100)

    with pytest.raises(StorageError, match=r"cannot open sqlite:///.*: file is not a database"):
        await SqlStore(url_in(tmp_path)).open()


async def test_opening_a_folder(tmp_path: Path) -> None:
    (tmp_path / "csms.db").mkdir()

    with pytest.raises(StorageError, match="unable to open database file"):
        await SqlStore(url_in(tmp_path)).open()


async def test_opening_a_locked_database(tmp_path: Path) -> None:
    migrate(url_in(tmp_path))
    other = sqlite3.connect(tmp_path / "csms.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = SqlStore(url_in(tmp_path), settings=SqlSettings(busy_timeout_s=0.01))

    with pytest.raises(StorageError, match="database is locked"):
        await store.open()

    other.execute("ROLLBACK")
    other.close()
    async with opened(store):
        assert await store.running() == []


async def test_opening_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    migrate(url_in(tmp_path))

    with pytest.raises(StorageError, match="attempt to write a readonly database"):
        await SqlStore(f"sqlite:///file:{tmp_path}/csms.db?mode=ro&uri=true").open()


async def test_opening_a_newer_database(tmp_path: Path) -> None:
    migrate(url_in(tmp_path))
    other = sqlite3.connect(tmp_path / "csms.db")
    other.execute("UPDATE alembic_version SET version_num = '0999'")
    other.commit()
    other.close()

    with pytest.raises(StorageError, match="made by a newer version of csms"):
        await SqlStore(url_in(tmp_path)).open()


async def test_a_store_that_is_open_is_not_opened_again(tmp_path: Path) -> None:
    async with opened(SqlStore(url_in(tmp_path))) as store:
        with pytest.raises(StorageError, match="already open"):
            await store.open()
        assert await store.running() == []


async def test_a_reader_that_cannot_be_opened_closes_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("no reader")

    store = SqlStore(url_in(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(dialect, "reader_engine", fail)
        with pytest.raises(StorageError, match="no reader"):
            await store.open()

    async with opened(store):
        assert await store.running() == []


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    store = SqlStore(url_in(tmp_path))
    store.sample("a", MeterSample(KEY, at=0.0))
    store.frame(Frame("CP1", 0.0, inbound=True, text=""))

    with pytest.raises(StorageError, match="not open"):
        await store.running()
    with pytest.raises(StorageError, match="not open"):
        await store.declare_vehicle("a", 1)
    with pytest.raises(StorageError, match="not open"):
        store.write_later("site", [entry(1, EntryState.SENT, 0.0)])
    done = store.statistics()
    assert (done.dropped_samples, done.dropped_frames, done.commits) == (1, 1, 0)
    assert store.losses() == Losses(samples=1, frames=1, rows=0)


async def test_closing_leaves_the_database_and_its_lock_file_and_no_wal(tmp_path: Path) -> None:
    async with opened(SqlStore(url_in(tmp_path))) as store:
        await store.declare_vehicle("a", 1)
        assert names_in(tmp_path) == ["csms.db", "csms.db-lock", "csms.db-shm", "csms.db-wal"]

    assert names_in(tmp_path) == ["csms.db", "csms.db-lock"]


# ---------------------------------------------------------------------- time and retention


async def test_a_document_has_the_time_of_the_clock(tmp_path: Path) -> None:
    query = "SELECT updated_at FROM stations"
    async with opened(SqlStore(url_in(tmp_path))) as store:
        await store.save_station("site", {})
        assert rows(tmp_path, query) == [None]
    async with opened(SqlStore(url_in(tmp_path), clock=FixedClock())) as store:
        await store.save_station("site", {})
        assert rows(tmp_path, query) == [1_700_000_000.5]


async def test_superseded_limits_go_after_their_time(tmp_path: Path) -> None:
    settings = SqlSettings(limits_kept_s=10 * DAY_S)
    async with opened(SqlStore(url_in(tmp_path), settings=settings)) as store:
        await store.write("site", [entry(n, EntryState.SUPERSEDED, n * DAY_S) for n in range(5)])
        await store.write("site", [entry(5, EntryState.SENT, 5 * DAY_S)])
    async with opened(SqlStore(url_in(tmp_path), settings=settings)) as store:
        store.write_later("site", [entry(6, EntryState.SENT, 12.5 * DAY_S)])
        assert [e.token for e in await store.load("site")] == [5, 6]
        assert rows(tmp_path, "SELECT token FROM limits ORDER BY token") == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("settings", "left"),
    [(SqlSettings(), [300, 700]), (SqlSettings(samples_kept_s=350 * DAY_S), [700])],
)
async def test_samples_go_after_their_time(
    tmp_path: Path, settings: SqlSettings, left: list[int]
) -> None:
    async with opened(SqlStore(url_in(tmp_path), settings=settings)) as store:
        for day in (100, 299, 300, 700):
            store.sample("a", MeterSample(KEY, at=day * DAY_S))
        assert [s.at for s in await store.samples("a")] == [day * DAY_S for day in left]


async def test_frames_are_pruned_by_a_process_that_is_often_restarted(tmp_path: Path) -> None:
    settings = SqlSettings(frames_kept=100)
    for start in range(0, 150, 5):
        async with opened(SqlStore(url_in(tmp_path), settings=settings)) as store:
            for number in range(start, start + 5):
                store.frame(Frame("CP1", float(number), inbound=True, text=""))

    assert rows(tmp_path, "SELECT count(*) FROM frames") == [100]
    assert rows(tmp_path, "SELECT min(at) FROM frames") == [50.0]


# ---------------------------------------------------------------------- oddities


async def test_a_hostile_text_costs_no_session(tmp_path: Path) -> None:
    odd = StoredSession(
        "a", 1, "site", KEY, "\ud800", TokenStatus.INVALID, 0.0, 0, "'\0; DROP TABLE sessions"
    )
    async with opened(SqlStore(url_in(tmp_path))) as store:
        await store.start(odd)
        assert (await store.start(odd)).session_id == "a"
        assert len(await store.running()) == 1


async def test_what_was_done_is_counted(tmp_path: Path) -> None:
    async with opened(SqlStore(url_in(tmp_path))) as store:
        await store.declare_vehicle("a", 1)
        store.frame(Frame("CP1", 0.0, inbound=True, text=""))
        await store.frames("CP1")
        done = store.statistics()

    assert (done.commits, done.operations, done.rows) == (2, 2, 1)
    assert (done.failed, done.refused, done.lost) == (0, 0, 0)


async def test_reads_see_what_another_process_wrote(tmp_path: Path) -> None:
    async with opened(SqlStore(url_in(tmp_path))) as store:
        assert await store.load_stations() == {}
        engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)))
        with engine.begin() as connection:
            connection.execute(
                tables.stations.insert(), {"station_id": "site", "document": {"a": 1}}
            )
            assert connection.execute(select(tables.stations.c.station_id)).scalar() == "site"
        engine.dispose()
        assert await store.load_stations() == {"site": {"a": 1}}
