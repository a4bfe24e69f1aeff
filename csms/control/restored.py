"""What a restart must not forget of the sessions that go on."""

from __future__ import annotations

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.station.model import LimitSource
from csms.station.state import LimitStep, Session, StationState


def remember_limits(state: StationState, ledger: Ledger) -> None:
    """Give each session the limits that its charger has confirmed and that still count.

    So one that was paused is known to be, and counts at its hardware maximum when it resumes.
    """
    entries = list(ledger.entries())
    for session in state.sessions():
        for entry in entries:
            if entry.state is EntryState.CONFIRMED and limits_session(entry, session):
                at = entry.sent_at if entry.settled_at is None else entry.settled_at
                session.limits.append(LimitStep(at, entry.limit.value_w))


def limits_session(entry: Entry, session: Session) -> bool:
    """Whether it limits this session; one in the place of a fallback names no session.

    What an operator sent by hand says nothing of what csms told the session.
    """
    if entry.connector != session.connector or entry.scope is Scope.MANUAL:
        return False
    if entry.session_id is None:
        return entry.limit.source is not LimitSource.FALLBACK
    return entry.session_id == session.session_id
