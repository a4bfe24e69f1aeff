"""A look into a database without opening the store: nothing is made, changed or locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from csms.storage import dialect
from csms.storage.stations import load_stations
from csms.storage.tables import id_tokens, stations


@dataclass(frozen=True, slots=True)
class Contents:
    """What a start depends on: the stations as kept, and how many id tokens there are."""

    stations: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    id_tokens: int = 0


def peek(url: str) -> Contents:
    """What is in the database; nothing when it is not there yet.

    Raises StorageError when the URL or the database cannot be used.
    """
    parsed = dialect.parse(url)
    if dialect.is_sqlite(parsed) and not _exists(parsed):
        return Contents()
    engine = dialect.reader_engine(parsed)
    try:
        with engine.connect() as connection:
            return _contents(connection)
    except SQLAlchemyError as error:
        raise dialect.storage_error(error, f"cannot read {parsed.render_as_string()}") from error
    finally:
        engine.dispose()


def _exists(url: URL) -> bool:
    return bool(url.query.get("uri")) or Path(url.database or "").exists()


def _contents(connection: Connection) -> Contents:
    there = inspect(connection)
    if not there.has_table(stations.name) or not there.has_table(id_tokens.name):
        return Contents()
    count = connection.execute(select(func.count()).select_from(id_tokens)).scalar_one()
    return Contents(load_stations(connection), count)
