from __future__ import annotations

from dataclasses import replace

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.model import ConnectorKey, Limit, LimitSource
from tests.stations import charger, station

ONE = ConnectorKey("CP001", 1)
TWO = ConnectorKey("CP001", 2)


def entry(
    token: int,
    value_w: int,
    *,
    key: ConnectorKey = ONE,
    scope: Scope = Scope.SESSION,
    session_id: str | None = "s1",
    state: EntryState = EntryState.SENT,
) -> Entry:
    return Entry(
        token,
        key,
        scope,
        Limit(value_w, LimitSource.GRID),
        state,
        sent_at=0.0,
        session_id=session_id if scope is Scope.SESSION else None,
    )


def fallback(token: int, value_w: int = 0, *, key: ConnectorKey = ONE) -> Entry:
    return entry(token, value_w, key=key, scope=Scope.DEFAULT)


def controlled(value_w: int = 0) -> Ledger:
    """A ledger of one charger whose two fallbacks are confirmed."""
    ledger = Ledger(station(charger(fallback_w=value_w)), seen=["CP001"])
    for token, key in ((1, ONE), (2, TWO)):
        ledger.send(fallback(token, value_w, key=key))
        ledger.settle(token, EntryState.CONFIRMED, 1.0)
    return ledger


def test_a_charger_never_seen_counts_at_its_configured_fallback() -> None:
    ledger = Ledger(station(charger(fallback_w=6_000)))
    assert ledger.worst_case_w(ONE) == 6_000
    assert ledger.total_w() == 12_000
    assert not ledger.seen("CP001")


def test_a_charger_seen_counts_at_its_maximum_until_it_confirms_a_fallback() -> None:
    ledger = Ledger(station())
    ledger.mark_seen("CP001")
    assert ledger.worst_case_w(ONE) == 200_000
    ledger.send(fallback(1))
    assert ledger.worst_case_w(ONE) == 200_000
    ledger.settle(1, EntryState.CONFIRMED, 1.0)
    assert ledger.worst_case_w(ONE) == 0
    assert ledger.worst_case_w(TWO) == 200_000


def test_a_charger_counts_at_most_its_own_maximum() -> None:
    ledger = Ledger(station(), seen=["CP001"])
    assert ledger.worst_case_w(ONE) + ledger.worst_case_w(TWO) == 400_000
    assert ledger.charger_w("CP001") == 200_000
    assert ledger.total_w() == 200_000
    assert ledger.charger_w("nobody") == 0


def test_a_limit_counts_from_before_it_is_sent() -> None:
    ledger = controlled()
    ledger.send(entry(3, 150_000))
    assert ledger.worst_case_w(ONE) == 150_000


def test_old_and_new_both_count_until_the_new_one_is_confirmed() -> None:
    ledger = controlled()
    ledger.send(entry(3, 150_000))
    ledger.settle(3, EntryState.CONFIRMED, 2.0)
    ledger.send(entry(4, 100_000))
    assert ledger.worst_case_w(ONE) == 150_000
    changed = ledger.settle(4, EntryState.CONFIRMED, 3.0)
    assert ledger.worst_case_w(ONE) == 100_000
    assert [(e.token, e.state) for e in changed] == [
        (4, EntryState.CONFIRMED),
        (3, EntryState.SUPERSEDED),
    ]
    assert changed[0].settled_at == 3.0


def test_refusal_and_silence_free_nothing() -> None:
    for state in (EntryState.REFUSED, EntryState.UNANSWERED):
        ledger = controlled()
        ledger.send(entry(3, 150_000))
        ledger.settle(3, EntryState.CONFIRMED, 2.0)
        ledger.send(entry(4, 100_000))
        ledger.settle(4, state, 3.0)
        assert ledger.worst_case_w(ONE) == 150_000
        ledger.send(entry(5, 170_000))
        ledger.settle(5, state, 4.0)
        assert ledger.worst_case_w(ONE) == 170_000


def test_the_entries_of_one_connector_come_in_the_order_they_were_sent() -> None:
    ledger = controlled()
    ledger.send(entry(3, 50_000))
    assert [e.token for e in ledger.entries_of(ONE)] == [1, 3]
    assert [e.token for e in ledger.entries_of(TWO)] == [2]
    assert ledger.entries_of(ConnectorKey("CP999", 1)) == ()


