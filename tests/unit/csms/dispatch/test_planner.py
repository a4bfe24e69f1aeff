from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Plan, Wish, plan
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, Feeder, Limit, LimitSource, Station
from tests.stations import charger, station

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)
POLICY = DispatchPolicy()


def site(**kwargs: int) -> Station:
    return station(charger("A"), charger("B"), grid_limit_w=kwargs.get("grid_limit_w", 200_000))


def in_force(built: Station, **limits: int) -> Ledger:
    """A ledger in which every fallback is confirmed, and these session limits as `A1=50_000`."""
    ledger = Ledger(built, seen=[c.charger_id for c in built.chargers])
    token = 0
    for connector in built.connectors():
        token += 1
        ledger.send(_entry(token, connector.key, Scope.DEFAULT, connector.fallback_w, None))
        ledger.settle(token, EntryState.CONFIRMED, 0.0)
    for name, value_w in limits.items():
        token += 1
        key = ConnectorKey(name[0], int(name[1:]))
        ledger.send(_entry(token, key, Scope.SESSION, value_w, str(key)))
        ledger.settle(token, EntryState.CONFIRMED, 0.0)
    return ledger


def _entry(token: int, key: ConnectorKey, scope: Scope, value_w: int, session: str | None) -> Entry:
    limit = Limit(value_w, LimitSource.GRID)
    return Entry(token, key, scope, limit, EntryState.SENT, 0.0, session_id=session)


def wish(key: ConnectorKey, value_w: int, *, again: bool = False) -> Wish:
    limit = Limit(value_w, LimitSource.GRID)
    return Wish(key, Scope.SESSION, limit, str(key), 7, again=again)


def fallback_wish(key: ConnectorKey, value_w: int = 0, *, again: bool = False) -> Wish:
    return Wish(key, Scope.DEFAULT, Limit(value_w, LimitSource.FALLBACK), again=again)


def planned(
    ledger: Ledger,
    *wishes: Wish,
    busy: tuple[ConnectorKey, ...] = (),
    held: Callable[[Wish], bool] = lambda _: False,
    lowers_outstanding: bool = False,
    raises: bool = True,
    now: float = 0.0,
) -> Plan:
    return plan(
        ledger,
        wishes,
        busy=busy,
        held=held,
        lowers_outstanding=lowers_outstanding,
        policy=POLICY,
        now=now,
        raises=raises,
    )


def values(wishes: tuple[Wish, ...]) -> list[tuple[str, int]]:
    return [(str(w.connector), w.limit.value_w) for w in wishes]


def test_a_raise_into_free_room_is_sent() -> None:
    ledger = in_force(site())
    result = planned(ledger, wish(A1, 150_000))
    assert values(result.send) == [("A/1", 150_000)]
    assert result.waiting == ()


def test_a_raise_waits_for_the_lowers_that_make_its_room() -> None:
    ledger = in_force(site(), A1=100_000, A2=100_000)
    result = planned(ledger, wish(A1, 66_000), wish(A2, 66_000), wish(B1, 66_000))
    assert values(result.send) == [("A/1", 66_000), ("A/2", 66_000)]
    assert values(result.waiting) == [("B/1", 66_000)]


def test_a_raise_does_not_take_part_of_its_room_while_lowers_are_outstanding() -> None:
    ledger = in_force(site(), A1=150_000)
    result = planned(ledger, wish(B1, 100_000), lowers_outstanding=True)
    assert result.send == ()
    assert values(result.waiting) == [("B/1", 100_000)]


def test_without_lowers_outstanding_a_raise_takes_the_room_there_is() -> None:
    ledger = in_force(site(), A1=150_000)
    result = planned(ledger, wish(B1, 100_000))
    assert values(result.send) == [("B/1", 50_000)]
    assert values(result.waiting) == [("B/1", 100_000)]


def test_a_sliver_of_room_is_not_worth_a_push() -> None:
    ledger = in_force(site(), A1=199_500)
    result = planned(ledger, wish(B1, 100_000))
    assert result.send == ()


