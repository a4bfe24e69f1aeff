"""One answer to "who should have what now", from the state of a station and its ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from csms.balancing.allocation import Allocator, Leaf, Share
from csms.balancing.budget import tree
from csms.balancing.demand import Demand, DemandPolicy, next_demand
from csms.balancing.quantize import quantum_w
from csms.dispatch.goals import Goal, next_goals
from csms.dispatch.ledger import Ledger
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import Connector, ConnectorKey, LimitSource, RateUnit, Station
from csms.station.state import Session, StationState


@dataclass(frozen=True, slots=True)
class Standing:
    """How a charger stands at this moment.

    `settling`: it connected a moment ago and may still be confirming its fallbacks.
    """

    connected: bool
    settling: bool
    rate_unit: RateUnit


@dataclass(slots=True)
class _Picture:
    """The station as the allocator is to see it."""

    leaves: dict[ConnectorKey, Leaf] = field(default_factory=dict)
    reserved: dict[ConnectorKey, int] = field(default_factory=dict)
    stuck: dict[ConnectorKey, Share] = field(default_factory=dict)
    declared: list[tuple[str, int | None]] = field(default_factory=list)


class Balancer:
    """Demands and goals of one station, from one cycle to the next.

    Only these two are remembered; everything else is worked out anew in each cycle.
    """

    def __init__(
        self, allocator: Allocator, demand_policy: DemandPolicy, dispatch_policy: DispatchPolicy
    ) -> None:
        self._allocator = allocator
        self._demand_policy = demand_policy
        self._dispatch_policy = dispatch_policy
        self._seen_before: tuple[object, ...] = ()
        self.demands: dict[str, Demand] = {}
        self.goals: dict[ConnectorKey, Goal] = {}

    def balance(
        self,
        state: StationState,
        ledger: Ledger,
        standing: Mapping[str, Standing],
        held: Callable[[ConnectorKey], bool],
        now: float,
    ) -> Mapping[ConnectorKey, Goal]:
        """The goals of all connectors with a session, in watts.

        A connector takes part when its charger is connected and obeys. Any other counts at what may
        be in force there, before anything is shared out: offline, refusing (`held`: its last limit
        was refused or unanswered and waits for its retry), or without a confirmed fallback.
        """
        self._follow_demands(state, now)
        picture = self._picture(state, ledger, standing, held)
        root = tree(state.station, picture.leaves, picture.reserved)
        shares = {**picture.stuck, **self._allocator(root, now)}
        inputs = (
            state.station,
            tuple(picture.leaves),
            tuple(picture.declared),
            tuple(picture.reserved.items()),
        )
        event = inputs != self._seen_before
        self._seen_before = inputs
        self.goals = next_goals(
            self.goals, shares, event=event, policy=self._dispatch_policy, now=now
        )
        return self.goals

    def _follow_demands(self, state: StationState, now: float) -> None:
        by_key = {c.key: c for c in state.station.connectors()}
        self.demands = {
            session.session_id: next_demand(
                self.demands.get(session.session_id),
                session,
                by_key[session.connector],
                self._demand_policy,
                now,
            )
            for session in state.sessions()
        }

    def _picture(
        self,
        state: StationState,
        ledger: Ledger,
        standing: Mapping[str, Standing],
        held: Callable[[ConnectorKey], bool],
    ) -> _Picture:
        picture = _Picture()
        for connector in state.station.connectors():
            key = connector.key
            session = state.connectors[key].session
            stands = standing[key.charger_id]
            doubtful = ledger.uncontrolled(key)
            if session is not None:
                picture.declared.append((session.session_id, session.vehicle_max_w))
            trusted = not doubtful or stands.settling
            if session is not None and stands.connected and not held(key) and trusted:
                picture.leaves[key] = self._leaf(connector, session, stands.rate_unit)
                continue
            picture.reserved[key] = (
                connector.fallback_w
                if doubtful and stands.settling and session is None
                else ledger.worst_case_w(key)
            )
            if session is not None:
                picture.stuck[key] = _reserved_share(state.station, picture.reserved[key])
        return picture

    def _leaf(self, connector: Connector, session: Session, unit: RateUnit) -> Leaf:
        demand = self.demands[session.session_id]
        return Leaf(
            key=connector.key,
            upper_w=max(demand.bound_w, connector.fallback_w),
            upper_source=demand.source,
            floor_w=connector.fallback_w,
            minimum_w=connector.minimum_w,
            weight=connector.weight,
            waiting_since=session.waiting_since,
            quantum_w=quantum_w(connector, unit),
        )


def _reserved_share(station: Station, reserved_w: int) -> Share:
    return Share(min(reserved_w, station.available_w), LimitSource.CHARGER)
