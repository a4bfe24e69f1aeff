"""What an operator sees of a station, from its loop's state. Reads only."""

from __future__ import annotations

from csms.control.conditions import Conditions
from csms.control.station_loop import StationLoop
from csms.control.status import (
    ChargerView,
    ConnectorView,
    LimitStatus,
    SessionStatus,
    StationStatus,
)
from csms.dispatch.commands import Scope
from csms.station.lifecycle import occupancy
from csms.station.model import Charger, Connector, ConnectorKey, LimitSource
from csms.station.state import Session


def station_status(loop: StationLoop, now: float) -> StationStatus:
    """The whole station at this moment."""
    station = loop.state.in_force(now)
    sessions = loop.state.sessions()
    worst_case_w = loop.ledger.total_w()
    known = loop.conditions(now)
    return StationStatus(
        station_id=station.station_id,
        at=now,
        grid_limit_w=station.grid_limit_w,
        static_load_w=station.static_load_w,
        reserve_w=station.reserve_w,
        available_w=station.available_w,
        allocated_w=sum(session_status(loop, s).allocated_w for s in sessions),
        measured_w=sum(s.measured_w or 0 for s in sessions),
        worst_case_w=worst_case_w,
        condition=known.station,
        overcommitted=worst_case_w > station.available_w,
        settled=loop.settled,
        chargers=tuple(_charger(loop, c, known) for c in station.chargers),
        ramp_w_per_min=station.ramp_w_per_min,
    )


def session_status(loop: StationLoop, session: Session) -> SessionStatus:
    """One running session at this moment."""
    goal = loop.balancer.goals.get(session.connector)
    demand = loop.balancer.demands.get(session.session_id)
    return SessionStatus(
        session_id=session.session_id,
        transaction_id=session.transaction_id,
        connector=session.connector,
        id_token=session.id_token,
        started_at=session.started_at,
        allocated_w=goal.value_w if goal is not None else 0,
        allocated_source=goal.source if goal is not None else LimitSource.FALLBACK,
        demanded_w=demand.bound_w if demand is not None else 0,
        measured_w=session.measured_w,
        energy_wh=session.energy_wh,
        soc_pct=session.soc_pct,
        vehicle_max_w=session.vehicle_max_w,
        limit=_limit(loop, session.connector, session.session_id),
    )


def _limit(loop: StationLoop, key: ConnectorKey, session_id: str) -> LimitStatus | None:
    """The session's newest limit; as long as it has none of its own, the connector's fallback."""
    entry = loop.ledger.newest(key, Scope.SESSION, session_id) or loop.ledger.newest(
        key, Scope.DEFAULT
    )
    if entry is None:
        return None
    return LimitStatus(entry.limit.value_w, entry.limit.source, entry.state, entry.sent_at)


def _charger(loop: StationLoop, charger: Charger, now: Conditions) -> ChargerView:
    known = loop.state.chargers[charger.charger_id]
    return ChargerView(
        charger_id=charger.charger_id,
        condition=now.chargers[charger.charger_id],
        connected=known.connected,
        vendor=known.vendor,
        model=known.model,
        firmware=known.firmware,
        last_seen_at=known.last_seen_at,
        max_power_w=charger.max_power_w,
        connectors=tuple(_connector(loop, c, now) for c in charger.connectors),
        awaiting_reboot=loop.set_ups.awaiting_reboot(charger.charger_id),
        unconfigured=tuple(loop.state.unconfigured(charger.charger_id)),
    )


def _connector(loop: StationLoop, connector: Connector, now: Conditions) -> ConnectorView:
    state = loop.state.connectors[connector.key]
    session = state.session
    return ConnectorView(
        key=connector.key,
        current_type=connector.current_type,
        max_power_w=connector.max_power_w,
        status=state.status,
        error_code=state.error_code,
        occupancy=occupancy(state),
        condition=now.connectors[connector.key],
        worst_case_w=loop.ledger.worst_case_w(connector.key),
        session=session_status(loop, session) if session is not None else None,
        reason=now.reasons.get(connector.key),
    )
