"""Whether the database takes a write, shown by one: a row that is committed each time."""

from __future__ import annotations

from sqlalchemy import Connection

from csms.storage import dialect
from csms.storage.tables import probes

THE_ONE = 1


def save(connection: Connection, at: float) -> None:
    """Write the row; there is one, which is replaced."""
    statement = dialect.insert_or_replace(probes, connection.dialect.name)
    connection.execute(statement, [{"probe_id": THE_ONE, "at": at}])
