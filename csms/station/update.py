"""Apply a fact to the state: the only place where it changes.

One small function for each kind of fact. A fact about something the station does not have, or that
has come too late to matter, changes nothing and is no error: chargers may say anything at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, assert_never

from csms.station import grid
from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    ConnectorStatusReported,
    Fact,
    GridFact,
    GridHeartbeat,
    GridLimitGiven,
    GridLimitWithdrawn,
    GridScheduleGiven,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
    VehicleMaximumDeclared,
)
from csms.station.model import ConnectorKey, CurrentType
from csms.station.state import (
    UNCONFIGURED_KEPT,
    ConnectorState,
    LimitStep,
    Reading,
    Session,
    StationState,
)

BOUNDARY_CONTEXTS = frozenset(
    {"Transaction.Begin", "Transaction.End", "Interruption.Begin", "Interruption.End"}
)
"""Values of another moment than now, often repeated later (OCPP 1.6 §7.31 ReadingContext)."""


def apply(state: StationState, fact: Fact) -> bool:
    """Change `state` by `fact`. False when the fact has no place in it."""
    return _APPLY[type(fact)](state, fact)


def _connected(state: StationState, fact: ChargerConnected) -> bool:
    charger = state.chargers.get(fact.charger_id)
    if charger is None:
        return False
    charger.connected = True
    charger.last_seen_at = fact.at
    return True


def _disconnected(state: StationState, fact: ChargerDisconnected) -> bool:
    charger = state.chargers.get(fact.charger_id)
    if charger is None:
        return False
    charger.connected = False
    return True


def _booted(state: StationState, fact: ChargerBooted) -> bool:
    """A boot says who the charger is; and that no limit is certain to be in force any more."""
    charger = state.chargers.get(fact.charger_id)
    if charger is None:
        return False
    charger.last_seen_at = charger.booted_at = fact.at
    charger.introduce(fact.vendor, fact.model, fact.serial, fact.firmware)
    for session in state.sessions():
        if session.connector.charger_id == fact.charger_id:
            session.limits.clear()
    return True


def _status(state: StationState, fact: ConnectorStatusReported) -> bool:
    """Connector 0 is the charger's main part (OCPP 1.6 §4.9): seen, but no connector changes."""
    _seen(state, fact.connector, fact.at)
    connector = state.connectors.get(fact.connector)
    if connector is None:
        return False
    connector.status = fact.status
    connector.status_at = fact.at
    connector.error_code = fact.error_code
    return True


def _started(state: StationState, fact: SessionStarted) -> bool:
    """A new session takes the place of one never ended; the same one again changes nothing."""
    connector = state.connectors.get(fact.connector)
    if connector is None:
        return False
    if connector.session is None or connector.session.session_id != fact.session_id:
        _leave_session(connector, fact.at)
        connector.session = Session(
            session_id=fact.session_id,
            transaction_id=fact.transaction_id,
            connector=fact.connector,
            id_token=fact.id_token,
            started_at=fact.started_at,
            register=fact.register,
            waiting_since=fact.at,
            vehicle_max_w=fact.vehicle_max_w,
        )
    return True


def _ended(state: StationState, fact: SessionEnded) -> bool:
    """Only the session that ended goes, not one that has begun since."""
    connector = state.connectors.get(fact.connector)
    if connector is None or connector.session is None:
        return False
    if connector.session.session_id != fact.session_id:
        return False
    _leave_session(connector, fact.at)
    if fact.presumed:
        # Should it go on after all, what flows must be seen.
        connector.ended_transaction_id = None
    return True


def _leave_session(connector: ConnectorState, at: float) -> None:
    """The connector is free, and says so to the next session or to nobody."""
    if connector.session is not None:
        connector.ended_transaction_id = connector.session.transaction_id
        connector.session = None
    connector.changed_at = at


def _sampled(state: StationState, fact: MeterSample) -> bool:
    """Power belongs to the connector it flows through; all else to the session it was sent for."""
    _seen(state, fact.connector, fact.at)
    session = session_of_sample(state, fact)
    key = session.connector if session is not None else outlet(state, fact.connector)
    power_w = _power_w(state, key, fact)
    placed = _flows(state, fact, session, key, power_w)
    if session is None:
        return placed
    if power_w is not None:
        _add_reading(session, Reading(fact.at, max(0, power_w), fact.measured_at))
    if fact.energy_wh is not None:
        session.register = session.register.read(fact.energy_wh)
    if fact.soc_pct is not None:
        session.soc_pct = fact.soc_pct
    return True


def session_of_sample(state: StationState, fact: MeterSample) -> Session | None:
    """The running session a sample belongs to, None when it belongs to none.

    A sample that names another transaction is of a session that has ended, or was never ours. One
    without a connector is found by its transaction (StopTransaction's transactionData).
    """
    # Chargers send 0 or -1 for "no transaction", also while there is one.
    named = fact.transaction_id if fact.transaction_id and fact.transaction_id > 0 else None
    connector = state.connectors.get(outlet(state, fact.connector))
    if connector is None and named is not None:
        return _session_of_transaction(state, fact.connector.charger_id, named)
    if connector is None or connector.session is None:
        return None
    if named is not None and named != connector.session.transaction_id:
        return None
    return connector.session


def _flows(
    state: StationState,
    fact: MeterSample,
    session: Session | None,
    key: ConnectorKey,
    power_w: int | None,
) -> bool:
    """Remember on the connector what flows there now and what is offered, session or not.

    A charger may deliver without a transaction, or under a number of its own. Left out is what is
    known to be of another time or place: boundary values, and samples of a transaction that has
    ended here or runs elsewhere on this charger. A reading below zero says nothing about a draw.
    """
    connector = state.connectors.get(key)
    if connector is None or fact.context in BOUNDARY_CONTEXTS:
        return False
    if session is None and _of_another(state, connector, fact):
        return False
    if power_w is not None and power_w >= 0:
        connector.reading = _newer(connector.reading, Reading(fact.at, power_w, fact.measured_at))
    if fact.offered_w is not None:
        offered = Reading(fact.at, fact.offered_w, fact.measured_at)
        connector.offered = _newer(connector.offered, offered)
    return power_w is not None or fact.offered_w is not None


