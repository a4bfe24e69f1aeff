"""SQL for the log of frames."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from csms.ports import Frame
from csms.storage.tables import frames as table

_insert = insert(table)
_newest = (
    select(table.c.charger_id, table.c.at, table.c.inbound, table.c.text)
    .where(table.c.charger_id == bindparam("charger_id"))
    .order_by(table.c.frame_id.desc())
    .limit(bindparam("limit"))
)
_last = select(func.max(table.c.frame_id)).scalar_subquery()
_surplus = (
    select(table.c.frame_id)
    .where(table.c.frame_id <= _last - bindparam("kept"))
    .order_by(table.c.frame_id)
    .limit(bindparam("at_most"))
    .correlate(None)
)
_prune = delete(table).where(table.c.frame_id.in_(_surplus))


def save(connection: Connection, rows: Sequence[Frame]) -> None:
    """Insert frames, oldest first."""
    connection.execute(
        _insert,
        [
            {"charger_id": f.charger_id, "at": f.at, "inbound": f.inbound, "text": f.text}
            for f in rows
        ],
    )


def newest(connection: Connection, charger_id: str, limit: int) -> list[Frame]:
    """The newest frames of a charger, oldest first."""
    asked = {"charger_id": charger_id, "limit": max(0, limit)}
    found = connection.execute(_newest, asked).all()
    return [Frame(*row) for row in reversed(found)]


def prune(connection: Connection, kept: int, at_most: int) -> None:
    """Delete all but the newest `kept` frames, not more than `at_most` at once."""
    connection.execute(_prune, {"kept": kept, "at_most": at_most})
