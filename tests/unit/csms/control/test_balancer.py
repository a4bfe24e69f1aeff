from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from csms.balancing.allocation import Node, Share, violations
from csms.balancing.allocators import max_min
from csms.balancing.demand import DemandPolicy
from csms.control.balancer import Balancer, Standing, Watched
from csms.dispatch.capability import AtZero, Capability, floor_of
from csms.dispatch.commands import Form, Purpose, Scope
from csms.dispatch.goals import Goal
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.policy import DispatchPolicy
from csms.station.facts import MeterSample
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Limit,
    LimitSource,
    RateUnit,
    Station,
)
from csms.station.register import Register
from csms.station.state import LimitStep, Reading, Session, StationState
from tests.stations import charger, station
from tests.unit.csms.control.fakes import rig

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)
C1 = ConnectorKey("C", 1)
WATTS = Capability(unit=RateUnit.WATTS)
HERE = Standing(connected=True, settling=False, capability=WATTS)
SETTLING = replace(HERE, settling=True)
AWAY = Standing(connected=False, settling=False, capability=WATTS)
NOW = 1_000.0


class Bench:
    """A station, its state and ledger, and a balancer to ask."""

    def __init__(self, built: Station, *, confirmed: bool = True, seen: bool = True) -> None:
        self.state = StationState.of(built)
        self.trees: list[Node] = []
        ids = [c.charger_id for c in built.chargers]
        self.ledger = Ledger(built, seen=ids if seen else [])
        self.standing = dict.fromkeys(ids, HERE)
        self.held: set[tuple[ConnectorKey, Scope]] = set()
        self.watched = Watched()
        self.tokens = 0
        self.balancer = Balancer(self.allocate, DemandPolicy(), DispatchPolicy())
        if confirmed:
            for connector in built.connectors():
                self.give(connector.key, connector.fallback_w)

    def allocate(self, root: Node, now: float) -> dict[ConnectorKey, Share]:
        self.trees.append(root)
        return max_min.allocate(root, now)

    def plug_in(self, key: ConnectorKey, vehicle_max_w: int | None = None) -> Session:
        session = Session(
            f"s-{key}", 1, key, "TAG", NOW, Register(0), vehicle_max_w, waiting_since=NOW + 1
        )
        self.state.connectors[key].session = session
        return session

    def give(
        self,
        key: ConnectorKey,
        value_w: int,
        session: Session | None = None,
        stack_level: int = 0,
        state: EntryState = EntryState.CONFIRMED,
    ) -> None:
        """A limit that the charger has confirmed, or else answered so."""
        self.tokens += 1
        scope = Scope.DEFAULT if session is None else Scope.SESSION
        limit = Limit(value_w, LimitSource.GRID)
        session_id = None if session is None else session.session_id
        entry = Entry(self.tokens, key, scope, limit, EntryState.SENT, NOW, session_id=session_id)
        self.ledger.send(replace(entry, stack_level=stack_level))
        self.ledger.settle(self.tokens, state, NOW)

    def balance(self, now: float = NOW) -> Mapping[ConnectorKey, Goal]:
        return self.balancer.balance(
            self.state, self.ledger, self.standing, self.is_held, self.watched, now
        )

    def is_held(self, key: ConnectorKey, scope: Scope) -> bool:
        return (key, scope) in self.held

    def values(self, now: float = NOW) -> dict[str, int]:
        return {str(key): goal.value_w for key, goal in self.balance(now).items()}


def two_chargers(grid_limit_w: int = 300_000, fallback_w: int = 0) -> Station:
    chargers = (charger(name, fallback_w=fallback_w) for name in ("A", "B"))
    return station(*chargers, grid_limit_w=grid_limit_w)


def test_a_station_without_sessions_has_no_goals() -> None:
    bench = Bench(two_chargers())
    assert bench.balance() == {}
    assert bench.balancer.goals == {}
    assert bench.balancer.demands == {}


def test_the_worked_example() -> None:
    bench = Bench(two_chargers(330_000))
    bench.plug_in(A1, 80_000)
    bench.plug_in(A2, 150_000)
    bench.plug_in(B1, 150_000)
    assert bench.values() == {"A/1": 80_000, "A/2": 120_000, "B/1": 130_000}
    sources = [goal.source for goal in bench.balancer.goals.values()]
    assert sources == [LimitSource.VEHICLE, LimitSource.CHARGER, LimitSource.GRID]
    assert (
        violations(
            bench.trees[-1],
            {key: Share(goal.value_w, goal.source) for key, goal in bench.balancer.goals.items()},
        )
        == []
    )


