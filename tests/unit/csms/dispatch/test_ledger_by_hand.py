"""Limits sent by hand in the ledger: they only add to what may be in force."""

from __future__ import annotations

import pytest

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.model import ConnectorKey, Limit, LimitSource
from tests.stations import charger, station

ONE, TWO = ConnectorKey("CP001", 1), ConnectorKey("CP001", 2)
OTHER = ConnectorKey("CP002", 1)


def manual(
    token: int, value_w: int, key: ConnectorKey = ONE, session_id: str | None = None
) -> Entry:
    limit = Limit(value_w, LimitSource.OPERATOR)
    return Entry(token, key, Scope.MANUAL, limit, EntryState.SENT, 0.0, session_id=session_id)


def told(token: int, value_w: int, key: ConnectorKey, session_id: str | None = None) -> Entry:
    scope = Scope.DEFAULT if session_id is None else Scope.SESSION
    limit = Limit(value_w, LimitSource.GRID)
    return Entry(token, key, scope, limit, EntryState.SENT, 0.0, session_id=session_id)


def ledger() -> Ledger:
    """Two chargers whose fallbacks of 5 kW are confirmed."""
    known = Ledger(
        station(charger(fallback_w=5_000), charger("CP002", fallback_w=5_000)),
        seen=["CP001", "CP002"],
    )
    keys = (ONE, TWO, OTHER, ConnectorKey("CP002", 2))
    for token, key in enumerate(keys, start=1):
        known.send(told(token, 5_000, key))
        known.settle(token, EntryState.CONFIRMED, 1.0)
    return known


def test_it_counts_beside_what_csms_has_told() -> None:
    known = ledger()
    known.send(manual(10, 50_000))
    assert known.worst_case_w(ONE) == 50_000
    assert known.confirmed(ONE)
    assert known.fallback_w(ONE) == 5_000
    assert known.newest(ONE, Scope.DEFAULT) is not None
    assert known.manual(ONE) == 1
    assert known.manual(TWO) == 0


@pytest.mark.parametrize("state", [EntryState.CONFIRMED, EntryState.REFUSED, EntryState.UNANSWERED])
def test_it_replaces_nothing_and_nothing_replaces_it(state: EntryState) -> None:
    known = ledger()
    for token, value_w in ((10, 50_000), (11, 60_000), (12, 20_000)):
        known.send(manual(token, value_w))
        known.settle(token, state, 2.0)
    assert known.manual(ONE) == 3
    assert known.worst_case_w(ONE) == 60_000
    known.send(told(13, 5_000, ONE))
    known.settle(13, EntryState.CONFIRMED, 3.0)
    assert known.worst_case_w(ONE) == 60_000


def test_it_may_be_the_least_in_force_for_any_session() -> None:
    known = ledger()
    known.send(told(10, 80_000, ONE, "s1"))
    known.settle(10, EntryState.CONFIRMED, 2.0)
    known.send(manual(11, 2_000))
    assert known.least_w(ONE, "s1", 3.0) == 2_000
    assert known.least_w(ONE, None, 3.0) == 2_000
    assert known.least_w(TWO, None, 3.0) == 5_000


def test_a_confirmed_one_is_no_confirmed_fallback() -> None:
    known = Ledger(station(charger(fallback_w=5_000)), seen=["CP001"])
    known.send(manual(1, 50_000))
    known.settle(1, EntryState.CONFIRMED, 2.0)
    assert not known.confirmed(ONE)
    assert known.worst_case_w(ONE) == 200_000
    assert known.least_w(ONE, None, 3.0) == 5_000


def test_that_of_a_session_goes_with_it() -> None:
    known = ledger()
    known.send(manual(10, 50_000, session_id="s1"))
    known.settle(10, EntryState.CONFIRMED, 2.0)
    assert [e.token for e in known.end_session(ONE, "s1")] == [10]
    assert known.worst_case_w(ONE) == 5_000


def test_a_charger_without_profiles_has_none_that_were_sent_before() -> None:
    known = ledger()
    for token, key in ((10, ONE), (11, TWO), (12, OTHER), (13, ONE)):
        known.send(manual(token, 50_000, key))
    assert [e.token for e in known.cleared("CP001", 13)] == [10, 11]
    assert (known.manual(ONE), known.manual(TWO), known.manual(OTHER)) == (1, 0, 1)
    assert known.worst_case_w(TWO) == 5_000


def test_it_is_what_was_sent_last_and_confirms_nothing_of_a_session() -> None:
    known = ledger()
    known.send(told(10, 0, ONE, "s1"))
    known.settle(10, EntryState.CONFIRMED, 2.0)
    known.send(told(11, 40_000, ONE, "s1"))
    known.send(manual(12, 10_000, session_id="s1"))
    known.settle(12, EntryState.CONFIRMED, 3.0)
    assert known.sent_w(ONE, "s1") == (40_000, 10_000)
    known.settle(11, EntryState.CONFIRMED, 4.0)
    assert known.sent_w(ONE, "s1") == (10_000,)
    known.send(told(13, 0, ONE, "s1"))
    known.settle(13, EntryState.CONFIRMED, 5.0)
    assert known.sent_w(ONE, "s1") == ()
