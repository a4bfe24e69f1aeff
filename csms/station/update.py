"""Apply a fact to the state: the only place where it changes.

One small function for each kind of fact. A fact about something the station does not have, or that
has come too late to matter, changes nothing and is no error: chargers may say anything at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    ConnectorStatusReported,
    Fact,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
    VehicleMaximumDeclared,
)
from csms.station.model import ConnectorKey
from csms.station.state import LimitStep, Reading, Session, StationState


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
    charger.last_seen_at = fact.at
    charger.vendor, charger.model = fact.vendor, fact.model
    charger.serial, charger.firmware = fact.serial, fact.firmware
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
    connector.error_code = fact.error_code
    return True


def _started(state: StationState, fact: SessionStarted) -> bool:
    """A new session takes the place of one never ended; the same one again changes nothing."""
    connector = state.connectors.get(fact.connector)
    if connector is None:
        return False
    if connector.session is None or connector.session.session_id != fact.session_id:
        connector.session = Session(
            session_id=fact.session_id,
            transaction_id=fact.transaction_id,
            connector=fact.connector,
            id_token=fact.id_token,
            started_at=fact.started_at,
            meter_start_wh=fact.meter_start_wh,
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
    connector.session = None
    return True


def _sampled(state: StationState, fact: MeterSample) -> bool:
    _seen(state, fact.connector, fact.at)
    session = session_of_sample(state, fact)
    if session is None:
        return False
    if fact.power_w is not None:
        _add_reading(session, Reading(fact.at, max(0, fact.power_w)))
    if fact.energy_wh is not None:
        # A register never runs backward; one that seems to has been reset or misread.
        least_wh = session.meter_start_wh if session.meter_wh is None else session.meter_wh
        if fact.energy_wh >= least_wh:
            session.meter_wh = fact.energy_wh
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
    connector = state.connectors.get(_outlet(state, fact.connector))
    if connector is None and named is not None:
        return _session_of_transaction(state, fact.connector.charger_id, named)
    if connector is None or connector.session is None:
        return None
    if named is not None and named != connector.session.transaction_id:
        return None
    return connector.session


def _session_of_transaction(
    state: StationState, charger_id: str, transaction_id: int
) -> Session | None:
    mine = (s for s in state.sessions() if s.connector.charger_id == charger_id)
    return next((s for s in mine if s.transaction_id == transaction_id), None)


def _outlet(state: StationState, key: ConnectorKey) -> ConnectorKey:
    """Where a sample belongs: the main meter of a charger with one connector is that one's."""
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


def _seen(state: StationState, key: ConnectorKey, at: float) -> None:
    charger = state.chargers.get(key.charger_id)
    if charger is not None:
        charger.last_seen_at = at


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
}
