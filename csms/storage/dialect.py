"""Everything in which one database differs from another.

SQLite runs in WAL mode with synchronous=FULL: a committed row survives a power cut. Up to 3.51.2
its WAL can be damaged when two connections reset it at the same time, so exactly one connection
writes and checkpoints, and readers never do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Insert, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from csms.errors import StorageError

SQLITE = "sqlite"
_BUILDERS: dict[str, Callable[[Table], Any]] = {
    SQLITE: sqlite.insert,
    "postgresql": postgresql.insert,
}
_WAL_KEPT_BYTES = 64 * 1024 * 1024
# No room on the disk; or not under a quota or a bound on files, or not for the index of the WAL.
_SQLITE_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_POSTGRESQL_FULL = "53100"


def parse(url: str) -> URL:
    """A database URL; raises StorageError for one that cannot be used.

    A SQLite URL must name a file: a database in memory cannot be read and written by two
    connections, and `MemoryStore` is there for it.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StorageError(f"not a database URL: {url!r}") from error
    name = parsed.get_backend_name()
    if name not in _BUILDERS:
        raise StorageError(f"no such kind of database: {name}; there is {', '.join(_BUILDERS)}")
    if name == SQLITE:
        _check_file(parsed)
    return parsed


def _check_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StorageError("the SQLite URL names no file; write sqlite:///path/to/file.db")
    if url.query.get("uri"):
        return
    folder = Path(url.database).absolute().parent
    if not folder.is_dir():
        raise StorageError(f"the database folder {folder} does not exist")


def is_sqlite(url: URL) -> bool:
    """Whether the URL is one of SQLite."""
    return url.get_backend_name() == SQLITE


def file_of(url: URL) -> Path:
    """The file of a SQLite database, whatever name leads to it."""
    name = url.database or ""
    if url.query.get("uri"):
        name = name.removeprefix("file:").partition("?")[0]
    return Path(name).resolve()


def writer_engine(url: URL, *, busy_timeout_s: float = 5.0) -> Engine:
    """An engine for the one connection that writes. A transaction takes the write lock at once."""
    engine = _engine(url)
    if is_sqlite(url):

        def prepare(connection: DBAPIConnection, _record: object) -> None:
            _pragmas(
                connection,
                f"busy_timeout = {int(busy_timeout_s * 1000)}",
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                f"journal_size_limit = {_WAL_KEPT_BYTES}",
            )

        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def reader_engine(url: URL, *, busy_timeout_s: float = 5.0) -> Engine:
    """An engine for a connection that only reads, and never checkpoints."""
    engine = _engine(url)
    if is_sqlite(url):

        def prepare(connection: DBAPIConnection, _record: object) -> None:
            _pragmas(
                connection,
                f"busy_timeout = {int(busy_timeout_s * 1000)}",
                "wal_autocheckpoint = 0",
                "foreign_keys = ON",
                "query_only = ON",
            )

        event.listen(engine, "connect", prepare)
        return engine
    return engine.execution_options(postgresql_readonly=True)


def lock_engine(url: URL) -> Engine:
    """An engine for a connection that is kept open and in no transaction."""
    return _engine(url).execution_options(isolation_level="AUTOCOMMIT")


def _engine(url: URL) -> Engine:
    try:
        return create_engine(url, poolclass=NullPool)
    except (NoSuchModuleError, ArgumentError, ImportError) as error:
        raise StorageError(f"no driver for {url.render_as_string()}: {error}") from error


def _pragmas(connection: DBAPIConnection, *pragmas: str) -> None:
    """Leave transactions to us (the driver would begin them late, and not for DDL), then set."""
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
    except Exception:
        cursor.close()
        connection.close()
        raise
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock now: a transaction that starts by reading could never get it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def check_writer(connection: Connection) -> None:
    """Raise unless SQLite is in WAL mode and takes a write.

    WAL does not work on network file systems. A read-only file lets a transaction begin, and fails
    at the first write: better now than at the first session.
    """
    if connection.dialect.name != SQLITE:
        return
    with connection.begin():
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        if mode != "wal":
            raise StorageError(f"the file system does not take SQLite's WAL mode (it stays {mode})")
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")


@cache
def insert_or_replace(table: Table, dialect: str) -> Insert:
    """INSERT that overwrites the row of the same primary key."""
    statement = _BUILDERS[dialect](table)
    keys = [column.name for column in table.primary_key]
    others = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    replacing: Insert = statement.on_conflict_do_update(index_elements=keys, set_=others)
    return replacing


@cache
def insert_or_skip(table: Table, dialect: str) -> Insert:
    """INSERT that returns the primary key, or nothing at all when any unique key is taken."""
    inserting: Insert = (
        _BUILDERS[dialect](table).on_conflict_do_nothing().returning(*table.primary_key)
    )
    return inserting


def is_full(error: DBAPIError) -> bool:
    """Whether the database had no room for what was to be written."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code in _SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _POSTGRESQL_FULL


def storage_error(error: Exception, doing: str) -> StorageError:
    """The error in one readable line: what was being done and what the database said."""
    origin = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else None
    return StorageError(f"{doing}: {' '.join(str(origin or error).split())}")