def test_demands_are_known_by_session_and_forgotten_with_it() -> None:
    bench = Bench(two_chargers())
    bench.plug_in(A1, 80_000)
    bench.balance()
    assert {name: d.bound_w for name, d in bench.balancer.demands.items()} == {"s-A/1": 80_000}
    bench.state.connectors[A1].session = None
    bench.balance()
    assert bench.balancer.demands == {}
    assert bench.balancer.goals == {}


def test_an_offline_charger_counts_at_its_last_limit_and_others_get_the_rest() -> None:
    bench = Bench(two_chargers())
    bench.give(A1, 180_000, bench.plug_in(A1))
    bench.plug_in(B1)
    bench.standing["A"] = AWAY
    assert bench.values() == {"A/1": 180_000, "B/1": 120_000}
    assert bench.balancer.goals[A1].source is LimitSource.UNCERTAIN


def test_an_offline_charger_without_a_session_counts_at_its_fallback() -> None:
    bench = Bench(two_chargers(fallback_w=20_000))
    bench.plug_in(B1)
    bench.standing["A"] = AWAY
    # 300 kW less 2 x 20 kW on A and 20 kW on the other connector of B.
    assert bench.values() == {"B/1": 180_000}
    bench.plug_in(B2)
    assert bench.values() == {"B/1": 100_000, "B/2": 100_000}


def test_a_charger_never_seen_counts_at_its_fallback() -> None:
    bench = Bench(two_chargers(200_000, fallback_w=30_000), confirmed=False, seen=False)
    bench.standing["A"] = AWAY
    bench.ledger.mark_seen("B")
    bench.give(B1, 30_000)
    bench.give(B2, 30_000)
    bench.plug_in(B1)
    assert bench.values() == {"B/1": 110_000}


def test_a_charger_seen_without_a_confirmed_fallback_counts_at_its_maximum() -> None:
    bench = Bench(two_chargers())
    bench.plug_in(B1)
    bench.ledger.doubt("A")
    assert bench.values() == {"B/1": 100_000}
    # The charger's hardware holds: two connectors of 200 kW draw no more than 200 kW.
    assert bench.trees[-1].cap_w == 100_000


def test_while_it_settles_an_idle_charger_counts_at_its_fallback() -> None:
    bench = Bench(two_chargers(fallback_w=10_000))
    bench.plug_in(B1)
    bench.ledger.doubt("A")
    bench.standing["A"] = SETTLING
    # 300 kW less 2 x 10 kW on A and 10 kW on the other connector of B; the charger gives 190 kW.
    assert bench.values() == {"B/1": 190_000}
    bench.standing["A"] = HERE
    assert bench.values() == {"B/1": 90_000}


def test_while_it_settles_a_charging_charger_takes_part() -> None:
    bench = Bench(two_chargers(200_000))
    bench.plug_in(A1)
    bench.plug_in(B1)
    bench.ledger.doubt("A")
    bench.standing["A"] = SETTLING
    assert bench.values() == {"A/1": 100_000, "B/1": 100_000}
    bench.standing["A"] = HERE
    # Both connectors of A may run without a limit, 200 kW in all: nothing is left to share.
    assert bench.values() == {"A/1": 200_000, "B/1": 0}
    assert bench.balancer.goals[A1].source is LimitSource.UNCERTAIN


ONE_SLOT = Capability(unit=RateUnit.WATTS, session_form=Form(Purpose.DEFAULT, RateUnit.WATTS))


@pytest.mark.parametrize(
    ("capability", "scope", "other"),
    [(WATTS, Scope.SESSION, Scope.DEFAULT), (ONE_SLOT, Scope.DEFAULT, Scope.SESSION)],
)
def test_a_refusing_connector_counts_at_what_may_be_in_force(
    capability: Capability, scope: Scope, other: Scope
) -> None:
    bench = Bench(two_chargers())
    bench.standing["A"] = replace(HERE, capability=capability)
    bench.give(A1, 180_000, bench.plug_in(A1))
    bench.plug_in(B1)
    bench.held = {(A1, scope)}
    assert bench.values() == {"A/1": 180_000, "B/1": 120_000}
    bench.held = {(A1, other)}
    assert bench.values() == {"A/1": 150_000, "B/1": 150_000}


