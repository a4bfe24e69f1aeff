"""A database of its own for each test of the SQL modules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import ClauseElement

from csms.storage.tables import metadata


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/csms.db"


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection to a database in memory that has all the tables and no rows."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def plan(connection: Connection, statement: ClauseElement) -> str:
    """How SQLite would run the statement, in one line."""
    compiled: Any = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    values = dict.fromkeys(compiled.params, 1)
    found = connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"), values)
    return " | ".join(row.detail for row in found)


def on_postgresql(statement: ClauseElement) -> str:
    """The statement as PostgreSQL gets it, in one line."""
    compiled = statement.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    return " ".join(str(compiled).split())
