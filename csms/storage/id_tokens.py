"""SQL for id tokens, found by their folded names, and for the lists of them chargers hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, or_, select

from csms.ports import IdToken, TokenStatus
from csms.station.tokens import Concurrency
from csms.storage import dialect
from csms.storage.tables import id_tokens as table
from csms.storage.tables import local_lists

_by_name = select(table).where(table.c.folded == bindparam("folded"))
_page = (
    select(table)
    .where(table.c.folded > bindparam("after"))
    .order_by(table.c.folded)
    .limit(bindparam("limit"))
)
_group = (
    select(table)
    .where(or_(table.c.folded == bindparam("group"), table.c.parent_folded == bindparam("group")))
    .order_by(table.c.folded)
)
_local_list = select(local_lists.c.document).where(
    local_lists.c.charger_id == bindparam("charger_id")
)
_remove = delete(table).where(table.c.folded == bindparam("key"))


def save(connection: Connection, tokens: Sequence[IdToken], *, replace: bool = True) -> int:
    """Insert, and replace those of the same names or leave them; how many were saved."""
    rows = [_row(token) for token in tokens]
    if replace:
        replacing = dialect.insert_or_replace(table, connection.dialect.name)
        for row in rows:
            connection.execute(replacing, row)
        return len(rows)
    adding = dialect.insert_or_skip(table, connection.dialect.name)
    return sum(connection.execute(adding, row).first() is not None for row in rows)


def fill(connection: Connection, tokens: Sequence[IdToken]) -> None:
    """Add tokens that are not there; take away what an earlier fill added and nobody saved."""
    rows = [_row(token, filled=True) for token in tokens]
    names = [row["folded"] for row in rows]
    connection.execute(delete(table).where(table.c.filled, table.c.folded.not_in(names)))
    adding = dialect.insert_or_skip(table, connection.dialect.name)
    for row in rows:
        connection.execute(adding, row)


def load(connection: Connection, id_token: str) -> IdToken | None:
    """The token, whatever the case of its letters."""
    found = connection.execute(_by_name, {"folded": id_token.casefold()}).first()
    return None if found is None else _token(found)


def page(connection: Connection, limit: int, after: str) -> list[IdToken]:
    """Tokens in the order of their names, those that come after this name."""
    asked = {"limit": max(0, limit), "after": after.casefold()}
    return [_token(row) for row in connection.execute(_page, asked)]


def group(connection: Connection, parent_id_token: str) -> list[IdToken]:
    """The token of this name and every one that has it as its parent."""
    found = connection.execute(_group, {"group": parent_id_token.casefold()})
    return [_token(row) for row in found]


def remove(connection: Connection, id_token: str) -> bool:
    """Delete the token; whether there was one."""
    return connection.execute(_remove, {"key": id_token.casefold()}).rowcount > 0


def save_local_list(connection: Connection, charger_id: str, document: Mapping[str, Any]) -> None:
    """Insert or replace what is in a charger's local list."""
    connection.execute(
        dialect.insert_or_replace(local_lists, connection.dialect.name),
        {"charger_id": charger_id, "document": dict(document)},
    )


def load_local_list(connection: Connection, charger_id: str) -> dict[str, Any] | None:
    """What is in a charger's local list, or None."""
    found: dict[str, Any] | None = connection.execute(
        _local_list, {"charger_id": charger_id}
    ).scalar_one_or_none()
    return found


def _row(token: IdToken, *, filled: bool = False) -> dict[str, object]:
    parent = token.parent_id_token
    return {
        **asdict(token),
        "status": token.status.value,
        "concurrency": token.concurrency.value,
        "folded": token.id_token.casefold(),
        "parent_folded": None if parent is None else parent.casefold(),
        "filled": filled,
    }


def _token(row: Row[Any]) -> IdToken:
    return IdToken(
        row.id_token,
        TokenStatus(row.status),
        row.expires_at,
        row.parent_id_token,
        Concurrency(row.concurrency),
    )