def test_a_confirmation_leaves_later_limits_counted() -> None:
    ledger = controlled()
    ledger.send(entry(3, 100_000))
    ledger.send(entry(4, 150_000))
    ledger.settle(3, EntryState.CONFIRMED, 2.0)
    assert ledger.worst_case_w(ONE) == 150_000


def test_a_late_confirmation_of_a_superseded_limit_changes_nothing() -> None:
    ledger = controlled()
    ledger.send(entry(3, 150_000))
    ledger.send(entry(4, 100_000))
    ledger.settle(4, EntryState.CONFIRMED, 2.0)
    assert ledger.settle(3, EntryState.CONFIRMED, 3.0) == []
    assert ledger.worst_case_w(ONE) == 100_000


def test_the_fallback_always_counts() -> None:
    ledger = controlled(7_000)
    ledger.send(entry(3, 5_000))
    ledger.settle(3, EntryState.CONFIRMED, 2.0)
    assert ledger.worst_case_w(ONE) == 7_000


def test_repeats_do_not_pile_up() -> None:
    ledger = controlled()
    for token in range(3, 50):
        changed = ledger.send(entry(token, 100_000))
        assert changed[0].token == token
        ledger.settle(token, EntryState.UNANSWERED, 1.0)
    assert [e.token for e in ledger.entries() if e.scope is Scope.SESSION] == [49]
    ledger.send(entry(50, 90_000))
    assert ledger.worst_case_w(ONE) == 100_000


def test_the_end_of_a_session_takes_its_limits_with_it() -> None:
    ledger = controlled()
    ledger.send(entry(3, 100_000, session_id="s1"))
    ledger.settle(3, EntryState.CONFIRMED, 1.0)
    ledger.send(entry(4, 50_000, session_id="s2"))
    assert [e.token for e in ledger.end_session(ONE, "s1")] == [3]
    assert ledger.worst_case_w(ONE) == 50_000
    assert ledger.newest(ONE, Scope.SESSION, "s1") is None


def test_a_reboot_casts_doubt_on_every_limit() -> None:
    two = charger("CP002")
    ledger = Ledger(station(charger(), two), seen=["CP001", "CP002"])
    for token, connector in enumerate(ledger.station.connectors(), start=1):
        ledger.send(fallback(token, key=connector.key))
        ledger.settle(token, EntryState.CONFIRMED, 1.0)
    ledger.send(entry(9, 30_000))
    ledger.settle(9, EntryState.CONFIRMED, 1.0)
    doubted = ledger.doubt("CP001")
    assert [(e.token, e.state) for e in doubted] == [
        (1, EntryState.UNANSWERED),
        (9, EntryState.UNANSWERED),
        (2, EntryState.UNANSWERED),
    ]
    assert ledger.least_w(ONE, "s1", 0.0) == 0
    assert ledger.worst_case_w(ONE) == 200_000
    assert ledger.uncontrolled(ONE)
    assert not ledger.uncontrolled(ConnectorKey("CP002", 1))
    ledger.send(fallback(10))
    ledger.settle(10, EntryState.CONFIRMED, 2.0)
    assert ledger.worst_case_w(ONE) == 30_000


def test_what_was_never_sent_is_taken_back() -> None:
    ledger = controlled()
    ledger.send(entry(3, 100_000))
    assert [(e.token, e.state) for e in ledger.unsend(3)] == [(3, EntryState.SUPERSEDED)]
    assert ledger.worst_case_w(ONE) == 0
    assert ledger.unsend(3) == []


def test_a_kept_ledger_is_as_before() -> None:
    before = controlled(3_000)
    before.send(entry(3, 150_000))
    before.settle(3, EntryState.CONFIRMED, 2.0)
    before.send(entry(4, 100_000))
    superseded = entry(2, 180_000, state=EntryState.SUPERSEDED)
    gone = entry(7, 1_000, key=ConnectorKey("CP009", 1))
    after = Ledger(
        before.station, [*reversed(list(before.entries())), superseded, gone], seen=["CP001"]
    )
    assert after.worst_case_w(ONE) == 150_000
    assert after.worst_case_w(TWO) == 3_000
    newest = after.newest(ONE, Scope.SESSION, "s1")
    assert newest is not None
    assert newest.token == 4


