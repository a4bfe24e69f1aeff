"""SQL for sessions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from csms.ports import StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from csms.storage import dialect
from csms.storage.tables import sessions

_START_KEY = ("charger_id", "connector_id", "id_token", "start_timestamp", "meter_start_wh")

_by_id = select(sessions).where(sessions.c.session_id == bindparam("session_id"))
_by_start = select(sessions).where(*(sessions.c[name] == bindparam(name) for name in _START_KEY))
_by_transaction = select(sessions).where(
    sessions.c.charger_id == bindparam("charger_id"),
    sessions.c.transaction_id == bindparam("transaction_id"),
)
_running = (
    select(sessions)
    .where(sessions.c.ended_at.is_(None))
    .order_by(sessions.c.started_at, sessions.c.session_id)
)
_ended = (
    select(sessions)
    .where(sessions.c.station_id == bindparam("station_id"), sessions.c.ended_at.is_not(None))
    .order_by(sessions.c.ended_at.desc(), sessions.c.session_id.desc())
    .limit(bindparam("limit"))
)
_ended_before = _ended.where(sessions.c.ended_at < bindparam("before"))
_end = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("key"), sessions.c.ended_at.is_(None))
    .values(
        ended_at=bindparam("ended_at"),
        meter_stop_wh=bindparam("meter_stop_wh"),
        reason=bindparam("reason"),
    )
)
_declare = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("key"))
    .values(vehicle_max_w=bindparam("vehicle_max_w"))
)
_meter = (
    update(sessions)
    .where(
        sessions.c.session_id == bindparam("key"),
        func.coalesce(sessions.c.meter_wh, sessions.c.meter_start_wh) <= bindparam("register_wh"),
    )
    .values(meter_wh=bindparam("register_wh"))
)


def start(connection: Connection, session: StoredSession) -> StoredSession | None:
    """Insert, or the session of the same start; None when one of its ids is taken by another.

    The unique key decides in one statement, so that two writers cannot both insert.
    """
    row = _row(session)
    inserting = dialect.insert_or_skip(sessions, connection.dialect.name)
    if connection.execute(inserting, row).first() is not None:
        return session
    found = connection.execute(_by_start, {name: row[name] for name in _START_KEY}).first()
    return None if found is None else _session(found)


def end(
    connection: Connection,
    session_id: str,
    *,
    ended_at: float,
    meter_stop_wh: int | None,
    reason: str,
) -> StoredSession | None:
    """End it unless it has ended; the session as it is then, None when there is none."""
    ending = {"ended_at": ended_at, "meter_stop_wh": meter_stop_wh, "reason": reason}
    connection.execute(_end, {"key": session_id, **ending})
    found = connection.execute(_by_id, {"session_id": session_id}).first()
    return None if found is None else _session(found)


def find(connection: Connection, charger_id: str, transaction_id: int) -> StoredSession | None:
    """The session of this charger with this transaction id."""
    key = {"charger_id": charger_id, "transaction_id": transaction_id}
    found = connection.execute(_by_transaction, key).first()
    return None if found is None else _session(found)


def running(connection: Connection) -> list[StoredSession]:
    """Every session that has not ended, oldest start first."""
    return [_session(row) for row in connection.execute(_running)]


def ended(
    connection: Connection, station_id: str, limit: int, before: float | None
) -> list[StoredSession]:
    """Ended sessions of a station, newest end first."""
    asked: dict[str, object] = {"station_id": station_id, "limit": max(0, limit)}
    if before is None:
        return [_session(row) for row in connection.execute(_ended, asked)]
    return [_session(row) for row in connection.execute(_ended_before, {**asked, "before": before})]


def declare_vehicle(connection: Connection, session_id: str, vehicle_max_w: int | None) -> None:
    """Keep what the vehicle can take."""
    connection.execute(_declare, {"key": session_id, "vehicle_max_w": vehicle_max_w})


def set_meters(connection: Connection, registers: dict[str, int]) -> None:
    """Keep the newest meter register, Wh, of each session; one never runs backward."""
    if registers:
        rows = [{"key": session_id, "register_wh": wh} for session_id, wh in registers.items()]
        connection.execute(_meter, rows)


def _row(session: StoredSession) -> dict[str, object]:
    row: dict[str, object] = {f.name: getattr(session, f.name) for f in fields(session)}
    del row["connector"]
    row["charger_id"], row["connector_id"] = session.connector
    row["id_status"] = session.id_status.value
    return row


def _session(row: Row[Any]) -> StoredSession:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    connector = ConnectorKey(values.pop("charger_id"), values.pop("connector_id"))
    id_status = TokenStatus(values.pop("id_status"))
    return StoredSession(connector=connector, id_status=id_status, **values)
