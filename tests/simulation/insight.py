"""What the simulation reads inside csms: the few places that follow when the core changes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from csms.control.station_loop import StationLoop
from csms.dispatch.ledger import Entry, EntryState
from csms.station.model import Connector, ConnectorKey


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


def nodes(loop: StationLoop) -> list[tuple[str, int, frozenset[str]]]:
    """Every node above the chargers: its name, what it gives in watts, the chargers below it."""
    shared = loop.ledger.station.shared_limits()
    return [(limit.name, limit.limit_w, limit.charger_ids) for limit in shared]


def connectors_of(loop: StationLoop, charger_id: str) -> Sequence[Connector]:
    """The connectors of a charger."""
    charger = loop.ledger.station.charger(charger_id)
    return () if charger is None else charger.connectors


def uncontrolled(loop: StationLoop, key: ConnectorKey) -> bool:
    """Whether a connector counts at all it can give, or at what it was seen to draw."""
    return loop.ledger.uncontrolled(key)


def charger_ids(loop: StationLoop) -> list[str]:
    """Every charger of the station."""
    return [charger.charger_id for charger in loop.ledger.station.chargers]


def registering(loop: StationLoop, charger_id: str) -> bool:
    """Whether a charger that has been connected has not confirmed all its fallbacks."""
    return loop.ledger.seen(charger_id) and not all(
        loop.ledger.confirmed(c.key) for c in connectors_of(loop, charger_id)
    )


def met_at(loop: StationLoop, charger_id: str) -> float:
    """When the charger's connection began; long ago when it has none."""
    contact = loop.contacts.get(charger_id)
    return -math.inf if contact is None else contact.since


def in_contact(loop: StationLoop, charger_id: str) -> bool:
    """Whether a charger is connected, as csms sees it."""
    return charger_id in loop.contacts


def settled(loop: StationLoop, key: ConnectorKey) -> bool:
    """Whether the charger has registered, and has confirmed every limit that counts here."""
    contact = loop.contacts.get(key.charger_id)
    ready = contact is not None and contact.ready
    return ready and all(e.state is EntryState.CONFIRMED for e in loop.ledger.entries_of(key))


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
    least_w = max(connector.fallback_w, ledger.floor_w(connector.key))
    return entry.limit.value_w > max([least_w, *values])
