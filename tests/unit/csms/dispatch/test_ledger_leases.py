"""Limits that end by themselves, and what counts beyond any limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import UNCERTAIN_KEPT, Entry, EntryState, Ledger
from csms.station.model import ConnectorKey, Feeder, Limit, LimitSource
from tests.stations import charger, station

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)
ENDS_AT, SKEW_S = 300.0, 60.0
COUNTS_UNTIL = ENDS_AT + SKEW_S


def entry(
    token: int, value_w: int, *, key: ConnectorKey = A1, session_id: str | None = "s1"
) -> Entry:
    scope = Scope.DEFAULT if session_id is None else Scope.SESSION
    limit = Limit(value_w, LimitSource.GRID)
    return Entry(token, key, scope, limit, EntryState.SENT, 0.0, session_id=session_id)


def lease(
    token: int,
    value_w: int,
    *,
    after_w: int = 0,
    later_s: float = 0.0,
    key: ConnectorKey = A1,
    session_id: str | None = "s1",
) -> Entry:
    """A limit that ends `later_s` after the usual time, and then leaves `after_w`."""
    return replace(
        entry(token, value_w, key=key, session_id=session_id),
        limit=Limit(value_w, LimitSource.GRID, ENDS_AT + later_s),
        counts_until=COUNTS_UNTIL + later_s,
        after_w=after_w,
    )


def confirmed(ledger: Ledger, *entries: Entry) -> Ledger:
    for one in entries:
        ledger.send(one)
        ledger.settle(one.token, EntryState.CONFIRMED, 1.0)
    return ledger


def unanswered(ledger: Ledger, *entries: Entry) -> Ledger:
    for one in entries:
        ledger.send(one)
        ledger.settle(one.token, EntryState.UNANSWERED, 1.0)
    return ledger


def controlled(fallback_w: int = 0) -> Ledger:
    """A ledger of the chargers A and B, whose fallbacks are confirmed."""
    built = station(charger("A", fallback_w=fallback_w), charger("B", fallback_w=fallback_w))
    fallbacks = [
        entry(number, fallback_w, key=connector.key, session_id=None)
        for number, connector in enumerate(built.connectors(), start=1)
    ]
    return confirmed(Ledger(built, seen=["A", "B"]), *fallbacks)


def tokens(ledger: Ledger, key: ConnectorKey = A1) -> list[int]:
    return [e.token for e in ledger.entries() if e.connector == key and e.session_id is not None]


# --------------------------------------------------------------------------------- leases


def test_a_lease_counts_until_any_clock_says_it_is_over_and_then_what_follows_it() -> None:
    ledger = confirmed(controlled(3_000), lease(9, 150_000, after_w=4_000))
    assert ledger.next_expiry() == COUNTS_UNTIL
    assert ledger.expire(COUNTS_UNTIL - 0.1) == []
    assert ledger.worst_case_w(A1) == 150_000
    changed = ledger.expire(COUNTS_UNTIL)
    assert [(e.token, e.state, e.limit, e.counts_until) for e in changed] == [
        (9, EntryState.CONFIRMED, Limit(4_000, LimitSource.FALLBACK), None)
    ]
    assert ledger.worst_case_w(A1) == 4_000
    assert ledger.next_expiry() is None
    assert ledger.expire(COUNTS_UNTIL + 1_000.0) == []


@pytest.mark.parametrize("state", [EntryState.SENT, EntryState.REFUSED, EntryState.UNANSWERED])
def test_a_lease_runs_out_whatever_became_of_its_frame(state: EntryState) -> None:
    ledger = controlled()
    ledger.send(lease(9, 150_000, after_w=4_000))
    if state is not EntryState.SENT:
        ledger.settle(9, state, 2.0)
    ledger.expire(COUNTS_UNTIL)
    assert ledger.worst_case_w(A1) == 4_000
    assert [e.state for e in ledger.entries() if e.token == 9] == [state]


def test_what_follows_a_lease_counts_while_it_runs_if_it_is_more() -> None:
    ledger = confirmed(controlled(), lease(9, 2_000, after_w=4_000))
    assert ledger.worst_case_w(A1) == 4_000


def test_a_renewed_lease_lasts_from_then_on() -> None:
    ledger = confirmed(controlled(), lease(9, 150_000), lease(10, 150_000, later_s=150.0))
    assert tokens(ledger) == [10]
    assert ledger.next_expiry() == COUNTS_UNTIL + 150.0
    assert ledger.expire(COUNTS_UNTIL) == []
    assert ledger.worst_case_w(A1) == 150_000


def test_an_unanswered_renewal_prolongs_what_counts() -> None:
    ledger = confirmed(controlled(), lease(9, 150_000, after_w=4_000))
    unanswered(ledger, lease(10, 100_000, later_s=150.0))
    assert ledger.next_expiry() == COUNTS_UNTIL
    ledger.expire(COUNTS_UNTIL)
    assert ledger.worst_case_w(A1) == 100_000
    ledger.expire(COUNTS_UNTIL + 150.0)
    # What follows the confirmed lease is in force until a later limit is confirmed.
    assert ledger.worst_case_w(A1) == 4_000
    confirmed(ledger, entry(11, 1_000))
    assert ledger.worst_case_w(A1) == 1_000


def test_a_charger_that_keeps_no_time_is_not_trusted_with_any_end() -> None:
    ledger = confirmed(
        controlled(),
        lease(9, 150_000),
        entry(10, 20_000, key=A2, session_id="s2"),
        lease(11, 90_000, key=B1, session_id="s3", later_s=5.0),
    )
    assert ledger.trusted() == {"A", "B"}
    changed = ledger.distrust("A")
    assert ledger.trusted() == {"B"}
    assert [(e.token, e.counts_until) for e in changed] == [(9, None)]
    assert ledger.next_expiry() == COUNTS_UNTIL + 5.0
    ledger.expire(COUNTS_UNTIL + 1_000.0)
    assert ledger.worst_case_w(A1) == 150_000
    assert ledger.worst_case_w(B1) == 0
    assert ledger.distrust("A") == []


# ---------------------------------------------------------------- the least that is in force


def test_a_lease_may_have_ended_already_by_a_clock_that_is_ahead() -> None:
    ledger = confirmed(controlled(), lease(9, 150_000, after_w=4_000))
    assert ledger.least_w(A1, "s1", ENDS_AT - SKEW_S - 0.1) == 150_000
    assert ledger.least_w(A1, "s1", ENDS_AT - SKEW_S) == 4_000
    ledger.expire(COUNTS_UNTIL)
    assert ledger.least_w(A1, "s1", COUNTS_UNTIL) == 4_000


def test_a_lease_may_have_ended_at_any_time_by_a_clock_that_is_not_trusted() -> None:
    ledger = confirmed(controlled(), lease(9, 150_000, after_w=4_000))
    ledger.distrust("A")
    assert ledger.least_w(A1, "s1", 10.0) == 4_000
    assert ledger.worst_case_w(A1) == 150_000


def test_the_least_of_the_fallback_itself_is_asked_for_without_a_session() -> None:
    ledger = confirmed(controlled(7_000), entry(9, 150_000))
    assert ledger.least_w(A1, None, 0.0) == 7_000
    unanswered(ledger, entry(10, 2_000, session_id=None))
    assert ledger.least_w(A1, None, 0.0) == 2_000


# -------------------------------------------------------------------------------- suspicion


def test_what_is_feared_counts_and_takes_control_away() -> None:
    ledger = confirmed(controlled(), entry(9, 50_000))
    ledger.suspect(A1, 210_000)
    assert ledger.worst_case_w(A1) == 210_000
    assert ledger.permitted_w(A1) == 50_000
    assert ledger.uncontrolled(A1)
    assert not ledger.uncontrolled(A2)
    # What was seen is true whatever the nameplate says.
    assert ledger.charger_w("A") == 210_000
    assert ledger.overdrawn() == {"charger A": 10_000}
    ledger.suspect(A1, None)
    assert ledger.worst_case_w(A1) == 50_000
    assert not ledger.uncontrolled(A1)


def test_a_fear_below_the_limit_adds_nothing() -> None:
    ledger = confirmed(controlled(), entry(9, 50_000))
    ledger.suspect(A1, 20_000)
    assert ledger.worst_case_w(A1) == 50_000


def test_a_fear_goes_with_its_connector() -> None:
    ledger = controlled()
    ledger.suspect(B1, 10_000)
    ledger.suspect(ConnectorKey("C", 1), 10_000)
    ledger.suspect(ConnectorKey("C", 1), None)
    ledger.rebuild(station(charger("A")))
    assert ledger.total_w() == 0
    ledger.rebuild(station(charger("A"), charger("B")))
    assert ledger.worst_case_w(B1) == 200_000  # seen, and nothing confirmed
    assert ledger.permitted_w(B1) == 200_000


# ------------------------------------------------------------------------ a changed station


def test_a_charger_seen_elsewhere_counts_at_its_maximum() -> None:
    ledger = Ledger(station(charger("A")))
    ledger.rebuild(station(charger("A"), charger("B")), seen=["B"])
    assert ledger.worst_case_w(A1) == 0
    assert ledger.worst_case_w(B1) == 200_000


def test_a_lowered_maximum_frees_nothing_that_was_given_out_before() -> None:
    ledger = confirmed(controlled(), entry(9, 150_000), entry(10, 50_000, key=A2, session_id="s2"))
    ledger.rebuild(station(charger("A", max_power_w=80_000), charger("B")))
    assert ledger.worst_case_w(A1) == 150_000
    assert ledger.charger_w("A") == 200_000
    assert ledger.overdrawn() == {"charger A": 120_000}
    confirmed(ledger, entry(11, 30_000))
    assert ledger.charger_w("A") == 80_000
    assert ledger.overdrawn() == {}


def test_a_raised_fallback_counts_when_it_is_given_out() -> None:
    ledger = controlled(3_000)
    ledger.rebuild(station(charger("A", fallback_w=9_000), charger("B", fallback_w=1_000)))
    assert (ledger.worst_case_w(A1), ledger.worst_case_w(B1)) == (3_000, 3_000)
    assert (ledger.fallback_w(A1), ledger.fallback_w(B1)) == (3_000, 3_000)
    ledger.send(entry(9, 9_000, session_id=None))
    assert ledger.worst_case_w(A1) == 9_000
    assert ledger.fallback_w(A1) == 3_000


def test_every_node_says_how_far_it_is_overdrawn() -> None:
    built = station(
        charger("A", feeder_id="F"),
        charger("B"),
        grid_limit_w=300_000,
        static_load_w=20_000,
        feeders=(Feeder("F", 100_000), Feeder("G", 1)),
    )
    ledger = Ledger(built, seen=["A", "B"])
    assert ledger.overdrawn() == {"feeder F": 100_000, "grid": 120_000}


# ------------------------------------------------------------------- uncertain limits kept few


def test_what_a_newer_uncertain_limit_covers_goes() -> None:
    ledger = unanswered(controlled(), entry(9, 50_000), entry(10, 60_000), entry(11, 70_000))
    # The smallest stays: it may be the one in force.
    assert tokens(ledger) == [9, 11]
    unanswered(ledger, entry(12, 65_000))
    assert tokens(ledger) == [9, 11, 12]
    assert ledger.worst_case_w(A1) == 70_000
    assert ledger.least_w(A1, "s1", 0.0) == 0


def test_of_too_many_uncertain_limits_the_oldest_two_become_one() -> None:
    ledger = controlled()
    for number in range(UNCERTAIN_KEPT):
        unanswered(ledger, entry(10 + number, 90_000 - number))
    assert len(tokens(ledger)) == UNCERTAIN_KEPT
    ledger.send(entry(50, 80_000))
    changed = ledger.settle(50, EntryState.REFUSED, 2.0)
    assert [(e.token, e.state, e.limit.value_w) for e in changed] == [
        (50, EntryState.REFUSED, 80_000),
        (11, EntryState.UNANSWERED, 90_000),
        (10, EntryState.SUPERSEDED, 90_000),
    ]
    assert tokens(ledger) == [*range(11, 10 + UNCERTAIN_KEPT), 50]
    assert ledger.worst_case_w(A1) == 90_000


@pytest.mark.parametrize("first_ends", [True, False])
@pytest.mark.parametrize("second_ends", [True, False])
def test_two_made_one_count_as_much_and_as_long_as_both(
    first_ends: bool, second_ends: bool
) -> None:
    first = lease(10, 90_000, after_w=5_000) if first_ends else entry(10, 90_000)
    second = replace(
        lease(11, 80_000, after_w=2_000, later_s=10.0) if second_ends else entry(11, 80_000),
        stack_level=1,
    )
    # Neither covers the other, and none of the others covers them.
    first = replace(first, stack_level=2)
    rest = [entry(12 + number, 70_000 - number) for number in range(UNCERTAIN_KEPT - 1)]
    ledger = unanswered(controlled(), first, second, *rest)
    both = next(e for e in ledger.entries() if e.token == 11)
    assert (both.limit.value_w, both.stack_level) == (90_000, 2)
    assert both.after_w == max(first.after_w, second.after_w)
    both_end = first_ends and second_ends
    assert both.counts_until == (COUNTS_UNTIL + 10.0 if both_end else None)
    assert 10 not in tokens(ledger)


def test_the_smallest_uncertain_limit_is_not_lost_among_too_many() -> None:
    smallest = entry(9, 1_000, session_id=None)
    others = [entry(10 + n, 90_000 - n, session_id=None) for n in range(UNCERTAIN_KEPT)]
    ledger = unanswered(controlled(5_000), smallest, *others)
    own = [e for e in ledger.entries() if e.connector == A1 and e.state is EntryState.UNANSWERED]
    assert len(own) == UNCERTAIN_KEPT
    assert ledger.least_w(A1, None, 0.0) == 1_000
    assert ledger.worst_case_w(A1) == 90_000


def test_a_late_confirmation_takes_the_repeats_with_it_but_nothing_that_differs() -> None:
    ledger = controlled()
    ledger.send(entry(9, 100_000))
    unanswered(ledger, entry(10, 100_000))
    ledger.send(entry(11, 120_000))
    unanswered(ledger, entry(12, 100_000))
    assert tokens(ledger) == [9, 11, 12]
    changed = ledger.settle(9, EntryState.CONFIRMED, 5.0)
    assert [e.token for e in changed] == [9]
    repeated = controlled()
    repeated.send(entry(9, 100_000))
    unanswered(repeated, entry(10, 100_000))
    assert [(e.token, e.state) for e in repeated.settle(9, EntryState.CONFIRMED, 5.0)] == [
        (9, EntryState.CONFIRMED),
        (10, EntryState.SUPERSEDED),
    ]


def test_a_renewal_that_lasts_longer_is_no_repeat() -> None:
    ledger = controlled()
    ledger.send(lease(9, 100_000))
    unanswered(ledger, lease(10, 100_000, later_s=150.0))
    ledger.settle(9, EntryState.CONFIRMED, 5.0)
    assert tokens(ledger) == [9, 10]


def test_a_limit_on_a_higher_level_is_not_replaced_by_one_below() -> None:
    ledger = confirmed(controlled(), replace(entry(9, 90_000), stack_level=1), entry(10, 50_000))
    assert ledger.worst_case_w(A1) == 90_000
    # Whatever else it is told at the lower level, it may follow this one.
    assert ledger.lingering_w(A1) == 90_000
    confirmed(ledger, replace(entry(11, 40_000), stack_level=1))
    assert ledger.worst_case_w(A1) == 40_000
    assert ledger.lingering_w(A1) == 0
    assert tokens(ledger) == [11]


# ------------------------------------------------------------------------ what never was, or was


def test_a_limit_that_may_still_be_on_the_wire_outlives_its_session() -> None:
    ledger = confirmed(controlled(), entry(9, 90_000))
    ledger.send(entry(10, 95_000))
    assert [e.token for e in ledger.end_session(A1, "s1")] == [9]
    assert ledger.worst_case_w(A1) == 95_000
    ledger.settle(10, EntryState.UNANSWERED, 3.0)
    assert [e.token for e in ledger.end_session(A1, "s1")] == [10]
    assert ledger.worst_case_w(A1) == 0


def test_taking_back_one_limit_leaves_the_others() -> None:
    ledger = confirmed(controlled(), entry(9, 50_000), entry(11, 10_000, key=B1, session_id="s2"))
    ledger.send(entry(12, 90_000))
    assert [e.token for e in ledger.unsend(12)] == [12]
    assert (ledger.worst_case_w(A1), ledger.worst_case_w(B1)) == (50_000, 10_000)
