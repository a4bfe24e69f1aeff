from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from csms.errors import StorageError
from csms.storage import dialect
from csms.storage.tables import sessions, stations
from tests.unit.csms.storage.databases import on_postgresql, url_in


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("", "not a database URL"),
        ("csms.db", "not a database URL"),
        ("mysql://host/csms", "no such kind of database: mysql; there is sqlite, postgresql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////no/such/folder/csms.db", "the database folder /no/such/folder does not exist"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, wrong: str) -> None:
    with pytest.raises(StorageError, match=wrong):
        dialect.parse(url)


def test_urls_that_can_be_used(tmp_path: Path) -> None:
    assert dialect.is_sqlite(dialect.parse(url_in(tmp_path)))
    assert dialect.is_sqlite(dialect.parse(f"sqlite:///file:{tmp_path}/a.db?mode=ro&uri=true"))
    assert not dialect.is_sqlite(dialect.parse("postgresql+psycopg://user:secret@host/csms"))


def test_a_missing_driver_is_a_readable_error_without_the_password() -> None:
    url = dialect.parse("postgresql+nodriver://user:secret@host/csms")

    with pytest.raises(StorageError, match="no driver for postgresql") as caught:
        dialect.writer_engine(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL
        ("foreign_keys", 1),
        ("busy_timeout", 1500),
        ("query_only", 0),
        ("wal_autocheckpoint", 1000),
        ("journal_size_limit", 67_108_864),
    ],
)
def test_how_the_writer_is_set(tmp_path: Path, pragma: str, value: object) -> None:
    engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)), busy_timeout_s=1.5)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value
    engine.dispose()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("query_only", 1),
        ("wal_autocheckpoint", 0),
        ("busy_timeout", 250),
        ("foreign_keys", 1),
    ],
)
def test_how_the_reader_is_set(tmp_path: Path, pragma: str, value: object) -> None:
    engine = dialect.reader_engine(dialect.parse(url_in(tmp_path)), busy_timeout_s=0.25)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value
    engine.dispose()


def test_the_reader_cannot_write(tmp_path: Path) -> None:
    engine = dialect.reader_engine(dialect.parse(url_in(tmp_path)))
    with (
        engine.connect() as connection,
        pytest.raises(OperationalError, match="attempt to write a readonly database"),
    ):
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
    engine.dispose()


def test_a_writers_transaction_takes_the_lock_at_once_and_takes_ddl_back(tmp_path: Path) -> None:
    url = dialect.parse(url_in(tmp_path))
    one = dialect.writer_engine(url, busy_timeout_s=0.01)
    with one.connect() as first, one.connect() as second:
        with first.begin() as transaction:
            first.exec_driver_sql("CREATE TABLE t (x INTEGER)")
            with pytest.raises(OperationalError, match="locked"), second.begin():
                pytest.fail("two transactions at once")
            transaction.rollback()
        with second.begin():
            tables = second.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one()
        assert tables == 0
    one.dispose()


def test_a_failed_connect_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "csms.db").write_bytes(b"this is a text file, and not a short one\n" * 30)
    engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)))

    with pytest.raises(Exception, match="file is not a database"):
        engine.connect()

    engine.dispose()


def test_only_sqlite_is_asked_for_its_wal(tmp_path: Path) -> None:
    engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)))
    with engine.connect() as connection:
        dialect.check_writer(connection)
        with connection.begin():
            connection.execute(text("SELECT 1"))
    engine.dispose()


def test_a_database_without_wal_is_refused(tmp_path: Path) -> None:
    """A reader's engine leaves a new file in SQLite's default mode."""
    engine = dialect.reader_engine(dialect.parse(url_in(tmp_path)))
    with (
        engine.connect() as connection,
        pytest.raises(StorageError, match=r"WAL mode \(it stays delete\)"),
    ):
        dialect.check_writer(connection)
    engine.dispose()


def test_replacing_on_postgresql() -> None:
    written = on_postgresql(dialect.insert_or_replace(stations, "postgresql"))

    assert written.startswith("INSERT INTO stations (station_id, document, updated_at) VALUES")
    assert written.endswith(
        " ON CONFLICT (station_id) DO UPDATE"
        " SET document = excluded.document, updated_at = excluded.updated_at"
    )


def test_skipping_on_postgresql() -> None:
    written = on_postgresql(dialect.insert_or_skip(sessions, "postgresql"))

    assert written.endswith("ON CONFLICT DO NOTHING RETURNING sessions.session_id")


def test_a_full_disk_is_told_from_other_errors(tmp_path: Path) -> None:
    engine = dialect.writer_engine(dialect.parse(url_in(tmp_path)))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(OperationalError, match="database or disk is full") as full:
            connection.exec_driver_sql("CREATE TABLE t (a)")
        with pytest.raises(OperationalError) as other:
            connection.exec_driver_sql("SELECT * FROM nothing")

    class DiskFull(Exception):  # noqa: N818 - as psycopg calls it
        sqlstate = "53100"

    assert dialect.is_full(full.value)
    assert not dialect.is_full(other.value)
    assert dialect.is_full(OperationalError("INSERT", {}, DiskFull()))
    assert not dialect.is_full(OperationalError("INSERT", {}, Exception("locked")))


def test_the_file_of_a_database_whatever_leads_to_it(tmp_path: Path) -> None:
    (tmp_path / "csms.db").touch()
    (tmp_path / "other.db").symlink_to(tmp_path / "csms.db")
    urls = (url_in(tmp_path), f"sqlite:///file:{tmp_path}/other.db?mode=rw&uri=true")
    found = {dialect.file_of(dialect.parse(url)) for url in urls}
    assert found == {(tmp_path / "csms.db").resolve()}


def test_an_error_is_one_readable_line() -> None:
    error = OperationalError("INSERT secret", {"password": "x"}, Exception("disk\n is  full"))

    shown = dialect.storage_error(error, "cannot save")

    assert str(shown) == "cannot save: disk is full"
    assert str(dialect.storage_error(ValueError("bad"), "doing")) == "doing: bad"
