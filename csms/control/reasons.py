"""Why a connector is not under control, in words an operator reads."""

from __future__ import annotations

from collections.abc import Sequence

from csms.control.balancer import Standing
from csms.control.watch import Watch
from csms.dispatch.capability import Proof
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import Cause
from csms.dispatch.ledger import UNCERTAIN, Entry, EntryState, Ledger
from csms.dispatch.standing import Condition
from csms.station.model import ConnectorKey
from csms.station.units import render_kw

ANSWERS = {
    EntryState.SENT: "not answered yet",
    EntryState.REFUSED: "refused",
    EntryState.UNANSWERED: "not answered",
}


def reason(
    condition: Condition, key: ConnectorKey, ledger: Ledger, watch: Watch, standing: Standing
) -> str | None:
    """Why the connector is in this condition; None when it is under control."""
    match condition:
        case Condition.CONTROLLED:
            return None
        case Condition.NEVER_SEEN:
            return "never seen"
        case Condition.OFFLINE_RESERVED:
            return "not connected"
        case Condition.UNCERTAIN:
            return _doubt([e for e in ledger.entries_of(key) if e.state in UNCERTAIN])
        case _:
            return _suspicion(key, ledger, watch, standing) or _fallback(key, ledger)


def _doubt(uncertain: Sequence[Entry]) -> str:
    """What is not known of these limits."""
    if any(e.clears for e in uncertain):
        return "its limits may have been cleared"
    if uncertain and all(e.scope is Scope.MANUAL for e in uncertain):
        return "a profile sent by hand may be in force"
    return f"a limit was {_answer(uncertain[-1] if uncertain else None)}"


def _suspicion(key: ConnectorKey, ledger: Ledger, watch: Watch, standing: Standing) -> str | None:
    """Why it counts for more than its limits, None when it does not."""
    if key not in ledger.suspected():
        return None
    known = watch.of(key)
    observed = f"draws {render_kw(known.observed_w)} kW"
    survives = {standing.capability.survives_reconnect, standing.capability.survives_reboot}
    if known.cause is Cause.LIMIT:
        return f"{observed} above {render_kw(known.allowed_w)} kW"
    if known.cause is Cause.NO_SESSION:
        return f"{observed} without a session"
    if key in watch.watched().under_test:
        return "is being commissioned"
    return "forgets its limits" if Proof.NO in survives else "not seen to obey since a pause"


def _fallback(key: ConnectorKey, ledger: Ledger) -> str:
    return f"its fallback was {_answer(ledger.newest(key, Scope.DEFAULT))}"


def _answer(entry: Entry | None) -> str:
    return "not sent yet" if entry is None else ANSWERS.get(entry.state, "not answered")
