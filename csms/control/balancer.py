"""One answer to "who should have what now", from the state of a station and its ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from csms.balancing.allocation import Allocator, Leaf, Share
from csms.balancing.budget import counted_w, holds, left_for_suspects, tree
from csms.balancing.demand import Demand, DemandPolicy, next_demand
from csms.balancing.quantize import quantum_w
from csms.balancing.ramp import Ramp, hold_back
from csms.dispatch.capability import AtZero, Capability, unit_of
from csms.dispatch.commands import Scope
from csms.dispatch.goals import Goal, next_goals
from csms.dispatch.ledger import Ledger
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import Connector, ConnectorKey, LimitSource, Station
from csms.station.state import Session, StationState


@dataclass(frozen=True, slots=True)
class Standing:
    """How a charger stands at this moment.

    `settling`: it connected a moment ago and may still be confirming its fallbacks. `capability`:
    how it takes limits. `silent`: it has not answered the last limit.
    """

    connected: bool
    settling: bool
    capability: Capability
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """Connectors that may not keep to their limits.

    `paused`: a limit has paused them, and they may resume at full power whatever they are told.
    `on_probation`: they have to show that they obey, which only a limit clearly below what they
    could draw can show. `under_test`: their hardware maximum is kept free for them. `overdue`:
    those on probation that have shown nothing for so long that nobody else waits for them.
    """

    paused: Collection[ConnectorKey] = ()
    on_probation: Collection[ConnectorKey] = ()
    under_test: Collection[ConnectorKey] = ()
    overdue: Collection[ConnectorKey] = ()


@dataclass(slots=True)
class _Picture:
    """The station as the allocator is to see it.

    `least_w` is what a leaf has whatever happens. `silent` are those of the leaves whose charger is
    silent, and what may be in force there.
    """

    leaves: dict[ConnectorKey, Leaf] = field(default_factory=dict)
    least_w: dict[ConnectorKey, int] = field(default_factory=dict)
    reserved: dict[ConnectorKey, int] = field(default_factory=dict)
    stuck: dict[ConnectorKey, Share] = field(default_factory=dict)
    declared: list[tuple[str, int | None]] = field(default_factory=list)
    most_w: dict[str, int] = field(default_factory=dict)
    silent: dict[ConnectorKey, int] = field(default_factory=dict)


class Balancer:
    """Demands and goals of one station, from one cycle to the next.

    Only these two are remembered, and what the ramp needs, where the station has one; everything
    else is worked out anew in each cycle.
    """

    def __init__(
        self, allocator: Allocator, demand_policy: DemandPolicy, dispatch_policy: DispatchPolicy
    ) -> None:
        self._allocator = allocator
        self._demand_policy = demand_policy
        self._dispatch_policy = dispatch_policy
        self._seen_before: tuple[object, ...] = ()
        self._ramp: Ramp | None = None
        self.demands: dict[str, Demand] = {}
        self.goals: dict[ConnectorKey, Goal] = {}

    def balance(
        self,
        state: StationState,
        ledger: Ledger,
        standing: Mapping[str, Standing],
        held: Callable[[ConnectorKey, Scope], bool],
        watched: Watched,
        now: float,
    ) -> Mapping[ConnectorKey, Goal]:
        """The goals of all connectors with a session, in watts.

        A connector takes part when its charger is connected and obeys. Any other counts at what may
        be in force there, before anything is shared out: offline, refusing (`held`: its last limit
        was refused or unanswered and waits for its retry), or without a confirmed fallback.

        Paused connectors resume one at a time, when there is power for it, and with their whole
        hardware maximum kept free: it counts in the ledger before the limit that ends the pause
        is sent.
        """
        self._follow_demands(state, now)
        station = state.in_force(now)
        picture = self._picture(state, ledger, standing, held, watched, station)
        self._keep_alive(standing, picture, station)
        shares = self._shares(station, picture, now)
        paused = [
            key
            for key in watched.paused
            if key in shares
            and standing[key.charger_id].connected
            and key not in watched.under_test
        ]
        if paused:
            self._keep_paused(state, ledger, picture, watched, paused, shares, now)
            shares = self._shares(station, picture, now)
        shares, step_of = self._held_back(station, ledger, picture, shares, now)
        shares |= self._told_all_the_same(ledger, standing, watched, picture, shares, station)
        inputs = (
            station,
            tuple((key, leaf.floor_w) for key, leaf in picture.leaves.items()),
            tuple(picture.declared),
            tuple(picture.reserved.items()),
            tuple(picture.silent.items()),
            step_of,
        )
        event = inputs != self._seen_before
        self._seen_before = inputs
        self.goals = next_goals(
            self.goals, shares, event=event, policy=self._dispatch_policy, now=now
        )
        if self._ramp is not None:
            self._ramp.gave({key: self.goals[key].value_w for key in picture.leaves})
        return self.goals

    def _shares(self, station: Station, picture: _Picture, now: float) -> dict[ConnectorKey, Share]:
        """What everybody is to have; beside those whose charger is silent, what they leave.

        They may not have heard that they are to have less, and nobody waits to see whether they do.
        """
        leaves = picture.leaves
        shares = self._allocator(tree(station, leaves, picture.reserved, picture.most_w), now)
        silent = {
            key: watts
            for key, watts in picture.silent.items()
            if key in leaves and watts > shares[key].value_w
        }
        if silent:
            others = {key: leaf for key, leaf in leaves.items() if key not in silent}
            beside = tree(station, others, picture.reserved | silent, picture.most_w)
            shares = {**shares, **self._allocator(beside, now)}
        return {**picture.stuck, **shares}

    def _held_back(
        self,
        station: Station,
        ledger: Ledger,
        picture: _Picture,
        shares: dict[ConnectorKey, Share],
        now: float,
    ) -> tuple[dict[ConnectorKey, Share], float | None]:
        """The shares, raised no faster than the station's ramp, and which step of it binds.

        A step is named by the moment its window began; None when none binds. A new step is worth a
        message however small it is for each: the next one begins where this one ended.
        """
        step_w = station.ramp_step_w
        if step_w is None:
            self._ramp = None
            return shares, None
        self._ramp = self._ramp or Ramp()
        counted = {key: ledger.given_w(key) for key in picture.leaves}
        present = picture.reserved | self._ramp.present_w(counted)
        ceiling_w = self._ramp.ceiling_w(counted_w(station, present, picture.most_w), step_w, now)
        kept = {key: max(picture.least_w[key], min(counted[key], present[key])) for key in counted}
        room_w = ceiling_w - counted_w(station, picture.reserved, picture.most_w)
        held = hold_back(picture.leaves.values(), shares, kept, room_w, self._allocator, now)
        return shares | held, self._ramp.began_at if held else None

    def _told_all_the_same(
        self,
        ledger: Ledger,
        standing: Mapping[str, Standing],
        watched: Watched,
        picture: _Picture,
        shares: Mapping[ConnectorKey, Share],
        station: Station,
    ) -> dict[ConnectorKey, Share]:
        """What those are told on whose obedience nothing is built, because they may obey.

        They count in full, so no limit given to them takes power from the others. But where that is
        more than there is (after a cut, say), they are told no more than what is left beside all
        that the others may draw.
        """
        reserved = dict(picture.reserved)
        for key in picture.leaves:
            reserved[key] = max(ledger.worst_case_w(key), shares[key].value_w)
        reachable = {
            key: connector
            for connector in station.connectors()
            if (key := connector.key) in picture.stuck
            and key not in watched.under_test
            and standing[key.charger_id].connected
        }
        told: dict[ConnectorKey, Share] = {}
        # One that is only feared to forget its limits keeps to them for as long as the others of
        # its charger keep to theirs.
        obeying = {
            key: max(ledger.permitted_w(key), connector.fallback_w)
            for connector in station.connectors()
            if (key := connector.key) not in picture.leaves
            and key not in watched.on_probation
            and key not in watched.under_test
        }
        left = left_for_suspects(station, reserved, reachable, picture.most_w, obeying)
        for key, left_w in left.items():
            connector, share_w = reachable[key], shares[key].value_w
            if left_w >= share_w:
                continue
            quantum_w = self._quantum_w(connector, standing[key.charger_id].capability)
            worth_w = left_w - left_w % quantum_w if left_w >= connector.minimum_w else 0
            least_w = max(connector.fallback_w, ledger.floor_w(key))
            told[key] = Share(max(min(least_w, share_w), worth_w), LimitSource.UNCERTAIN)
        return told

    @staticmethod
    def _quantum_w(connector: Connector, capability: Capability) -> int:
        return quantum_w(connector, unit_of(connector, capability), capability.step_a)

    @staticmethod
    def _keep_paused(
        state: StationState,
        ledger: Ledger,
        picture: _Picture,
        watched: Watched,
        paused: Collection[ConnectorKey],
        shares: Mapping[ConnectorKey, Share],
        now: float,
    ) -> None:
        """Of the paused connectors the one that has waited longest may resume, if one can.

        One can when all it may draw fits beside what is reserved for others and the least the rest
        can be lowered to. It is told to when the rest have been lowered. One that is known not to
        obey counts in full already, but draws nothing while it is paused: it waits like the others.
        """
        others = set(watched.on_probation) - set(watched.overdue) - set(watched.under_test)
        on_trial = bool(others - set(paused))
        for key in paused:
            picture.leaves.pop(key, None)
            picture.reserved[key] = ledger.worst_case_w(key)
        station = state.in_force(now)
        floors = {key: leaf.floor_w for key, leaf in picture.leaves.items()}
        sessions = {key: session for key in paused if (session := state.session_on(key))}
        for key in sorted(sessions, key=lambda k: (sessions[k].waiting_since, k)):
            connector = state.station.connector(key)
            kept_w = ledger.least_w(key, sessions[key].session_id, now)
            worth_it = shares[key].value_w > max(kept_w, connector.minimum_w)
            picture.stuck[key] = Share(kept_w, LimitSource.UNCERTAIN)
            whole_w = max(connector.max_power_w, picture.reserved[key])
            most = {**floors, **picture.reserved, key: whole_w}
            if worth_it and not on_trial and holds(station, most, key.charger_id, picture.most_w):
                on_trial = True
                picture.reserved[key] = whole_w
                if ledger.set_aside(key, whole_w) and not _overdrawn_above(ledger, key):
                    picture.stuck[key] = Share(connector.max_power_w // 2, LimitSource.UNCERTAIN)

    @staticmethod
    def _keep_alive(standing: Mapping[str, Standing], picture: _Picture, station: Station) -> None:
        """Where a limit of 0 would end a session, it has its minimum instead, where that fits.

        The longest waiting come first. The minima come before all other sharing out: turns would
        end one session after the other. One that does not fit is left to take its turn.
        """
        floors = {key: leaf.floor_w for key, leaf in picture.leaves.items()}
        for key in sorted(picture.leaves, key=lambda k: (picture.leaves[k].waiting_since, k)):
            if standing[key.charger_id].capability.at_zero is not AtZero.STOP:
                continue
            leaf = picture.leaves[key]
            connector = station.connector(key)
            least_w = max(leaf.floor_w, min(connector.goes_on_with_w, leaf.upper_w))
            most = {**picture.reserved, **floors, key: least_w}
            if holds(station, most, key.charger_id, picture.most_w):
                floors[key] = least_w
                picture.leaves[key] = replace(leaf, floor_w=least_w)

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
        held: Callable[[ConnectorKey, Scope], bool],
        watched: Watched,
        station: Station,
    ) -> _Picture:
        picture = _Picture(most_w=ledger.most_w())
        for connector in state.station.connectors():
            key = connector.key
            session = state.session_on(key)
            stands = standing[key.charger_id]
            doubtful = ledger.uncontrolled(key)
            if session is not None:
                picture.declared.append((session.session_id, session.vehicle_max_w))
            tested = key in watched.under_test
            trusted = not tested and (not doubtful or stands.settling)
            scope = stands.capability.session_scope
            least_w = max(connector.fallback_w, ledger.floor_w(key))
            # One that may follow an older limit whatever it is told frees nothing by a lower one.
            trusted = trusted and ledger.lingering_w(key) <= least_w
            if session is not None and stands.connected and not held(key, scope) and trusted:
                picture.leaves[key] = self._leaf(connector, session, stands.capability, least_w)
                if stands.silent:
                    picture.silent[key] = ledger.worst_case_w(key)
                picture.least_w[key] = least_w
                continue
            if tested:
                picture.reserved[key] = max(ledger.worst_case_w(key), connector.max_power_w)
            elif doubtful and stands.settling and session is None:
                picture.reserved[key] = least_w
            elif doubtful:
                picture.reserved[key] = ledger.worst_case_w(key)
            else:
                # A fallback that was raised needs its room before it can be sent.
                picture.reserved[key] = max(ledger.worst_case_w(key), connector.fallback_w)
            if session is not None:
                share_w = picture.reserved[key]
                if key in watched.on_probation:
                    share_w = min(share_w, connector.max_power_w // 2)
                picture.stuck[key] = _reserved_share(station, share_w)
        return picture

    def _leaf(
        self, connector: Connector, session: Session, capability: Capability, least_w: int
    ) -> Leaf:
        """A connector that takes part. It has `least_w` whatever it is told, so it is told that."""
        demand = self.demands[session.session_id]
        return Leaf(
            key=connector.key,
            upper_w=max(demand.bound_w, least_w),
            upper_source=demand.source,
            floor_w=least_w,
            minimum_w=connector.minimum_w,
            weight=connector.weight,
            waiting_since=session.waiting_since,
            quantum_w=self._quantum_w(connector, capability),
        )


def _overdrawn_above(ledger: Ledger, key: ConnectorKey) -> bool:
    """Whether more may be in force than the connector's charger, or a node above it, gives."""
    own = key.charger_id
    above = {s.name for s in ledger.station.shared_limits() if own in s.charger_ids}
    return not ledger.overdrawn().keys().isdisjoint({f"charger {own}", *above})


def _reserved_share(station: Station, reserved_w: int) -> Share:
    return Share(min(reserved_w, station.available_w), LimitSource.UNCERTAIN)
