"""SQL for the ledger of limits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tuple_,
)

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.station.model import ConnectorKey, Limit, LimitSource
from csms.storage import dialect
from csms.storage.tables import limits as table

LedgerRow = tuple[str, Entry]

# Written out, not bound: a partial index serves only a condition that the planner can read.
_SUPERSEDED: ColumnElement[str] = literal_column(f"'{EntryState.SUPERSEDED.value}'")

_counting = (
    select(table)
    .where(table.c.station_id == bindparam("station_id"), table.c.state != _SUPERSEDED)
    .order_by(table.c.token)
)
_last_token = select(func.coalesce(func.max(table.c.token), 0))
_newer = table.alias("newer")
_last_of_station = (
    select(func.max(_newer.c.token))
    .where(_newer.c.station_id == table.c.station_id)
    .correlate(table)
    .scalar_subquery()
)
_settled = (
    select(table.c.station_id, table.c.token)
    .where(
        table.c.state == _SUPERSEDED,
        table.c.sent_at < bindparam("before"),
        func.coalesce(table.c.settled_at, table.c.sent_at) < bindparam("before"),
        table.c.token < _last_of_station,
    )
    .order_by(table.c.sent_at)
    .limit(bindparam("at_most"))
    .correlate(None)
)
_prune = delete(table).where(tuple_(table.c.station_id, table.c.token).in_(_settled))


def save(connection: Connection, rows: Collection[LedgerRow]) -> None:
    """Insert or replace entries by station and token."""
    if rows:
        replacing = dialect.insert_or_replace(table, connection.dialect.name)
        connection.execute(replacing, [_row(station_id, entry) for station_id, entry in rows])


def load(connection: Connection, station_id: str) -> list[Entry]:
    """Entries of a station that still count, in order of token."""
    found = connection.execute(_counting, {"station_id": station_id})
    return [_entry(row) for row in found]


def last_token(connection: Connection) -> int:
    """The largest token ever written, of any station; 0 when none was."""
    return int(connection.execute(_last_token).scalar_one())


def prune(connection: Connection, before: float, at_most: int) -> None:
    """Delete superseded entries settled before `before`, not more than `at_most`.

    The last token of each station stays, so that no token is ever given out twice.
    """
    connection.execute(_prune, {"before": before, "at_most": at_most})


def _row(station_id: str, entry: Entry) -> dict[str, object]:
    return {
        "station_id": station_id,
        "token": entry.token,
        "charger_id": entry.connector.charger_id,
        "connector_id": entry.connector.connector_id,
        "scope": entry.scope.value,
        "value_w": entry.limit.value_w,
        "source": entry.limit.source.value,
        "expires_at": entry.limit.expires_at,
        "state": entry.state.value,
        "sent_at": entry.sent_at,
        "settled_at": entry.settled_at,
        "session_id": entry.session_id,
        "counts_until": entry.counts_until,
        "after_w": entry.after_w,
        "stack_level": entry.stack_level,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        token=row.token,
        connector=ConnectorKey(row.charger_id, row.connector_id),
        scope=Scope(row.scope),
        limit=Limit(row.value_w, LimitSource(row.source), row.expires_at),
        state=EntryState(row.state),
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        session_id=row.session_id,
        counts_until=row.counts_until,
        after_w=row.after_w,
        stack_level=row.stack_level,
    )
