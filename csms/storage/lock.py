"""One process per database: two would each keep a ledger of the same grid connection.

The lock is held as long as the store is open, and ends with its process however that dies. SQLite:
flock on a file beside the database. The file stays there, as two processes could otherwise each
lock a file of that name. PostgreSQL: an advisory lock of the session of one connection.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.exc import SQLAlchemyError

from csms.errors import StorageError
from csms.storage import dialect

SUFFIX = "-lock"
# Any number that no other program takes for its own lock in this database.
ADVISORY_KEY = 0x6373_6D73
_PID_BYTES = 20

Release = Callable[[], None]


def acquire(url: URL) -> Release:
    """Take the lock; returns what gives it back. Raises StorageError when another one has it."""
    return _lock_file(url) if dialect.is_sqlite(url) else _lock_session(url)


@contextmanager
def held(url: URL) -> Iterator[None]:
    """Hold the lock for a block. Raises as `acquire` does."""
    release = acquire(url)
    try:
        yield
    finally:
        release()


def _in_use(url: URL, holder: str = "") -> StorageError:
    return StorageError(
        f"{url.render_as_string()} is in use by another csms{holder}; one process at a time may "
        "serve a database"
    )


def lock_file(url: URL) -> Path:
    """The file beside a SQLite database that is locked, whatever name leads to the database."""
    path = dialect.file_of(url)
    return path.with_name(path.name + SUFFIX)


def _lock_file(url: URL) -> Release:
    path = lock_file(url)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StorageError(f"cannot lock {url.render_as_string()}: {error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
    except BlockingIOError:
        holder = os.read(file, _PID_BYTES).decode(errors="replace").strip()
        os.close(file)
        raise _in_use(url, f" (process {holder})" if holder else "") from None
    except OSError as error:
        os.close(file)
        raise StorageError(f"cannot lock {url.render_as_string()}: {error}") from error
    return lambda: os.close(file)


def _lock_session(url: URL) -> Release:
    try:
        connection = dialect.lock_engine(url).connect()
    except SQLAlchemyError as error:
        raise dialect.storage_error(error, f"cannot open {url.render_as_string()}") from error
    try:
        asked = text("SELECT pg_try_advisory_lock(:key)")
        taken = connection.execute(asked, {"key": ADVISORY_KEY}).scalar_one()
    except SQLAlchemyError as error:
        connection.close()
        raise dialect.storage_error(error, f"cannot lock {url.render_as_string()}") from error
    if not taken:
        connection.close()
        raise _in_use(url)
    return connection.close
