"""Which session a StopTransaction is of, and whether it says what another one said before."""

from __future__ import annotations

from collections.abc import Sequence

from csms.control.remote import is_same_token
from csms.ports import StopReport, StoredSession


def session_of_stop(stop: StopReport, unfinished: Sequence[StoredSession]) -> StoredSession | None:
    """The session a stop without a usable transaction id is of; None when nobody can tell.

    Errata 3.18 has chargers send -1 when the answer to their start was lost; others send 0. It is
    the only one of the charger's that runs, or else the only one presumed to have ended; that began
    no later than the stop, and with the same token when the stop names one.
    """
    possible = [
        session
        for session in unfinished
        if session.started_at <= stop.stopped_at
        and (stop.id_token is None or is_same_token(session.id_token, stop.id_token))
    ]
    running = [session for session in possible if session.ended_at is None]
    candidates = running or possible
    return candidates[0] if len(candidates) == 1 else None


def says_the_same(session: StoredSession, stop: StopReport) -> bool:
    """Whether this stop, sent again or not, is what the session ended with."""
    times = {session.stop_timestamp, stop.timestamp} - {None, ""}
    meters = {session.meter_stop_wh, stop.meter_stop_wh} - {None}
    return len(times) <= 1 and len(meters) <= 1
