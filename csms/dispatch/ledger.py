"""The ledger: every limit that may be in force, per connector (law 1).

A limit may be in force from before its frame is written until a later one of the same scope is
confirmed, or until its session is over. What counts for a connector is the largest of

- every entry that is not superseded, whatever its state: silence and refusals free nothing;
- the connector's configured fallback, always: it applies whenever a session limit does not;
- the connector's hardware maximum, as long as no fallback is confirmed by a charger that has been
  seen: such a charger may run without any limit. A charger never seen counts at its configured
  fallback: what it does before it first connects is the operator's statement.

The ledger keeps no clock and does no I/O. Methods that change it return the changed entries, so
that the caller can make them durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from csms.dispatch.commands import Scope
from csms.station.model import Connector, ConnectorKey, Limit, Station


class EntryState(StrEnum):
    """What is known of a limit that was given out.

    SENT may be on the wire; UNANSWERED was not answered, or its charger has rebooted since;
    CONFIRMED was accepted; REFUSED was answered with no, which proves nothing (a charger may refuse
    and apply); SUPERSEDED can no longer be in force. All but SUPERSEDED are counted.
    """

    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Entry:
    """One limit given out. `token` orders the entries; `session_id` is None exactly for DEFAULT."""

    token: int
    connector: ConnectorKey
    scope: Scope
    limit: Limit
    state: EntryState
    sent_at: float
    settled_at: float | None = None
    session_id: str | None = None


class Ledger:
    """The limits of one station that may be in force.

    `entries` are those that counted when the ledger was last kept; `seen` the chargers that have
    ever been connected.
    """

    def __init__(
        self, station: Station, entries: Iterable[Entry] = (), seen: Iterable[str] = ()
    ) -> None:
        self._connectors: dict[ConnectorKey, Connector] = {}
        self._entries: dict[ConnectorKey, list[Entry]] = {}
        self._seen = set(seen)
        self.rebuild(station)
        for entry in sorted(entries, key=lambda e: e.token):
            if entry.connector in self._entries and entry.state is not EntryState.SUPERSEDED:
                self._entries[entry.connector].append(entry)

    def rebuild(self, station: Station) -> list[Entry]:
        """Take over a changed station. Entries of connectors that are gone are superseded."""
        self.station = station
        self._connectors = {c.key: c for c in station.connectors()}
        gone = [
            replace(entry, state=EntryState.SUPERSEDED)
            for key, entries in self._entries.items()
            if key not in self._connectors
            for entry in entries
        ]
        self._entries = {key: self._entries.get(key, []) for key in self._connectors}
        return gone

    # ------------------------------------------------------------------ what may be in force

    def worst_case_w(self, key: ConnectorKey) -> int:
        """The most this connector may be drawing by any limit that may be in force, in watts."""
        connector = self._connectors[key]
        if self.uncontrolled(key):
            return connector.max_power_w
        values = (entry.limit.value_w for entry in self._entries[key])
        return min(max(connector.fallback_w, *values, 0), connector.max_power_w)

    def least_w(self, key: ConnectorKey, session_id: str | None) -> int:
        """The least that may be in force for this session, in watts.

        Sending no more than this raises nothing. Without a confirmed limit of its own the session
        may be running on the fallback.
        """
        own = [e for e in self._entries[key] if e.session_id == session_id]
        values = [e.limit.value_w for e in own]
        if not any(e.state is EntryState.CONFIRMED for e in own):
            values.append(self._connectors[key].fallback_w)
        return min(values)

    def uncontrolled(self, key: ConnectorKey) -> bool:
        """Whether the charger has been seen and no fallback of this connector is confirmed."""
        return key.charger_id in self._seen and not any(
            entry.scope is Scope.DEFAULT and entry.state is EntryState.CONFIRMED
            for entry in self._entries[key]
        )

    def charger_w(self, charger_id: str) -> int:
        """The most this charger may draw: the sum of its connectors, at most its own maximum."""
        charger = self.station.charger(charger_id)
        if charger is None:
            return 0
        return min(charger.max_power_w, sum(self.worst_case_w(c.key) for c in charger.connectors))

    def total_w(self) -> int:
        """The most the whole station may be drawing through its connectors."""
        return sum(self.charger_w(c.charger_id) for c in self.station.chargers)

    def newest(
        self, key: ConnectorKey, scope: Scope, session_id: str | None = None
    ) -> Entry | None:
        """The limit given out last in this scope and session, or None."""
        for entry in reversed(self._entries[key]):
            if entry.scope is scope and entry.session_id == session_id:
                return entry
        return None

    def entries(self) -> Iterator[Entry]:
        """Every entry that counts, connector by connector in order of token."""
        for entries in self._entries.values():
            yield from entries

    def seen(self, charger_id: str) -> bool:
        """Whether this charger has ever been connected."""
        return charger_id in self._seen

    # ------------------------------------------------------------------ what happened

    def mark_seen(self, charger_id: str) -> None:
        """The charger is connected. From now on an unconfirmed fallback counts as no limit."""
        self._seen.add(charger_id)

    def send(self, entry: Entry) -> list[Entry]:
        """A limit is about to be written to the wire. Must be durable before it is.

        Refused or unanswered entries of the same value are superseded, so that repeats do not
        pile up: this newer one counts for them.
        """
        repeated = [
            e
            for e in self._entries[entry.connector]
            if _same_limit(e, entry)
            and e.state in {EntryState.REFUSED, EntryState.UNANSWERED}
            and e.limit.value_w == entry.limit.value_w
        ]
        return [entry, *self._change(entry.connector, repeated, add=entry)]

    def unsend(self, token: int) -> list[Entry]:
        """The limit was never written to the wire, and it is certain that it will not be."""
        unsent = [e for e in self.entries() if e.token == token]
        return [gone for e in unsent for gone in self._change(e.connector, [e])]

    def settle(self, token: int, state: EntryState, at: float) -> list[Entry]:
        """A charger confirmed or refused a limit, or let its time run out.

        Only a confirmation frees: it supersedes every older entry of the same scope and session.
        An unknown token (superseded before its late answer) changes nothing.
        """
        entry = next((e for e in self.entries() if e.token == token), None)
        if entry is None:
            return []
        settled = replace(entry, state=state, settled_at=at)
        entries = self._entries[entry.connector]
        entries[entries.index(entry)] = settled
        if state is not EntryState.CONFIRMED:
            return [settled]
        older = [e for e in entries if _same_limit(e, entry) and e.token < token]
        return [settled, *self._change(entry.connector, older)]

    def end_session(self, key: ConnectorKey, session_id: str) -> list[Entry]:
        """The session is over: its limits went with it (OCPP 1.6 §3.13.1 TxProfile)."""
        return self._change(key, [e for e in self._entries[key] if e.session_id == session_id])

    def doubt(self, charger_id: str) -> list[Entry]:
        """The charger rebooted: it may have forgotten any of its limits, so none is confirmed."""
        doubted: list[Entry] = []
        for key, entries in self._entries.items():
            if key.charger_id != charger_id:
                continue
            for index, entry in enumerate(entries):
                if entry.state is EntryState.CONFIRMED:
                    entries[index] = replace(entry, state=EntryState.UNANSWERED)
                    doubted.append(entries[index])
        return doubted

    def _change(
        self, key: ConnectorKey, superseded: list[Entry], add: Entry | None = None
    ) -> list[Entry]:
        gone = {e.token for e in superseded}
        kept = [e for e in self._entries[key] if e.token not in gone]
        self._entries[key] = [*kept, add] if add is not None else kept
        return [replace(e, state=EntryState.SUPERSEDED) for e in superseded]


def _same_limit(one: Entry, other: Entry) -> bool:
    return one.scope is other.scope and one.session_id == other.session_id
