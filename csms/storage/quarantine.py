"""SQL for what could not be used."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, bindparam, delete, func, select

from csms.ports import Quarantined
from csms.storage import dialect
from csms.storage.tables import quarantine as table

_newest = (
    select(table.c.charger_id, table.c.at, table.c.action, table.c.reason, table.c.payload)
    .where(table.c.charger_id == bindparam("charger_id"))
    .order_by(table.c.quarantine_id.desc())
    .limit(bindparam("limit"))
)
_last = select(func.max(table.c.quarantine_id)).scalar_subquery()
_surplus = (
    select(table.c.quarantine_id)
    .where(table.c.quarantine_id <= _last - bindparam("kept"))
    .order_by(table.c.quarantine_id)
    .limit(bindparam("at_most"))
    .correlate(None)
)
_prune = delete(table).where(table.c.quarantine_id.in_(_surplus))


def save(connection: Connection, item: Quarantined) -> bool:
    """Insert it, unless the same of the same charger is there: False then."""
    row = {
        "charger_id": item.charger_id,
        "at": item.at,
        "action": item.action,
        "reason": item.reason,
        "payload": item.payload,
        "digest": _digest(item),
    }
    inserting = dialect.insert_or_skip(table, connection.dialect.name)
    return connection.execute(inserting, row).first() is not None


def newest(connection: Connection, charger_id: str, limit: int) -> list[Quarantined]:
    """The newest of a charger, oldest first."""
    asked = {"charger_id": charger_id, "limit": max(0, limit)}
    found = connection.execute(_newest, asked).all()
    return [Quarantined(*row) for row in reversed(found)]


def prune(connection: Connection, kept: int, at_most: int) -> None:
    """Delete all but the newest `kept`, not more than `at_most` at once."""
    connection.execute(_prune, {"kept": kept, "at_most": at_most})


def _digest(item: Quarantined) -> str:
    """What makes two of one charger the same; the parts cannot run into each other."""
    text = f"{item.action}\0{item.reason}\0{item.payload}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
