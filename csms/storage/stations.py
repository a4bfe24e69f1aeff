"""SQL for station documents, charger records and id tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, select

from csms.ports import ChargerRecord, IdToken, TokenStatus
from csms.storage import dialect
from csms.storage.tables import chargers, id_tokens, stations

_documents = select(stations.c.station_id, stations.c.document).order_by(stations.c.station_id)
_chargers = select(chargers).order_by(chargers.c.charger_id)
_token = select(id_tokens).where(id_tokens.c.folded == bindparam("folded"))


def save_station(
    connection: Connection, station_id: str, document: Mapping[str, Any], at: float | None
) -> None:
    """Insert or replace a document; `at` is now, None when the time is not known."""
    connection.execute(
        dialect.insert_or_replace(stations, connection.dialect.name),
        {"station_id": station_id, "document": dict(document), "updated_at": at},
    )


def load_stations(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every document by station id."""
    return {row.station_id: row.document for row in connection.execute(_documents)}


def save_charger(connection: Connection, record: ChargerRecord) -> None:
    """Insert or replace a charger record."""
    replacing = dialect.insert_or_replace(chargers, connection.dialect.name)
    connection.execute(replacing, asdict(record))


def load_chargers(connection: Connection) -> dict[str, ChargerRecord]:
    """Every charger record by charger id."""
    found = connection.execute(_chargers)
    return {row.charger_id: ChargerRecord(**row._mapping) for row in found}  # noqa: SLF001


def save_token(connection: Connection, token: IdToken) -> None:
    """Insert or replace a token, whatever the case of its letters."""
    row = {**asdict(token), "status": token.status.value, "folded": token.id_token.casefold()}
    connection.execute(dialect.insert_or_replace(id_tokens, connection.dialect.name), row)


def load_token(connection: Connection, id_token: str) -> IdToken | None:
    """The token, whatever the case of its letters."""
    found = connection.execute(_token, {"folded": id_token.casefold()}).first()
    if found is None:
        return None
    return IdToken(
        found.id_token, TokenStatus(found.status), found.expires_at, found.parent_id_token
    )