def test_a_share_that_only_reports_what_is_reserved_is_never_above_what_there_is() -> None:
    bench = Bench(two_chargers())
    bench.give(A1, 200_000, bench.plug_in(A1))
    bench.plug_in(B1)
    bench.standing["A"] = AWAY
    bench.state.station = two_chargers(50_000)
    bench.ledger.rebuild(bench.state.station)
    assert bench.values() == {"A/1": 50_000, "B/1": 0}


def test_what_was_seen_above_a_nameplate_is_taken_from_the_others() -> None:
    chargers = (charger(name, max_power_w=100_000, connectors=1) for name in ("A", "B", "C"))
    bench = Bench(station(*chargers, grid_limit_w=200_000))
    for key in (A1, B1, C1):
        bench.plug_in(key)
    bench.ledger.suspect(A1, 150_000)
    values = bench.values()
    assert (values["B/1"], values["C/1"]) == (25_000, 25_000)
    assert bench.ledger.charger_w("A") == 150_000


def test_after_a_cut_those_that_may_not_obey_are_told_what_fits_beside_the_others() -> None:
    bench = Bench(two_chargers(400_000, fallback_w=5_000))
    for key in (A1, A2):
        bench.give(key, 60_000, bench.plug_in(key))
        bench.ledger.suspect(key, 200_000)
    bench.give(B1, 30_000, bench.plug_in(B1))
    bench.standing["B"] = AWAY
    assert bench.values() == {"A/1": 100_000, "A/2": 100_000, "B/1": 30_000}
    bench.state.station = two_chargers(100_000, fallback_w=5_000)
    bench.ledger.rebuild(bench.state.station)
    # 100 kW less the 30 kW and 5 kW that B may draw, were A to obey.
    assert bench.values() == {"A/1": 32_500, "A/2": 32_500, "B/1": 30_000}
    bench.standing["B"] = HERE
    # B has not confirmed a lower limit yet.
    assert bench.values() == {"A/1": 32_500, "A/2": 32_500, "B/1": 5_000}
    bench.give(B1, 5_000, bench.state.connectors[B1].session)
    assert bench.values() == {"A/1": 45_000, "A/2": 45_000, "B/1": 5_000}


def test_one_that_may_follow_an_older_limit_on_a_higher_level_counts_at_it() -> None:
    bench = Bench(two_chargers(200_000, fallback_w=5_000))
    session = bench.plug_in(A1)
    bench.give(A1, 90_000, session, stack_level=1, state=EntryState.REFUSED)
    bench.give(A1, 60_000, session)
    bench.plug_in(B1)
    # It counts at 90 kW whatever it is told, so it is told that, and the others share the rest.
    assert bench.values() == {"A/1": 90_000, "B/1": 100_000}
    bench.give(B1, 95_000, bench.state.connectors[B1].session)
    bench.state.station = two_chargers(100_000, fallback_w=5_000)
    bench.ledger.rebuild(bench.state.station)
    # After a cut the others make room for it, and it makes what room it can.
    assert bench.values() == {"A/1": 5_000, "B/1": 5_000}
    bench.give(B1, 5_000, bench.state.connectors[B1].session)
    assert bench.values() == {"A/1": 85_000, "B/1": 5_000}


def test_those_that_may_not_obey_are_not_told_less_than_is_worth_offering() -> None:
    connectors = (Connector(A1, 22_000, CurrentType.AC, minimum_w=4_140),)
    built = station(Charger("A", 22_000, connectors), charger("B"), grid_limit_w=220_000)
    bench = Bench(built)
    bench.plug_in(A1)
    bench.ledger.suspect(A1, 22_000)
    bench.give(B1, 200_000, bench.plug_in(B1))
    bench.standing["B"] = AWAY
    for limit_w, told_w in ((219_999, 19_999), (204_140, 4_140), (204_139, 0)):
        bench.state.station = replace(built, grid_limit_w=limit_w)
        bench.ledger.rebuild(bench.state.station)
        assert bench.values()["A/1"] == told_w
    bench.standing["A"] = replace(HERE, capability=Capability(unit=RateUnit.AMPERES))
    bench.state.station = replace(built, grid_limit_w=219_999)
    # 28.9 A on three phases of 230 V.
    assert bench.values()["A/1"] == 19_941