def test_a_part_below_the_minimum_power_is_not_sent() -> None:
    built = station(charger("A"), charger("B", minimum_w=60_000), grid_limit_w=200_000)
    ledger = in_force(built, A1=150_000)
    assert planned(ledger, wish(B1, 100_000)).send == ()


def test_the_least_served_raise_comes_first() -> None:
    ledger = in_force(site(), A1=50_000)
    result = planned(ledger, wish(A1, 180_000), wish(B1, 120_000))
    assert values(result.send) == [("B/1", 120_000), ("A/1", 80_000)]


def test_an_unanswered_limit_keeps_its_place() -> None:
    ledger = in_force(site(), A1=150_000)
    ledger.send(_entry(20, A1, Scope.SESSION, 50_000, "A/1"))
    ledger.settle(20, EntryState.UNANSWERED, 0.0)
    result = planned(ledger, wish(A1, 50_000), wish(B1, 150_000), held=lambda w: w.connector == A1)
    assert values(result.send) == [("B/1", 50_000)]
    assert values(result.waiting) == [("A/1", 50_000), ("B/1", 150_000)]


def test_an_overcommitted_station_raises_nothing() -> None:
    ledger = in_force(site(grid_limit_w=100_000), A1=150_000)
    result = planned(ledger, wish(A1, 150_000), wish(B1, 10_000))
    assert result.send == ()
    assert values(result.waiting) == [("B/1", 10_000)]


def test_a_charger_without_a_confirmed_fallback_blocks_raises_until_it_has_one() -> None:
    built = site()
    ledger = in_force(built)
    ledger.doubt("B")
    result = planned(ledger, wish(A1, 100_000), fallback_wish(B1), fallback_wish(B2))
    assert values(result.send) == [("B/1", 0), ("B/2", 0)]
    assert values(result.waiting) == [("A/1", 100_000)]


@pytest.mark.parametrize("room_w", [0, 30_000])
def test_feeder_and_charger_bind_too(room_w: int) -> None:
    built = station(
        charger("A", feeder_id="F"),
        charger("B", feeder_id="F"),
        grid_limit_w=1_000_000,
        feeders=(Feeder("F", 150_000 + room_w),),
    )
    ledger = in_force(built, A1=150_000)
    result = planned(ledger, wish(B1, 100_000))
    assert values(result.send) == ([("B/1", 30_000)] if room_w else [])
    above_charger = in_force(site(grid_limit_w=1_000_000), A1=150_000)
    assert values(planned(above_charger, wish(A2, 100_000)).send) == [("A/2", 50_000)]


def test_room_taken_by_one_raise_is_gone_for_the_next() -> None:
    built = station(
        charger("A", feeder_id="F"),
        charger("B"),
        grid_limit_w=1_000_000,
        feeders=(Feeder("F", 150_000),),
    )
    ledger = in_force(built)
    result = planned(ledger, wish(A1, 100_000), wish(A2, 100_000), wish(B1, 10_000))
    assert values(result.send) == [("A/1", 100_000), ("A/2", 50_000), ("B/1", 10_000)]


def test_what_is_confirmed_is_not_sent_again_unless_asked() -> None:
    ledger = in_force(site(), A1=50_000)
    assert planned(ledger, wish(A1, 50_000), fallback_wish(A1)) == Plan()
    again = planned(ledger, wish(A1, 50_000, again=True))
    assert values(again.send) == [("A/1", 50_000)]


def test_an_unconfirmed_value_is_sent_again() -> None:
    ledger = in_force(site(), A1=50_000)
    ledger.send(_entry(20, A1, Scope.SESSION, 40_000, "A/1"))
    ledger.settle(20, EntryState.REFUSED, 0.0)
    assert values(planned(ledger, wish(A1, 40_000)).send) == [("A/1", 40_000)]


def test_a_session_needs_no_limit_that_says_the_same_as_the_fallback() -> None:
    ledger = in_force(site())
    assert planned(ledger, wish(A1, 0)) == Plan()
    bare = Ledger(site())
    assert values(planned(bare, wish(A1, 0)).send) == [("A/1", 0)]