def _of_another(state: StationState, connector: ConnectorState, fact: MeterSample) -> bool:
    named = fact.transaction_id
    if named is None or named <= 0:
        return False
    if named == connector.ended_transaction_id:
        return True
    return _session_of_transaction(state, fact.connector.charger_id, named) is not None


def _newer(known: Reading | None, reading: Reading) -> Reading:
    """The later of two; of two in one message the one that came last."""
    return reading if known is None or known.at <= reading.at else known


def _power_w(state: StationState, key: ConnectorKey, fact: MeterSample) -> int | None:
    """The power of a sample; else what its current makes on this connector.

    The readers of chargers' messages work power out from currents and voltages where they can
    (`csms.protocol.ocpp16.meter_values`). What is left here is a lone current, which only the
    connector's phases and voltage make a power of. A DC voltage is nobody's to guess.
    """
    if fact.power_w is not None or fact.current_a is None or not math.isfinite(fact.current_a):
        return fact.power_w
    built = next((c for c in state.station.connectors() if c.key == key), None)
    if built is None:
        return None
    if built.current_type is CurrentType.AC:
        return round(fact.current_a * built.phases * (fact.voltage_v or built.voltage_v))
    return None if fact.voltage_v is None else round(fact.current_a * fact.voltage_v)


def _session_of_transaction(
    state: StationState, charger_id: str, transaction_id: int
) -> Session | None:
    mine = (s for s in state.sessions() if s.connector.charger_id == charger_id)
    return next((s for s in mine if s.transaction_id == transaction_id), None)


def outlet(state: StationState, key: ConnectorKey) -> ConnectorKey:
    """The connector that is meant: of a charger with only one, number 0 is that one."""
    charger = state.station.charger(key.charger_id)
    if key.connector_id == 0 and charger is not None and len(charger.connectors) == 1:
        return charger.connectors[0].key
    return key


def _add_reading(session: Session, reading: Reading) -> None:
    """Of several readings in one message only the last is of now; none comes after a newer one."""
    if session.readings and session.readings[-1].at >= reading.at:
        if session.readings[-1].at == reading.at:
            session.readings[-1] = reading
        return
    session.readings.append(reading)


def _declared(state: StationState, fact: VehicleMaximumDeclared) -> bool:
    connector = state.connectors.get(fact.connector)
    if connector is None or connector.session is None:
        return False
    connector.session.vehicle_max_w = fact.vehicle_max_w
    return True


def _confirmed(state: StationState, fact: LimitConfirmed) -> bool:
    """The same limit again is no new step, so that renewals do not push the older steps out."""
    _seen(state, fact.connector, fact.at)
    connector = state.connectors.get(fact.connector)
    if connector is None or connector.session is None:
        return False
    if connector.session.session_id != fact.session_id:
        return False
    limits = connector.session.limits
    if not limits or limits[-1].limit_w != fact.limit_w:
        limits.append(LimitStep(fact.at, fact.limit_w))
    return True


def grid_after(state: StationState, fact: GridFact) -> grid.GridState:
    """What the grid limit will be by this fact. Changes nothing."""
    station, now = state.station, state.grid
    match fact:
        case GridLimitGiven():
            return grid.given(
                station,
                now,
                fact.limit_w,
                fact.at,
                valid_until=fact.valid_until,
                heartbeat_s=fact.heartbeat_s,
            )
        case GridHeartbeat():
            return grid.heartbeat(station, now, fact.at)
        case GridScheduleGiven():
            return grid.scheduled(station, now, fact.steps, fact.at)
        case GridLimitWithdrawn():
            return grid.withdrawn(station, now, fact.at)
        case _:
            assert_never(fact)


def pass_time(state: StationState, now: float) -> None:
    """Time alone changes the grid limit: a step, the end of a limit, the silence of its source."""
    state.grid = grid.advance(state.station, state.grid, now)


def _grid_changed(state: StationState, fact: GridFact) -> bool:
    state.grid = grid_after(state, fact)
    return True


def _seen(state: StationState, key: ConnectorKey, at: float) -> None:
    charger = state.chargers.get(key.charger_id)
    if charger is None:
        return
    charger.last_seen_at = at
    if reveals_connector(state, key):
        charger.unconfigured.add(key.connector_id)


def reveals_connector(state: StationState, key: ConnectorKey) -> bool:
    """Whether a report of this connector is the first of one that is not configured.

    Number 0 is the charger itself; what is below is nobody's number.
    """
    charger = state.chargers.get(key.charger_id)
    if charger is None or key.connector_id <= 0 or key in state.connectors:
        return False
    known = state.unconfigured(key.charger_id)
    return key.connector_id not in known and len(known) < UNCONFIGURED_KEPT


_APPLY: dict[type[Any], Callable[[StationState, Any], bool]] = {
    ChargerConnected: _connected,
    ChargerDisconnected: _disconnected,
    ChargerBooted: _booted,
    ConnectorStatusReported: _status,
    SessionStarted: _started,
    SessionEnded: _ended,
    MeterSample: _sampled,
    VehicleMaximumDeclared: _declared,
    LimitConfirmed: _confirmed,
    GridLimitGiven: _grid_changed,
    GridHeartbeat: _grid_changed,
    GridScheduleGiven: _grid_changed,
    GridLimitWithdrawn: _grid_changed,
}