@pytest.mark.parametrize(
    ("why", "told_w"), [("forgets", 55_000), ("convicted", 5_000), ("under test", 5_000)]
)
def test_beside_one_that_is_only_feared_to_forget_there_is_what_it_does_not_draw(
    why: str, told_w: int
) -> None:
    built = station(charger("A", max_power_w=100_000, fallback_w=5_000), grid_limit_w=60_000)
    bench = Bench(built)
    bench.give(A1, 95_000, bench.plug_in(A1))
    for key in (A1, A2):
        bench.ledger.suspect(key, 100_000)
    bench.watched = Watched(
        on_probation=[A2] if why == "convicted" else [],
        under_test=[A2] if why == "under test" else [],
    )
    assert bench.values() == {"A/1": told_w}
    # The charger counts at its maximum all the same.
    assert bench.ledger.total_w() == 100_000


def test_nobody_waits_to_see_whether_a_silent_charger_takes_less() -> None:
    bench = Bench(two_chargers(100_000))
    bench.give(A1, 90_000, bench.plug_in(A1))
    bench.plug_in(B1)
    assert bench.values() == {"A/1": 50_000, "B/1": 50_000}
    bench.standing["A"] = replace(HERE, silent=True)
    assert bench.values() == {"A/1": 50_000, "B/1": 10_000}
    # It has less already than it is to have: nothing is waited for.
    bench.give(A1, 40_000, bench.state.session_on(A1))
    assert bench.values() == {"A/1": 50_000, "B/1": 50_000}


def test_one_that_may_not_obey_is_told_of_a_cut_as_soon_as_it_is_back() -> None:
    bench = Bench(two_chargers(100_000))
    session = bench.plug_in(A1)
    bench.give(A1, 100_000, session)
    bench.ledger.suspect(A1, 200_000)
    bench.give(B1, 20_000, bench.plug_in(B1))
    bench.watched = Watched(on_probation=[A1])
    bench.standing["B"] = bench.standing["A"] = AWAY
    assert bench.values() == {"A/1": 100_000, "B/1": 20_000}
    bench.standing["A"] = HERE
    assert bench.values() == {"A/1": 80_000, "B/1": 20_000}


def test_those_that_may_not_obey_are_told_at_least_their_fallback() -> None:
    bench = Bench(two_chargers(50_000, fallback_w=12_000))
    bench.plug_in(A1)
    bench.ledger.suspect(A1, 200_000)
    bench.give(B1, 40_000, bench.plug_in(B1))
    bench.standing["B"] = AWAY
    assert bench.values() == {"A/1": 12_000, "B/1": 40_000}


def test_the_fallback_is_given_whatever_the_vehicle_wants() -> None:
    bench = Bench(two_chargers(fallback_w=50_000))
    bench.plug_in(A1, 20_000)
    assert bench.values() == {"A/1": 50_000}
    assert bench.trees[-1].children[0] == Node(
        "A",
        150_000,
        LimitSource.CHARGER,
        tuple(replace(leaf, floor_w=50_000, upper_w=50_000) for leaf in bench.trees[-1].leaves()),
    )


def test_every_number_of_a_connector_reaches_the_allocator() -> None:
    connector = Connector(
        A1, 22_000, CurrentType.AC, phases=3, minimum_w=4_140, fallback_w=1_000, weight=2.5
    )
    bench = Bench(station(Charger("A", 30_000, (connector,))))
    bench.plug_in(A1, 11_000)
    bench.standing["A"] = replace(HERE, capability=Capability(unit=RateUnit.AMPERES))
    bench.balance()
    (leaf,) = bench.trees[-1].leaves()
    assert leaf.key == A1
    assert (leaf.upper_w, leaf.upper_source) == (11_000, LimitSource.VEHICLE)
    assert (leaf.floor_w, leaf.minimum_w, leaf.weight) == (1_000, 4_140, 2.5)
    assert (leaf.waiting_since, leaf.quantum_w) == (NOW + 1, 69)