def test_a_busy_connector_waits() -> None:
    ledger = in_force(site(), A1=50_000)
    result = planned(ledger, wish(A1, 20_000), busy=(A1,))
    assert result.send == ()
    assert values(result.waiting) == [("A/1", 20_000)]


def test_one_limit_per_connector_at_a_time_fallback_first() -> None:
    built = site()
    ledger = Ledger(built, seen=["A", "B"])
    result = planned(ledger, fallback_wish(A1), wish(A1, 10_000))
    assert [w.scope for w in result.send] == [Scope.DEFAULT]
    assert [w.scope for w in result.waiting] == [Scope.SESSION]


def test_an_overcommitted_station_raises_nothing_that_may_have_been_lowered() -> None:
    ledger = in_force(site(grid_limit_w=100_000), A1=150_000, B1=70_000)
    ledger.send(_entry(20, A1, Scope.SESSION, 40_000, "A/1"))
    ledger.settle(20, EntryState.UNANSWERED, 0.0)
    assert values(planned(ledger, wish(A1, 90_000)).send) == [("A/1", 40_000)]
    ledger.doubt("A")
    fallback = planned(ledger, fallback_wish(A1)).send
    assert values(fallback) == [("A/1", 0)]


@pytest.mark.parametrize(("beside_w", "told_w"), [(45_000, 55_000), (97_000, 0)])
def test_a_cut_in_midst_of_a_raise_leaves_what_the_others_leave(beside_w: int, told_w: int) -> None:
    built = station(charger("A", minimum_w=5_000), charger("B"), grid_limit_w=100_000)
    ledger = in_force(built, B1=beside_w)
    # It may have this already, or still run on its fallback of 0.
    ledger.send(_entry(20, A1, Scope.SESSION, 150_000, "A/1"))
    assert values(planned(ledger, wish(A1, 90_000)).send) == [("A/1", told_w)]


def test_a_station_within_its_limit_may_move_freely_below_what_is_counted() -> None:
    ledger = in_force(site(), A1=150_000)
    ledger.send(_entry(20, A1, Scope.SESSION, 40_000, "A/1"))
    ledger.settle(20, EntryState.UNANSWERED, 0.0)
    assert values(planned(ledger, wish(A1, 90_000)).send) == [("A/1", 90_000)]


# -------------------------------------------------------------------------------- leases


def leased(built: Station, **limits: int) -> Ledger:
    """The same, with leases given at 0 that end at 300."""
    ledger = in_force(built)
    for token, (name, value_w) in enumerate(limits.items(), start=50):
        key = ConnectorKey(name[0], int(name[1:]))
        entry = _entry(token, key, Scope.SESSION, value_w, str(key))
        limit = replace(entry.limit, expires_at=300.0)
        ledger.send(replace(entry, limit=limit, counts_until=360.0))
        ledger.settle(token, EntryState.CONFIRMED, 0.0)
    return ledger


def test_a_lease_in_force_is_renewed_at_half_its_life() -> None:
    ledger = leased(site(), A1=50_000)
    assert planned(ledger, wish(A1, 50_000), now=149.9) == Plan()
    assert values(planned(ledger, wish(A1, 50_000), now=150.0).send) == [("A/1", 50_000)]


def test_a_limit_without_an_end_is_not_renewed() -> None:
    ledger = in_force(site(), A1=50_000)
    assert planned(ledger, wish(A1, 50_000), now=1e9) == Plan()


def test_a_lease_that_ran_out_is_given_anew_as_a_raise() -> None:
    ledger = leased(site(), A1=150_000, B1=50_000)
    ledger.expire(360.0)
    ledger.send(_entry(60, B1, Scope.SESSION, 120_000, "B/1"))
    ledger.settle(60, EntryState.CONFIRMED, 361.0)
    result = planned(ledger, wish(A1, 150_000), now=361.0)
    assert values(result.send) == [("A/1", 80_000)]


