"""A charging site stepped from event to event, with no sockets and no event loop.

State, demands, shares, goals: the parts csms decides with, on a site of simulated vehicles. A limit
is in force `CONFIRM_S` after it was pushed, a raise that needs lowers as long again after them. The
oracle's limits are in force at once.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import count

from csms.balancing.allocation import Leaf
from csms.balancing.allocators.max_min import allocate
from csms.balancing.budget import tree
from csms.balancing.demand import Demand, DemandPolicy, next_demand
from csms.balancing.quantize import quantum_w
from csms.dispatch.goals import Goal, next_goals
from csms.dispatch.policy import DispatchPolicy
from csms.station.facts import LimitConfirmed, MeterSample, SessionEnded, SessionStarted
from csms.station.model import Charger, Connector, ConnectorKey, LimitSource, RateUnit, Station
from csms.station.register import Register
from csms.station.state import Session, StationState
from csms.station.update import apply
from simulators.vehicle.vehicle import DcVehicle, Outlet
from simulators.vehicle.visits import Visit

CONFIRM_S = 0.2
SECONDS_PER_HOUR = 3600.0
STUCK_S = 120.0
SAME_FRACTION = 0.02
UNLIMITED_W = 1e9
OUTLET = Outlet()


class Knows(StrEnum):
    """What the site knows of a vehicle: its peak power, its readings, or what it takes just now."""

    NAMEPLATE = "nameplate"
    ESTIMATE = "estimate"
    ORACLE = "oracle"


def fast_chargers(grid_limit_w: int = 300_000, chargers: int = 4) -> Station:
    """Chargers of 200 kW with one connector each."""
    names = [f"DC{number}" for number in range(1, chargers + 1)]
    return Station(
        "STREAM",
        grid_limit_w,
        tuple(
            Charger(name, 200_000, (Connector(ConnectorKey(name, 1), 200_000),)) for name in names
        ),
    )


@dataclass(slots=True)
class Pump:
    """A connector and the vehicle on it.

    `stuck`: for STUCK_S the vehicle drew nothing; it wakes far sooner, and leaves when it has
    enough. `toggles`: how often the limit went A-B-A-B while nobody came or went.
    """

    connector: Connector
    visit: Visit
    vehicle: DcVehicle
    session_id: str
    limit_w: int = 0
    pushed_w: int | None = None
    pushes: int = 0
    energy_wh: float = 0.0
    unserved_since: float | None = None
    stuck: bool = False
    recent_w: deque[int] = field(default_factory=lambda: deque(maxlen=4))
    toggles: int = 0

    def advance(self, since: float, until: float) -> None:
        """Charge from one moment to another, at the power of the first."""
        drawn_w = self.vehicle.power_w(self.limit_w, since, OUTLET)
        gained_wh = drawn_w * (until - since) / SECONDS_PER_HOUR
        self.vehicle.charged(gained_wh)
        self.energy_wh += gained_wh
        if drawn_w > 0:
            self.unserved_since = None
        elif self.unserved_since is None:
            self.unserved_since = since
        else:
            self.stuck = self.stuck or until - self.unserved_since > STUCK_S

    def takes_w(self, now: float) -> int:
        """What the vehicle would draw if it could have anything; never less than it draws."""
        return int(self.vehicle.power_w(UNLIMITED_W, now, OUTLET)) + 1

    def push(self, value_w: int) -> None:
        """Count a limit that is sent."""
        self.pushed_w = value_w
        self.pushes += 1
        self.recent_w.append(value_w)
        if len(self.recent_w) == self.recent_w.maxlen:
            a, b, c, d = self.recent_w
            self.toggles += _alike(a, c) and _alike(b, d)

    @property
    def satisfied(self) -> bool:
        """Whether the vehicle has reached its target."""
        return self.vehicle.soc_pct is not None and self.vehicle.soc_pct >= self.visit.target_pct


def _alike(one_w: int, other_w: int) -> bool:
    return abs(one_w - other_w) <= SAME_FRACTION * one_w


@dataclass(slots=True)
class Outcome:
    """What came of a stream. `pushes` is one number for each session, in the order of their ends.

    `waited`: how many vehicles found all connectors taken, and waited for one.
    """

    energy_wh: float = 0.0
    waited: int = 0
    satisfied: int = 0
    stuck: int = 0
    toggles: int = 0
    pushes: list[int] = field(default_factory=list)

    @property
    def pushes_per_session(self) -> float:
        """The mean."""
        return sum(self.pushes) / len(self.pushes)

    def add(self, pump: Pump) -> None:
        """A session that has ended."""
        self.energy_wh += pump.energy_wh
        self.satisfied += pump.satisfied
        self.stuck += pump.stuck
        self.toggles += pump.toggles
        self.pushes.append(pump.pushes)


class News(StrEnum):
    """What an event asks for."""

    NOTHING = "nothing"
    DEMAND = "demand"
    EVENT = "event"


class Site:
    """Runs a stream of visits. `meter_s` None: no meter value ever comes."""

    def __init__(
        self, station: Station, knows: Knows, *, meter_s: float | None = 10.0, tick_s: float = 1.0
    ) -> None:
        self.outcome = Outcome()
        self._station = station
        self._knows = knows
        self._meter_s = meter_s
        self._tick_s = tick_s
        self._demand_policy = DemandPolicy()
        self._dispatch_policy = DispatchPolicy()
        self._state = StationState.of(station)
        self._pumps: dict[ConnectorKey, Pump] = {}
        self._waiting: deque[Visit] = deque()
        self._demands: dict[str, Demand] = {}
        self._goals: dict[ConnectorKey, Goal] = {}
        self._queue: list[tuple[float, int, Callable[[], News]]] = []
        self._order = count()
        self._now = 0.0
        self._ticking = False

    def run(self, visits: Iterable[Visit]) -> Outcome:
        """Serve all visits to their ends."""
        for visit in visits:
            self._at(visit.at, partial(self._arrives, visit))
        while self._queue:
            at, _, happens = heapq.heappop(self._queue)
            for pump in self._pumps.values():
                pump.advance(self._now, at)
            self._now = at
            news = happens()
            if news is not News.NOTHING:
                self._cycle(event=news is News.EVENT)
        return self.outcome

    def _at(self, at: float, happens: Callable[[], News]) -> None:
        heapq.heappush(self._queue, (at, next(self._order), happens))

    # ------------------------------------------------------------------ what happens

    def _arrives(self, visit: Visit) -> News:
        free = (c for c in self._station.connectors() if c.key not in self._pumps)
        connector = next(free, None)
        if connector is None:
            self._waiting.append(visit)
            self.outcome.waited += 1
            return News.NOTHING
        session_id = f"{connector.key}@{self._now}"
        pump = Pump(connector, visit, visit.vehicle(), session_id)
        self._pumps[connector.key] = pump
        apply(
            self._state,
            SessionStarted(self._now, session_id, 1, connector.key, "TAG", self._now, Register(0)),
        )
        self._at(self._now + visit.stay_s, partial(self._time_is_over, pump))
        self._next_meter(pump)
        if not self._ticking:
            self._ticking = True
            self._at(self._now + self._tick_s, self._tick)
        return News.EVENT

    def _time_is_over(self, pump: Pump) -> News:
        if self._pumps.get(pump.connector.key) is not pump:
            return News.NOTHING
        self._leaves(pump)
        return News.EVENT

    def _leaves(self, pump: Pump) -> None:
        key = pump.connector.key
        apply(self._state, SessionEnded(self._now, pump.session_id, key))
        del self._pumps[key]
        self._goals.pop(key, None)
        self._demands.pop(pump.session_id, None)
        self.outcome.add(pump)
        if self._waiting:
            self._arrives(self._waiting.popleft())

    def _next_meter(self, pump: Pump) -> None:
        if self._meter_s is not None:
            self._at(self._now + self._meter_s, partial(self._metered, pump))

    def _metered(self, pump: Pump) -> News:
        if self._pumps.get(pump.connector.key) is not pump:
            return News.NOTHING
        drawn_w = round(pump.vehicle.power_w(pump.limit_w, self._now, OUTLET))
        apply(self._state, MeterSample(pump.connector.key, self._now, power_w=drawn_w))
        self._next_meter(pump)
        return News.DEMAND

    def _in_force(self, pump: Pump, value_w: int) -> News:
        pump.limit_w = value_w
        key = pump.connector.key
        apply(self._state, LimitConfirmed(key, self._now, pump.session_id, value_w))
        return News.NOTHING

    def _tick(self) -> News:
        satisfied = [pump for pump in self._pumps.values() if pump.satisfied]
        for pump in satisfied:
            self._leaves(pump)
        self._ticking = bool(self._pumps)
        if self._ticking:
            self._at(self._now + self._tick_s, self._tick)
        return News.EVENT if satisfied else News.DEMAND

    # ------------------------------------------------------------------ what is decided

    def _cycle(self, *, event: bool) -> None:
        leaves = {session.connector: self._leaf(session) for session in self._state.sessions()}
        shares = allocate(tree(self._station, leaves, {}), self._now)
        if self._knows is Knows.ORACLE:
            self._goals = {key: Goal(share.value_w, share.source) for key, share in shares.items()}
        else:
            self._goals = next_goals(
                self._goals, shares, event=event, policy=self._dispatch_policy, now=self._now
            )
        if event:
            for pump in self._pumps.values():
                pump.recent_w.clear()
        self._push()

    def _leaf(self, session: Session) -> Leaf:
        pump = self._pumps[session.connector]
        connector = pump.connector
        demand = self._demand(pump, session)
        return Leaf(
            connector.key,
            demand.bound_w,
            demand.source,
            floor_w=connector.fallback_w,
            minimum_w=connector.minimum_w,
            waiting_since=session.started_at,
            quantum_w=quantum_w(connector, RateUnit.WATTS),
            enough_w=demand.enough_w,
        )

    def _demand(self, pump: Pump, session: Session) -> Demand:
        connector = pump.connector
        if self._knows is not Knows.ESTIMATE:
            peak_w = round(pump.visit.model.peak_w)
            wanted_w = peak_w if self._knows is Knows.NAMEPLATE else pump.takes_w(self._now)
            bound_w = min(wanted_w, connector.max_power_w)
            return Demand(bound_w, LimitSource.VEHICLE, bound_w, changed_at=self._now)
        demand = next_demand(
            self._demands.get(session.session_id),
            session,
            connector,
            self._demand_policy,
            self._now,
        )
        self._demands[session.session_id] = demand
        return demand

    def _push(self) -> None:
        changed = [
            (self._pumps[key], goal.value_w)
            for key, goal in self._goals.items()
            if goal.value_w != self._pumps[key].pushed_w
        ]
        lowering = any(value_w < (pump.pushed_w or 0) for pump, value_w in changed)
        for pump, value_w in changed:
            raising = value_w > (pump.pushed_w or 0)
            after_s = CONFIRM_S * (2 if raising and lowering else 1)
            if self._knows is Knows.ORACLE:
                after_s = 0.0
            pump.push(value_w)
            self._at(self._now + after_s, partial(self._in_force, pump, value_w))