def test_nobody_waits_any_more_for_the_answer_to_a_kept_limit() -> None:
    before = controlled()
    before.send(entry(3, 100_000))
    after = Ledger(before.station, before.entries(), seen=["CP001"])
    assert after.worst_case_w(ONE) == 100_000
    newest = after.newest(ONE, Scope.SESSION, "s1")
    assert newest is not None
    assert newest.state is EntryState.UNANSWERED
    assert [e.token for e in after.end_session(ONE, "s1")] == [3]
    assert after.worst_case_w(ONE) == 0


def test_a_changed_station_keeps_what_stays_and_supersedes_what_goes() -> None:
    ledger = Ledger(station(charger(), charger("CP002")))
    ledger.send(fallback(1))
    ledger.send(fallback(2, key=ConnectorKey("CP002", 1)))
    gone = ledger.rebuild(station(charger(), charger("CP003")))
    assert [(e.token, e.state) for e in gone] == [(2, EntryState.SUPERSEDED)]
    assert [e.token for e in ledger.entries()] == [1]
    assert ledger.worst_case_w(ConnectorKey("CP003", 1)) == 0


def test_the_least_that_may_be_in_force() -> None:
    ledger = controlled(7_000)
    assert ledger.least_w(ONE, "s1", 0.0) == 7_000
    ledger.send(entry(3, 150_000))
    assert ledger.least_w(ONE, "s1", 0.0) == 7_000
    ledger.settle(3, EntryState.CONFIRMED, 2.0)
    assert ledger.least_w(ONE, "s1", 0.0) == 150_000
    ledger.send(entry(4, 100_000))
    assert ledger.least_w(ONE, "s1", 0.0) == 100_000


def test_a_limit_nobody_confirmed_makes_a_connector_doubtful_if_it_is_the_one_that_counts() -> None:
    ledger = controlled(5_000)
    assert not ledger.doubtful(ONE)
    ledger.send(entry(3, 100_000))
    assert not ledger.doubtful(ONE)
    ledger.settle(3, EntryState.REFUSED, 1.0)
    assert ledger.doubtful(ONE)
    ledger.send(entry(4, 120_000))
    ledger.settle(4, EntryState.CONFIRMED, 2.0)
    assert not ledger.doubtful(ONE)
    ledger.send(entry(5, 80_000))
    ledger.settle(5, EntryState.UNANSWERED, 3.0)
    assert not ledger.doubtful(ONE)  # it counts at the 120 kW that are confirmed


def test_suspected_connectors_are_known_by_name() -> None:
    ledger = controlled()
    ledger.suspect(TWO, 200_000)
    assert ledger.suspected() == {TWO}
    ledger.suspect(TWO, None)
    assert ledger.suspected() == set()


def test_fear_for_several_connectors_is_bounded_by_their_charger() -> None:
    ledger = controlled()
    ledger.suspect(ONE, 200_000)
    ledger.suspect(TWO, 200_000)
    assert ledger.charger_w("CP001") == 200_000
    assert ledger.overdrawn() == {}


def test_what_was_seen_above_a_connectors_maximum_is_true_whatever_the_nameplate_says() -> None:
    ledger = controlled()
    ledger.suspect(ONE, 250_000)
    ledger.suspect(TWO, 200_000)
    assert ledger.most_w() == {"CP001": 250_000}
    assert ledger.charger_w("CP001") == 250_000
    assert ledger.overdrawn() == {"charger CP001": 50_000}


def test_what_is_set_aside_fits_at_every_node_or_counts_as_before() -> None:
    ledger = controlled(20_000)
    ledger.rebuild(replace(ledger.station, grid_limit_w=100_000))
    assert not ledger.set_aside(ONE, 80_001)
    assert ledger.suspected() == set()
    assert ledger.set_aside(ONE, 80_000)
    assert ledger.worst_case_w(ONE) == 80_000
    assert not ledger.set_aside(ONE, 90_000)
    assert ledger.worst_case_w(ONE) == 80_000
    # What counts already is not taken back by a cut.
    ledger.rebuild(replace(ledger.station, grid_limit_w=50_000))
    assert ledger.set_aside(ONE, 80_000)


