"""SQL for sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import reduce
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from csms.ports import StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from csms.station.register import Register
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
_never_stopped = (
    sessions.c.charger_id == bindparam("charger_id"),
    sessions.c.stop_timestamp.is_(None),
)
_unfinished = (
    select(sessions)
    .where(*_never_stopped, sessions.c.ended_at.is_(None))
    .order_by(sessions.c.started_at.desc(), sessions.c.session_id.desc())
    .limit(bindparam("limit"))
)
_presumed = (
    select(sessions)
    .where(*_never_stopped, sessions.c.ended_at.is_not(None))
    .order_by(
        sessions.c.ended_at.desc(), sessions.c.started_at.desc(), sessions.c.session_id.desc()
    )
    .limit(bindparam("limit"))
)
_stopped = (
    select(sessions)
    .where(
        sessions.c.charger_id == bindparam("charger_id"),
        sessions.c.stop_timestamp == bindparam("stop_timestamp"),
    )
    .order_by(sessions.c.started_at, sessions.c.session_id)
)
_ending: dict[str, Any] = {
    name: bindparam(name) for name in ("ended_at", "meter_stop_wh", "reason", "stop_timestamp")
}
_stop = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("key"), sessions.c.stop_timestamp.is_(None))
    .values(**_ending)
)
_presume = _stop.where(sessions.c.ended_at.is_(None))
_declare = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("key"))
    .values(vehicle_max_w=bindparam("vehicle_max_w"))
)
_METERS = ("meter_wh", "meter_before_wh", "meter_fresh_from_wh", "meter_fresh_wh")
_unread = _by_id.where(sessions.c.meter_stop_wh.is_(None))
_meter = (
    update(sessions)
    .where(sessions.c.session_id == bindparam("key"))
    .values(**{name: bindparam(name) for name in _METERS})
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
    timestamp: str | None,
) -> StoredSession | None:
    """End it unless it has ended; the session as it is then, None when there is none.

    The first stop decides, also over an end that was only presumed (`timestamp` None).
    """
    ending = {
        "ended_at": ended_at,
        "meter_stop_wh": meter_stop_wh,
        "reason": reason,
        "stop_timestamp": timestamp,
    }
    statement = _presume if timestamp is None else _stop
    connection.execute(statement, {"key": session_id, **ending})
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


def unfinished(connection: Connection, charger_id: str, limit: int) -> list[StoredSession]:
    """Sessions of a charger that were never stopped: first those that run, newest start first."""
    asked = {"charger_id": charger_id, "limit": max(0, limit)}
    rows = [row for query in (_unfinished, _presumed) for row in connection.execute(query, asked)]
    return [_session(row) for row in rows[: max(0, limit)]]


def stopped(connection: Connection, charger_id: str, timestamp: str) -> list[StoredSession]:
    """Sessions of a charger whose stop bore this time as sent, oldest start first."""
    asked = {"charger_id": charger_id, "stop_timestamp": timestamp}
    return [_session(row) for row in connection.execute(_stopped, asked)]


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


def read_meters(connection: Connection, readings: Mapping[str, Sequence[int]]) -> None:
    """Add to what the readings of each session, Wh in order, have come to.

    A session whose stop named its last reading takes no more.
    """
    rows = []
    for session_id, registers in readings.items():
        found = connection.execute(_unread, {"session_id": session_id}).first()
        if found is None:
            continue
        session = _session(found)
        metered = session.metered(reduce(Register.read, registers, session.register))
        rows.append({"key": session_id} | {name: getattr(metered, name) for name in _METERS})
    if rows:
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
