"""When a session is over though its StopTransaction has not come.

Chargers lose StopTransactions at a reset, or keep them for days (OCPP 1.6 §3.7). Such a session is
presumed to have ended, and only on the charger's own word that nothing charges there any more: its
limits go with it, and they must not while a vehicle may still draw. A StopTransaction that comes
later has the last word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from csms.station.state import ConnectorState, ConnectorStatus, Session, StationState

GRACE_S = 60.0
"""How long a StopTransaction is waited for: many come after the status that shows the end."""
IDLE_W = 100
"""What a connector draws at most when no vehicle charges there: its own electronics."""


class PresumedEnd(StrEnum):
    """Why a session is presumed to have ended: a reason of csms's own, beside §7.36 Reason."""

    SUPERSEDED = "Superseded"
    AVAILABLE = "Available"
    REBOOTED = "Rebooted"


# What a connector is when no transaction runs on it (OCPP 1.6 §4.9). Before a boot, Preparing and
# Finishing are also told at the edges of one; after it, a transaction that goes on is Charging.
_OVER: dict[PresumedEnd, frozenset[ConnectorStatus]] = {
    PresumedEnd.AVAILABLE: frozenset({ConnectorStatus.AVAILABLE}),
    PresumedEnd.REBOOTED: frozenset(
        {
            ConnectorStatus.AVAILABLE,
            ConnectorStatus.PREPARING,
            ConnectorStatus.FINISHING,
            ConnectorStatus.RESERVED,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Presumed:
    """A session that is over since `at`, as far as can be told."""

    session: Session
    reason: PresumedEnd
    at: float


def presumed_over(state: StationState, now: float, grace_s: float = GRACE_S) -> list[Presumed]:
    """The sessions whose charger has said for `grace_s` that nothing charges there."""
    found = []
    for connector in state.connectors.values():
        session, at = connector.session, connector.status_at
        if session is None or at is None or at <= session.waiting_since or now - at < grace_s:
            continue
        booted_at = state.chargers[session.connector.charger_id].booted_at
        rebooted = booted_at is not None and session.waiting_since < booted_at <= at
        reason = PresumedEnd.REBOOTED if rebooted else PresumedEnd.AVAILABLE
        if connector.status in _OVER[reason] and not _draws(connector, at):
            found.append(Presumed(session, reason, at))
    return found


def _draws(connector: ConnectorState, since: float) -> bool:
    """Whether power was measured after the status: then the status is not believed."""
    reading = connector.reading
    return reading is not None and reading.at > since and reading.power_w > IDLE_W