def test_what_was_sent_since_the_newest_confirmed_limit() -> None:
    ledger = controlled()
    assert ledger.sent_w(ONE, "s1") == ()
    ledger.send(fallback(3, 5_000))
    assert ledger.sent_w(ONE, "s1") == (5_000,)
    ledger.send(entry(4, 40_000))
    ledger.send(entry(5, 10_000))
    assert ledger.sent_w(ONE, "s1") == (40_000, 10_000)
    ledger.settle(4, EntryState.REFUSED, 1.0)
    assert ledger.sent_w(ONE, "s1") == (40_000, 10_000)
    ledger.settle(5, EntryState.CONFIRMED, 1.0)
    assert ledger.sent_w(ONE, "s1") == ()


# ------------------------------------------------------------------ answers from before a reboot


def test_a_yes_from_before_a_reboot_confirms_nothing() -> None:
    ledger = Ledger(station(charger(fallback_w=6_000)), seen=["CP001"])
    ledger.send(fallback(1, 6_000))
    ledger.settle(1, EntryState.UNANSWERED, 1.0)
    ledger.doubt("CP001")
    assert (ledger.outdated("CP001", 1), ledger.outdated("CP001", 2)) == (True, False)
    (settled,) = ledger.settle(1, EntryState.CONFIRMED, 2.0)
    assert settled.state is EntryState.UNANSWERED
    assert ledger.worst_case_w(ONE) == 200_000
    ledger.send(fallback(2, 6_000))
    ledger.settle(2, EntryState.CONFIRMED, 3.0)
    assert ledger.worst_case_w(ONE) == 6_000


def test_a_reboot_with_nothing_new_keeps_what_was_doubted() -> None:
    ledger = controlled()
    ledger.doubt("CP001")
    ledger.rebuild(station(charger("CP001", connectors=0)))
    ledger.doubt("CP001")
    assert ledger.outdated("CP001", 2)
    assert not ledger.outdated("CP002", 1)


# -------------------------------------------------------------------------------- floors


def test_what_a_charger_gives_at_any_lower_limit_counts() -> None:
    ledger = controlled()
    ledger.set_floor(ONE, 6_000)
    assert ledger.floor_w(ONE) == 6_000
    # A fallback of 0 counts so as well, and what follows a lease, and a limit that may be in force.
    assert (ledger.worst_case_w(ONE), ledger.worst_case_w(TWO)) == (6_000, 0)
    assert ledger.charger_w("CP001") == ledger.total_w() == 6_000
    ledger.send(entry(3, 2_000))
    assert ledger.lets_through_w(entry(3, 2_000)) == 6_000
    assert ledger.given_w(ONE) == ledger.permitted_w(ONE) == 6_000
    ledger.settle(3, EntryState.CONFIRMED, 2.0)
    # The least that may be in force: to send no more raises nothing.
    assert ledger.least_w(ONE, "s1", 3.0) == 6_000
    ledger.send(entry(4, 50_000))
    assert ledger.worst_case_w(ONE) == 50_000
    ledger.settle(4, EntryState.CONFIRMED, 4.0)
    assert ledger.end_session(ONE, "s1")
    assert ledger.worst_case_w(ONE) == 6_000
    ledger.set_floor(ONE, 0)
    assert ledger.worst_case_w(ONE) == 0


def test_floors_overdraw_a_node() -> None:
    built = station(charger(), grid_limit_w=10_000)
    ledger = Ledger(built)
    for key in (ONE, TWO):
        ledger.set_floor(key, 6_000)
    assert ledger.overdrawn() == {"grid": 2_000}


def test_a_floor_goes_with_its_connector() -> None:
    ledger = controlled()
    ledger.set_floor(ConnectorKey("CP999", 1), 6_000)
    ledger.set_floor(TWO, 6_000)
    ledger.rebuild(station(charger(connectors=1)))
    ledger.rebuild(station())
    assert ledger.total_w() == 200_000
    assert ledger.floor_w(TWO) == ledger.floor_w(ConnectorKey("CP999", 1)) == 0
