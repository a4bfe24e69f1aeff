from __future__ import annotations

import pytest
from sqlalchemy import func, select

from csms.ports import StoredSession, TokenStatus
from csms.station.model import ConnectorKey
from csms.storage import sessions, tables
from tests.unit.csms.storage.databases import connected, plan


def session(session_id: str, transaction_id: int, timestamp: str = "2024") -> StoredSession:
    return StoredSession(
        session_id,
        transaction_id,
        "site",
        ConnectorKey("CP1", 1),
        "TAG",
        TokenStatus.ACCEPTED,
        5.0,
        100,
        timestamp,
    )


def test_a_repeated_start_inserts_nothing() -> None:
    with connected() as connection:
        first = sessions.start(connection, session("a", 1))
        again = sessions.start(connection, session("b", 2))
        rows = connection.execute(select(func.count()).select_from(tables.sessions)).scalar_one()

    assert first == again == session("a", 1)
    assert rows == 1


@pytest.mark.parametrize("other", [session("a", 2, "2025"), session("b", 1, "2025")])
def test_a_taken_id_gives_none_and_inserts_nothing(other: StoredSession) -> None:
    with connected() as connection:
        sessions.start(connection, session("a", 1))
        assert sessions.start(connection, other) is None
        assert sessions.running(connection) == [session("a", 1)]


def test_a_token_that_no_database_takes_as_it_is_still_has_one_start_key() -> None:
    with connected() as connection:
        one = StoredSession(
            "a",
            1,
            "site",
            ConnectorKey("CP1", 1),
            "\ud800\0",
            TokenStatus.INVALID,
            5.0,
            0,
            "\udfff",
        )
        assert sessions.start(connection, one) == one
        again = sessions.start(connection, one)

    assert again is not None
    assert (again.session_id, again.id_token, again.start_timestamp) == ("a", "?\ufffd", "?")


def test_no_registers_to_read() -> None:
    with connected() as connection:
        sessions.start(connection, session("a", 1))
        sessions.read_meters(connection, {})
        sessions.read_meters(connection, {"nobody": [5]})
        assert sessions.running(connection) == [session("a", 1)]


def test_every_query_uses_an_index() -> None:
    expected = {
        sessions._by_id: "session_id=?",  # noqa: SLF001
        sessions._by_start: "charger_id=? AND connector_id=? AND id_token=?",  # noqa: SLF001
        sessions._by_transaction: "transaction_id=?",  # noqa: SLF001
        sessions._running: "ix_sessions_running",  # noqa: SLF001
        sessions._ended: "ix_sessions_ended (station_id=? AND ended_at>?)",  # noqa: SLF001
        sessions._ended_before: "ended_at>? AND ended_at<?)",  # noqa: SLF001
        sessions._stop: "session_id=?",  # noqa: SLF001
        sessions._presume: "session_id=?",  # noqa: SLF001
        sessions._unfinished: "ix_sessions_unfinished (charger_id=? AND ended_at=?)",  # noqa: SLF001
        sessions._presumed: "ix_sessions_unfinished (charger_id=? AND ended_at>?)",  # noqa: SLF001
        sessions._stopped: "ix_sessions_stopped (charger_id=? AND stop_timestamp=?)",  # noqa: SLF001
        sessions._meter: "session_id=?",  # noqa: SLF001
        sessions._declare: "session_id=?",  # noqa: SLF001
    }
    with connected() as connection:
        plans = {statement: plan(connection, statement) for statement in expected}
    assert [(plans[s], words) for s, words in expected.items() if words not in plans[s]] == []
    assert [p for p in plans.values() if "SCAN" in p and "ix_sessions_running" not in p] == []
    assert "TEMP B-TREE" not in plans[sessions._ended] + plans[sessions._ended_before]  # noqa: SLF001
