"""What the simulation reads inside csms: the few places that follow when the core changes."""

from __future__ import annotations

from collections.abc import Sequence

from csms.control.station_loop import StationLoop
from csms.dispatch.ledger import Entry, EntryState
from csms.station.model import ConnectorKey


def worst_case_w(loop: StationLoop, key: ConnectorKey, now: float) -> int:
    """What the ledger counts for a connector."""
    return loop.ledger.worst_case_w(key)


def charger_w(loop: StationLoop, charger_id: str, now: float) -> int:
    """What the ledger counts for a charger."""
    return loop.ledger.charger_w(charger_id)


def total_w(loop: StationLoop, now: float) -> int:
    """What the ledger counts for the station."""
    return loop.ledger.total_w()


def available_w(loop: StationLoop) -> int:
    """What the core thinks all connectors may draw."""
    return loop.ledger.station.available_w


def any_uncontrolled(loop: StationLoop, now: float) -> bool:
    """Whether some connector counts at all it can give."""
    return any(loop.ledger.uncontrolled(c.key) for c in loop.state.station.connectors())


def suspected(loop: StationLoop) -> set[ConnectorKey]:
    """The connectors that count for more than their limits."""
    return loop.ledger.suspected()


def newly_given_out(entries: Sequence[Entry]) -> list[Entry]:
    """Of a change of the ledger, the limits that are about to go out."""
    return [e for e in entries if e.state is EntryState.SENT]


def raises(loop: StationLoop, entry: Entry, change: Sequence[Entry], now: float) -> bool:
    """Whether a limit just given out is more than all else that counts for its connector.

    `change` is what went into the ledger with it: an older limit that it takes the place of counted
    until then.
    """
    ledger = loop.ledger
    connector = next((c for c in ledger.station.connectors() if c.key == entry.connector), None)
    if connector is None or ledger.uncontrolled(entry.connector):
        return False
    others = [*ledger.entries(), *(e for e in change if e.state is EntryState.SUPERSEDED)]
    values = [
        e.limit.value_w for e in others if e.connector == entry.connector and e.token != entry.token
    ]
    return entry.limit.value_w > max([connector.fallback_w, *values])