@pytest.mark.parametrize(
    ("unit", "value_w"), [(RateUnit.WATTS, 11_000), (RateUnit.AMPERES, 10_971)]
)
def test_shares_come_in_steps_the_charger_can_be_told(unit: RateUnit, value_w: int) -> None:
    connector = Connector(A1, 22_000, CurrentType.AC)
    bench = Bench(station(Charger("A", 22_000, (connector,))))
    bench.plug_in(A1, 11_000)
    bench.standing["A"] = replace(HERE, capability=Capability(unit=unit))
    assert bench.values() == {"A/1": value_w}


def test_static_load_and_reserve_are_not_shared() -> None:
    bench = Bench(
        station(charger("A"), grid_limit_w=100_000, static_load_w=10_000, reserve_w=5_000)
    )
    bench.plug_in(A1)
    assert bench.values() == {"A/1": 85_000}


# --------------------------------------------------------------- from one cycle to the next


def draws(session: Session, *power_w: int, until: float) -> None:
    """Readings five seconds apart, the last one at `until`."""
    for index, watts in enumerate(power_w):
        session.readings.append(Reading(until - 5.0 * (len(power_w) - 1 - index), watts))


def charging(bench: Bench) -> tuple[Session, Session]:
    """Two vehicles that have had 100 kW each for a long time, one of which draws 40 kW."""
    first, second = bench.plug_in(A1), bench.plug_in(B1)
    for session in (first, second):
        session.limits.append(LimitStep(NOW, 100_000))
    bench.balance()
    draws(first, 40_000, 40_000, until=NOW + 200)
    draws(second, 100_000, 100_000, until=NOW + 200)
    return first, second


def test_what_a_vehicle_leaves_goes_to_the_others() -> None:
    bench = Bench(two_chargers(200_000))
    charging(bench)
    assert bench.values(NOW + 200) == {"A/1": 45_000, "B/1": 155_000}
    assert bench.balancer.goals[A1].source is LimitSource.DEMAND


def test_raises_that_follow_a_demand_are_spaced() -> None:
    bench = Bench(two_chargers(200_000))
    first, _ = charging(bench)
    bench.balance(NOW + 200)
    first.readings.clear()
    draws(first, 20_000, 20_000, until=NOW + 210)
    assert bench.values(NOW + 210) == {"A/1": 45_000, "B/1": 155_000}
    draws(first, 20_000, until=NOW + 231)
    assert bench.values(NOW + 231) == {"A/1": 24_000, "B/1": 176_000}


def a_start(bench: Bench) -> None:
    bench.plug_in(A2, 9_000)


def a_stop(bench: Bench) -> None:
    bench.state.connectors[A1].session = None
    bench.ledger.end_session(A1, "s-A/1")


def a_new_grid_limit(bench: Bench) -> None:
    bench.state.station = two_chargers(210_000)
    bench.ledger.rebuild(bench.state.station)


def a_declared_maximum(bench: Bench) -> None:
    session = bench.state.connectors[A1].session
    assert session is not None
    session.vehicle_max_w = 30_000


def a_charger_gone(bench: Bench) -> None:
    bench.standing["A"] = AWAY


def a_refusal(bench: Bench) -> None:
    bench.held = {(A1, Scope.SESSION)}


@pytest.mark.parametrize(
    ("happens", "after"),
    [
        (a_start, {"A/1": 45_000, "A/2": 9_000, "B/1": 146_000}),
        (a_stop, {"B/1": 200_000}),
        (a_new_grid_limit, {"A/1": 45_000, "B/1": 165_000}),
        (a_declared_maximum, {"A/1": 30_000, "B/1": 170_000}),
        (a_charger_gone, {"A/1": 100_000, "B/1": 100_000}),
        (a_refusal, {"A/1": 100_000, "B/1": 100_000}),
    ],
)
def test_an_event_is_acted_on_at_once(
    happens: Callable[[Bench], None], after: dict[str, int]
) -> None:
    bench = Bench(two_chargers(200_000))
    first, second = charging(bench)
    bench.give(A1, 100_000, first)
    bench.give(B1, 100_000, second)
    bench.balance(NOW + 200)
    assert bench.balancer.goals[B1] == Goal(155_000, LimitSource.GRID, NOW + 200)
    happens(bench)
    assert bench.values(NOW + 201) == after


def test_a_share_that_grows_back_after_an_event_is_given_at_once() -> None:
    bench = Bench(two_chargers(200_000))
    bench.give(A1, 100_000, bench.plug_in(A1))
    bench.give(B1, 100_000, bench.plug_in(B1))
    bench.standing["A"] = AWAY
    bench.balance()
    bench.state.connectors[A1].session = None
    bench.ledger.end_session(A1, "s-A/1")
    assert bench.values(NOW + 1) == {"B/1": 200_000}


