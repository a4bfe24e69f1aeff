"""A station with a ramp, whatever happens to it: what is given out rises by a step in a window."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from csms.balancing.allocators import max_min
from csms.balancing.demand import DemandPolicy
from csms.balancing.ramp import Ramp
from csms.control.balancer import Balancer, Standing, Watched
from csms.dispatch.capability import Capability
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import RAMP_WINDOW_S, ConnectorKey, Limit, LimitSource, RateUnit
from csms.station.register import Register
from csms.station.state import Session, StationState
from tests.stations import charger, station

STEP_W = 20_000
NAMES = "ABC"
PAUSES_S = (0.0, 0.5, 1.0, 29.0, 59.5, 60.0, 61.0)
TOTALS_W = st.integers(0, 300_000)


@given(st.lists(st.tuples(st.sampled_from(PAUSES_S), TOTALS_W)))
def test_a_window_never_gives_more_than_a_step_above_its_least(
    looks: list[tuple[float, int]],
) -> None:
    ramp, now, began_at, least_w = Ramp(), 0.0, -RAMP_WINDOW_S, 0
    for pause_s, total_w in looks:
        now += pause_s
        if now - began_at >= RAMP_WINDOW_S:
            began_at, least_w = now, total_w
        least_w = min(least_w, total_w)
        assert ramp.ceiling_w(total_w, STEP_W, now) == least_w + STEP_W
        assert ramp.began_at == began_at


class Site:
    """A station with a ramp, and chargers that confirm when the test says so."""

    def __init__(self) -> None:
        self.built = station(
            *(charger(name, max_power_w=100_000, connectors=2, minimum_w=3_000) for name in NAMES),
            grid_limit_w=300_000,
            ramp_w_per_min=STEP_W,
        )
        self.state = StationState.of(self.built)
        self.ledger = Ledger(self.built, seen=NAMES)
        self.balancer = Balancer(max_min.allocate, DemandPolicy(), DispatchPolicy())
        here = Standing(connected=True, settling=False, capability=Capability(unit=RateUnit.WATTS))
        self.standing = dict.fromkeys(NAMES, here)
        self.token = 0
        self.now = 1_000.0
        self.keys = [c.key for c in self.built.connectors()]
        for key in self.keys:
            self.confirm(key, 0, None)

    def confirm(self, key: ConnectorKey, value_w: int, session_id: str | None) -> None:
        self.token += 1
        scope = Scope.DEFAULT if session_id is None else Scope.SESSION
        limit = Limit(value_w, LimitSource.GRID)
        sent = Entry(
            self.token, key, scope, limit, EntryState.SENT, self.now, session_id=session_id
        )
        self.ledger.send(sent)
        self.ledger.settle(self.token, EntryState.CONFIRMED, self.now)

    def toggle(self, key: ConnectorKey) -> None:
        """A session starts, or the one that runs ends."""
        session = self.state.session_on(key)
        if session is None:
            self.token += 1
            name = f"s{self.token}"
            session = Session(name, 1, key, "T", self.now, Register(0), 90_000)
            self.state.connectors[key].session = session
        else:
            self.state.connectors[key].session = None
            self.ledger.end_session(key, session.session_id)
            self.balancer.goals.pop(key, None)

    def limit(self, grid_limit_w: int) -> None:
        self.state.station = replace(self.state.station, grid_limit_w=grid_limit_w)
        self.ledger.rebuild(self.state.station)

    def balance(self) -> int:
        goals = self.balancer.balance(
            self.state, self.ledger, self.standing, lambda *_: False, Watched(), self.now
        )
        return sum(goal.value_w for goal in goals.values())

    def running_w(self) -> int:
        """What the sessions that still run were given last."""
        goals = self.balancer.goals
        return sum(
            goals[s.connector].value_w for s in self.state.sessions() if s.connector in goals
        )

    def deliver(self, chosen: set[int]) -> None:
        for number in chosen:
            session = self.state.session_on(self.keys[number])
            goal = self.balancer.goals.get(self.keys[number])
            if session is not None and goal is not None:
                self.confirm(session.connector, goal.value_w, session.session_id)


STEPS = st.tuples(
    st.sampled_from(PAUSES_S),
    st.sets(st.integers(0, 5), max_size=6),
    st.sampled_from([None, 40_000, 150_000, 300_000]),
    st.sets(st.integers(0, 5)),
)


@given(st.lists(STEPS, max_size=30))
def test_goals_never_rise_faster_than_the_ramp(
    steps: list[tuple[float, set[int], int | None, set[int]]],
) -> None:
    site = Site()
    began_at, least_w = site.now, 0
    site.balance()
    for pause_s, toggled, limit_w, confirmed in steps:
        site.now += pause_s
        for number in toggled:
            site.toggle(site.keys[number])
        if limit_w is not None:
            site.limit(limit_w)
        before_w = site.running_w()
        if site.now - began_at >= RAMP_WINDOW_S:
            began_at, least_w = site.now, before_w
        least_w = min(least_w, before_w)
        assert site.balance() <= least_w + STEP_W
        site.deliver(confirmed)


@given(st.sets(st.integers(0, 5), min_size=1))
def test_whoever_waits_gets_it_all_in_the_end(numbers: set[int]) -> None:
    site = Site()
    for number in numbers:
        site.toggle(site.keys[number])
    for _ in range(16):
        given_w = site.balance()
        site.deliver(numbers)
        site.now += RAMP_WINDOW_S
    # Two connectors share their charger's 100 kW; one vehicle takes 90 kW.
    on = [sum(1 for n in numbers if n // 2 == c) for c in range(3)]
    assert given_w == sum(min(100_000, 90_000 * n) for n in on)
