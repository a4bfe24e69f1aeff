"""SQL for credentials of chargers and for security events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from csms.ports import Credential, SecurityEvent, SecurityProfile
from csms.storage import dialect
from csms.storage.tables import credentials
from csms.storage.tables import security_events as table

_credentials = select(credentials).order_by(credentials.c.charger_id)
_insert = insert(table)
_newest = (
    select(
        table.c.at,
        table.c.kind,
        table.c.charger_id,
        table.c.address,
        table.c.text,
        table.c.event_id,
    )
    .order_by(table.c.event_id.desc())
    .limit(bindparam("limit"))
)
_newest_of = _newest.where(table.c.charger_id == bindparam("charger_id"))
_last = select(func.max(table.c.event_id)).scalar_subquery()
_surplus = (
    select(table.c.event_id)
    .where(table.c.event_id <= _last - bindparam("kept"))
    .order_by(table.c.event_id)
    .limit(bindparam("at_most"))
    .correlate(None)
)
_prune = delete(table).where(table.c.event_id.in_(_surplus))


def save_credential(connection: Connection, credential: Credential) -> None:
    """Insert or replace what a charger must show."""
    row = {
        **asdict(credential),
        "profile": int(credential.profile),
        "pending": list(credential.pending),
    }
    connection.execute(dialect.insert_or_replace(credentials, connection.dialect.name), row)


def load_credentials(connection: Connection) -> dict[str, Credential]:
    """Every credential by charger id."""
    return {
        row.charger_id: Credential(
            row.charger_id,
            SecurityProfile(row.profile),
            row.key,
            tuple(row.pending),
            row.common_name,
            row.changed_at,
        )
        for row in connection.execute(_credentials)
    }


def save_events(connection: Connection, rows: Sequence[SecurityEvent]) -> None:
    """Insert events, oldest first; the database numbers them."""
    names = ("at", "kind", "charger_id", "address", "text")
    connection.execute(_insert, [{name: getattr(row, name) for name in names} for row in rows])


def newest_events(
    connection: Connection, charger_id: str | None, limit: int, before: int | None
) -> list[SecurityEvent]:
    """The newest events, newest first."""
    asked: dict[str, object] = {"limit": max(0, limit)}
    query = _newest
    if charger_id is not None:
        query, asked["charger_id"] = _newest_of, charger_id
    if before is not None:
        query = query.where(table.c.event_id < before)
    return [SecurityEvent(*row) for row in connection.execute(query, asked)]


def prune_events(connection: Connection, kept: int, at_most: int) -> None:
    """Delete all but the newest `kept` events, not more than `at_most` at once."""
    connection.execute(_prune, {"kept": kept, "at_most": at_most})