def test_a_renewal_raises_nothing_while_the_station_is_overcommitted() -> None:
    ledger = leased(site(grid_limit_w=100_000), A1=150_000, B1=100_000)
    # A clock that is a minute ahead has ended the lease.
    assert values(planned(ledger, wish(A1, 90_000), now=239.0).send) == [("A/1", 90_000)]
    assert values(planned(ledger, wish(A1, 90_000), now=240.0).send) == [("A/1", 0)]


# ------------------------------------------------------------------------- held back, and cut


def test_when_nothing_may_be_raised_lowers_and_repeats_still_go_out() -> None:
    ledger = in_force(site(), A1=50_000, A2=50_000)
    wishes = (wish(A1, 20_000), wish(A2, 50_000, again=True), wish(B1, 10_000))
    result = planned(ledger, *wishes, raises=False)
    assert values(result.send) == [("A/1", 20_000), ("A/2", 50_000)]
    assert values(result.waiting) == [("B/1", 10_000)]


def test_a_lower_cut_to_what_is_confirmed_already_is_not_sent_again_and_again() -> None:
    ledger = in_force(site(grid_limit_w=100_000), A1=150_000, B1=40_000)
    ledger.send(_entry(20, A1, Scope.SESSION, 65_000, "A/1"))
    ledger.settle(20, EntryState.CONFIRMED, 0.0)
    ledger.suspect(B1, 100_000)
    # Overcommitted by 65 kW through B/1: its limit of 60 kW would be a raise above what is told.
    result = planned(ledger, wish(B1, 60_000), wish(A1, 20_000))
    assert values(result.send) == [("A/1", 20_000)]
    assert values(result.waiting) == [("B/1", 40_000)]


def test_a_raised_fallback_needs_room_like_any_raise() -> None:
    ledger = in_force(site(), B1=195_000)
    result = planned(ledger, fallback_wish(A1, 4_000))
    assert values(result.send) == [("A/1", 4_000)]
    full = in_force(site(), B1=200_000)
    result = planned(full, fallback_wish(A1, 4_000))
    assert result.send == ()
    assert values(result.waiting) == [("A/1", 4_000)]


def test_a_lowered_maximum_leaves_no_room_before_lower_limits_are_confirmed() -> None:
    ledger = in_force(site(), A1=100_000)
    smaller = station(charger("A", max_power_w=60_000), charger("B"), grid_limit_w=200_000)
    ledger.rebuild(smaller)
    wishes = (wish(A1, 40_000), wish(A2, 20_000), wish(B1, 140_000))
    result = planned(ledger, *wishes)
    assert values(result.send) == [("A/1", 40_000)]
    assert values(result.waiting) == [("A/2", 20_000), ("B/1", 140_000)]
    ledger.send(_entry(60, A1, Scope.SESSION, 40_000, "A/1"))
    ledger.settle(60, EntryState.CONFIRMED, 1.0)
    assert values(planned(ledger, *wishes).send) == [("A/2", 20_000), ("B/1", 140_000)]


