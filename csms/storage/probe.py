"""Whether the database takes a write, shown by one: a row that is committed each time."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import URL, Connection

from csms.storage import dialect
from csms.storage.tables import probes

THE_ONE = 1


def save(connection: Connection, at: float) -> None:
    """Write the row; there is one, which is replaced."""
    statement = dialect.insert_or_replace(probes, connection.dialect.name)
    connection.execute(statement, [{"probe_id": THE_ONE, "at": at}])


def free_share(url: URL) -> float | None:
    """How much of the disk of a SQLite database is free, 0 to 1; None where that cannot be told."""
    if not dialect.is_sqlite(url) or not url.database:
        return None
    try:
        usage = shutil.disk_usage(Path(url.database.removeprefix("file:")).absolute().parent)
    except OSError:
        return None
    return usage.free / usage.total if usage.total else None
