"""What a restart must not forget of the sessions that go on."""

from __future__ import annotations

import pytest

from csms.control.restored import remember_limits
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import CompliancePolicy, Terms, next_compliance
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.facts import SessionStarted
from csms.station.model import ConnectorKey, Limit, LimitSource
from csms.station.register import Register
from csms.station.state import LimitStep, StationState
from csms.station.update import apply
from tests.stations import charger, station

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
SITE = station(charger("A", max_power_w=100_000))


@pytest.mark.parametrize(
    ("key", "session_id", "source", "state", "kept"),
    [
        (A1, "s1", LimitSource.GRID, EntryState.CONFIRMED, True),
        (A1, None, LimitSource.GRID, EntryState.CONFIRMED, True),
        (A1, None, LimitSource.FALLBACK, EntryState.CONFIRMED, False),
        (A1, "s0", LimitSource.GRID, EntryState.CONFIRMED, False),
        (A1, "s1", LimitSource.GRID, EntryState.UNANSWERED, False),
        (A2, "s1", LimitSource.GRID, EntryState.CONFIRMED, False),
    ],
)
@pytest.mark.parametrize(("settled_at", "at"), [(12.0, 12.0), (None, 10.0)])
def test_a_session_paused_before_a_restart_is_paused_after_it(
    key: ConnectorKey,
    session_id: str | None,
    source: LimitSource,
    state: EntryState,
    kept: bool,
    settled_at: float | None,
    at: float,
) -> None:
    scope = Scope.DEFAULT if session_id is None else Scope.SESSION
    entry = Entry(3, key, scope, Limit(0, source), state, 10.0, settled_at, session_id)
    ledger, known = Ledger(SITE, [entry], seen=["A"]), StationState.of(SITE)
    apply(known, SessionStarted(5.0, "s1", 7, A1, "TAG", 5.0, Register(0)))
    remember_limits(known, ledger)
    session = known.connectors[A1].session
    assert session is not None
    assert list(session.limits) == ([LimitStep(at, 0)] if kept else [])
    connector = SITE.connector(A1)
    found = next_compliance(
        None, connector, known.connectors[A1], Terms(0), CompliancePolicy(), 20.0
    )
    assert found.paused is kept


def test_what_was_sent_by_hand_is_no_limit_that_csms_told_the_session() -> None:
    told = Entry(3, A1, Scope.DEFAULT, Limit(0, LimitSource.GRID), EntryState.CONFIRMED, 10.0)
    hand = Entry(4, A1, Scope.MANUAL, Limit(9, LimitSource.OPERATOR), EntryState.CONFIRMED, 11.0)
    known = StationState.of(SITE)
    apply(known, SessionStarted(5.0, "s1", 7, A1, "TAG", 5.0, Register(0)))
    remember_limits(known, Ledger(SITE, [told, hand], seen=["A"]))
    session = known.connectors[A1].session
    assert session is not None
    assert list(session.limits) == [LimitStep(10.0, 0)]