def test_a_cut_limit_names_the_node_that_binds() -> None:
    built = station(
        charger("A", feeder_id="F", max_power_w=100_000),
        charger("B", feeder_id="F"),
        grid_limit_w=250_000,
        feeders=(Feeder("F", 150_000),),
    )
    ledger = in_force(built, A1=90_000)

    def source_of(result: Plan) -> LimitSource:
        (sent,) = result.send
        return sent.limit.source

    asked = Limit(99_000, LimitSource.VEHICLE)
    by_feeder = planned(ledger, Wish(B1, Scope.SESSION, asked, "B/1", 7))
    assert (values(by_feeder.send), source_of(by_feeder)) == ([("B/1", 60_000)], LimitSource.FEEDER)
    by_charger = planned(ledger, Wish(A2, Scope.SESSION, asked, "A/2", 7))
    assert (values(by_charger.send), source_of(by_charger)) == (
        [("A/2", 10_000)],
        LimitSource.CHARGER,
    )
    ledger.rebuild(replace(built, grid_limit_w=120_000))
    by_grid = planned(ledger, Wish(B1, Scope.SESSION, asked, "B/1", 7))
    assert (values(by_grid.send), source_of(by_grid)) == ([("B/1", 30_000)], LimitSource.GRID)
    ledger.rebuild(replace(built, grid_limit_w=40_000))
    # What is told names the node that is overcommitted; what fits names its own source.
    ledger.send(_entry(60, A1, Scope.SESSION, 50_000, "A/1"))
    ledger.settle(60, EntryState.UNANSWERED, 1.0)
    lowered = planned(ledger, Wish(A1, Scope.SESSION, Limit(70_000, LimitSource.VEHICLE), "A/1", 7))
    assert (values(lowered.send), source_of(lowered)) == ([("A/1", 50_000)], LimitSource.GRID)
    fits = planned(ledger, Wish(A1, Scope.SESSION, Limit(40_000, LimitSource.VEHICLE), "A/1", 7))
    assert (values(fits.send), source_of(fits)) == ([("A/1", 40_000)], LimitSource.VEHICLE)


def test_an_end_that_is_being_tested_is_not_put_off() -> None:
    built = site()
    ledger = in_force(built)
    entry = _entry(9, A1, Scope.SESSION, 50_000, str(A1))
    ledger.send(replace(entry, limit=replace(entry.limit, expires_at=100.0)))
    ledger.settle(9, EntryState.CONFIRMED, 0.0)
    asked = wish(A1, 50_000)
    assert planned(ledger, asked, now=60.0).send == (asked,)
    assert planned(ledger, replace(asked, ends_in_s=100.0), now=60.0) == Plan()


# ------------------------------------------------------------------------------- a charger's node


def feared() -> Ledger:
    """Charger A of 200 kW, both of whose connectors may go to 200 kW at any moment."""
    ledger = in_force(site(grid_limit_w=400_000))
    for key in (A1, A2):
        ledger.suspect(key, 200_000)
    return ledger


def test_fear_for_both_connectors_of_a_charger_leaves_room_for_limits() -> None:
    plan = planned(feared(), wish(A1, 200_000), wish(B1, 200_000))
    assert values(plan.send) == [("A/1", 200_000), ("B/1", 200_000)]


def test_what_a_charger_is_permitted_in_all_stays_within_its_maximum() -> None:
    plan = planned(feared(), wish(A1, 150_000), wish(A2, 150_000))
    assert values(plan.send) == [("A/1", 150_000), ("A/2", 50_000)]


def test_a_fallback_is_not_cut_for_what_another_connector_has_been_given() -> None:
    built = station(charger("A", fallback_w=5_000))
    ledger = Ledger(built, seen=["A"])
    ledger.send(_entry(1, A1, Scope.DEFAULT, 5_000, None))
    ledger.settle(1, EntryState.CONFIRMED, 0.0)
    ledger.send(_entry(2, A1, Scope.SESSION, 200_000, str(A1)))
    ledger.settle(2, EntryState.CONFIRMED, 0.0)
    plan = planned(ledger, fallback_wish(A2, 5_000))
    assert values(plan.send) == [("A/2", 5_000)]


# -------------------------------------------------------------------------------- floors


def test_a_limit_below_what_goes_on_anyhow_frees_nothing() -> None:
    ledger = in_force(site(grid_limit_w=100_000), A1=5_000, B1=50_000)
    ledger.set_floor(A1, 5_000)
    # As 0 lowers nothing, no raise has to wait for it as a whole; and it has no room to give.
    result = planned(ledger, wish(A1, 0), wish(B1, 100_000))
    assert values(result.send) == [("A/1", 0), ("B/1", 95_000)]
    # Up to there a limit raises nothing, whatever is overcommitted.
    short = in_force(site(grid_limit_w=40_000), A1=0, B1=50_000)
    short.set_floor(A1, 5_000)
    result = planned(short, wish(A1, 5_000))
    assert values(result.send) == [("A/1", 5_000)]