async def test_in_the_loop_a_vehicle_that_takes_less_leaves_the_rest_to_the_others() -> None:
    async with rig(two_chargers(200_000), "A", "B") as site:
        await site.start(A1)
        await site.start(B1)
        assert site.limits() == {"A/1": 100_000, "B/1": 100_000}
        for _ in range(2):
            await site.later(60.0)
            for key, watts in ((A1, 40_000), (B1, 100_000)):
                site.loop.post(MeterSample(key, site.clock.now(), power_w=watts))
            await site.quiet()
        assert site.limits() == {"A/1": 45_000, "B/1": 155_000}
        # It draws all it is given now: it may want more, and has its share back at once.
        await site.later(60.0)
        site.loop.post(MeterSample(A1, site.clock.now(), power_w=45_000))
        await site.quiet()
        assert site.limits() == {"A/1": 100_000, "B/1": 100_000}
        assert site.link.peak_w == 200_000


def test_the_maximum_of_a_connector_under_test_is_kept_free() -> None:
    bench = Bench(two_chargers(250_000))
    bench.plug_in(A1)
    bench.plug_in(B1)
    bench.watched = Watched(under_test={A1})
    assert bench.values()["B/1"] == 50_000


# ------------------------------------------------------------------------ limits of 0


def at_zero(bench: Bench, charger_id: str, what: AtZero) -> None:
    """What this charger does at a limit of 0, as the watch tells the ledger."""
    capability = replace(WATTS, at_zero=what)
    bench.standing[charger_id] = replace(HERE, capability=capability)
    for connector in bench.state.station.connectors():
        if connector.key.charger_id == charger_id:
            bench.ledger.set_floor(connector.key, floor_of(connector, capability))


def with_minimum(*names: str, grid_limit_w: int) -> Station:
    chargers = (charger(n, connectors=1, minimum_w=50_000) for n in names)
    return station(*chargers, grid_limit_w=grid_limit_w)


def test_who_goes_on_at_zero_is_told_its_minimum_and_others_share_the_rest() -> None:
    bench = Bench(with_minimum("A", "B", grid_limit_w=90_000))
    for key in (B1, A1):
        bench.plug_in(key)
    assert bench.values(NOW + 1) == {"A/1": 90_000, "B/1": 0}
    # Learned now: there is less to share, and every goal moves at once.
    at_zero(bench, "B", AtZero.MINIMUM)
    assert bench.values(NOW + 1) == {"A/1": 0, "B/1": 90_000}
    bench.plug_in(A1, 20_000)
    at_zero(bench, "A", AtZero.MINIMUM)
    assert bench.values(NOW + 1) == {"A/1": 50_000, "B/1": 50_000}


@pytest.mark.parametrize("settling", [False, True])
def test_who_goes_on_at_zero_takes_from_the_others_without_a_session_too(settling: bool) -> None:
    bench = Bench(with_minimum("A", "B", grid_limit_w=190_000), confirmed=not settling)
    at_zero(bench, "B", AtZero.MINIMUM)
    if settling:
        bench.standing |= {n: replace(s, settling=True) for n, s in bench.standing.items()}
    bench.plug_in(A1)
    assert bench.values() == {"A/1": 140_000}


def test_nobody_whom_zero_would_end_is_told_it_while_its_minimum_fits() -> None:
    bench = Bench(with_minimum("A", "B", "C", grid_limit_w=120_000))
    for key in (A1, B1, C1):
        bench.plug_in(key)
    for name in "BC":
        at_zero(bench, name, AtZero.STOP)
    for turn in range(4):
        values = bench.values(NOW + 1 + 900 * turn)
        assert values == {"A/1": 0, "B/1": 60_000, "C/1": 60_000}
    # Where only one fits, the one that has waited longest; the other is told 0 all the same.
    bench.state.connectors[B1].session = replace(bench.plug_in(B1), waiting_since=NOW + 2)
    bench.state.station = with_minimum("A", "B", "C", grid_limit_w=90_000)
    for turn in range(4):
        values = bench.values(NOW + 1 + 900 * turn)
        assert values == {"A/1": 0, "B/1": 0, "C/1": 90_000}
