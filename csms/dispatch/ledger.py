"""The ledger: every limit that may be in force, per connector (law 1).

A limit may be in force from before its frame is written until a later one of the same scope is
confirmed, until its lease has run out, or until its session is over. What counts for a connector is
the largest of

- every entry that is not superseded, whatever its state: silence and refusals free nothing. The
  fallback is such an entry: what the configuration says of it counts when the charger has it;
- the connector's hardware maximum, as long as no fallback is confirmed by a charger that has been
  seen: such a charger may run without any limit. A charger never seen counts at its configured
  fallback: what it does before it first connects is the operator's statement;
- what its charger gives it whatever low limit it has (`set_floor`), 0 where a limit of 0 pauses;
- what has been seen there beyond any limit, or is feared with good reason (`suspect`).

A limit that is a lease counts until `counts_until`, which is later than the end the charger was
told, by as much as its clock may be wrong; from then on its `after_w` counts. `expire` says that
time has passed: a ledger that was not told counts too much, never too little.

The ledger keeps no clock and does no I/O. Methods that change it return the changed entries, so
that the caller can make them durable.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from csms.dispatch.commands import Scope
from csms.station.model import Charger, Connector, ConnectorKey, Limit, LimitSource, Station


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


UNCERTAIN = frozenset({EntryState.REFUSED, EntryState.UNANSWERED})
UNCERTAIN_KEPT = 16
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Entry:
    """One limit given out. `token` orders the entries.

    `session_id` is None for DEFAULT, and for what an operator sent that outlives the session.

    `counts_until` None: it counts until a later one is confirmed, whatever end it was given,
    because its charger is not trusted to keep to that end. `after_w` is in force after its end.
    Of two limits in one scope a charger follows the one with the higher `stack_level`
    (OCPP 1.6 §3.13.2).
    """

    token: int
    connector: ConnectorKey
    scope: Scope
    limit: Limit
    state: EntryState
    sent_at: float
    settled_at: float | None = None
    session_id: str | None = None
    counts_until: float | None = None
    after_w: int = 0
    stack_level: int = 0

    @property
    def clears(self) -> bool:
        """Whether it stands for limits that are taken away: what is left is the hardware's own."""
        return self.scope is Scope.MANUAL and self.limit.source is LimitSource.CONNECTOR

    @property
    def counted_w(self) -> int:
        """The most this limit may let through, now or after its end."""
        return max(self.limit.value_w, self.after_w)

    def least_w(self, now: float) -> int:
        """The least that is in force if this limit is: it may have ended by the charger's clock.

        When that clock is not trusted any more, it may have ended at any time.
        """
        ends_at = self.limit.expires_at
        if ends_at is None:
            return self.limit.value_w
        if self.counts_until is None:
            return min(self.limit.value_w, self.after_w)
        skew_s = self.counts_until - ends_at
        return self.limit.value_w if now < ends_at - skew_s else self.after_w


class Ledger:
    """The limits of one station that may be in force.

    `entries` are those that counted when the ledger was last kept; `seen` the chargers that have
    ever been connected. Whoever waited for the answer to one of `entries` is gone, so none that was
    sent will be settled: it was not answered.
    """

    def __init__(
        self, station: Station, entries: Iterable[Entry] = (), seen: Iterable[str] = ()
    ) -> None:
        self._connectors: dict[ConnectorKey, Connector] = {}
        self._entries: dict[ConnectorKey, list[Entry]] = {}
        self._seen = set(seen)
        self._suspected_w: dict[ConnectorKey, int] = {}
        self._doubted_to: dict[str, int] = {}
        self._floor_w: dict[ConnectorKey, int] = {}
        self._memo: dict[ConnectorKey, tuple[int, bool, int]] = {}
        self._charger_memo_w: dict[str, int] = {}
        self.rebuild(station)
        for entry in sorted(entries, key=lambda e: e.token):
            if entry.connector in self._entries and entry.state is not EntryState.SUPERSEDED:
                sent = entry.state is EntryState.SENT
                kept = replace(entry, state=EntryState.UNANSWERED) if sent else entry
                self._entries[entry.connector].append(kept)
        self._changed()

    def rebuild(self, station: Station, seen: Collection[str] = ()) -> list[Entry]:
        """Take over a changed station, in which the chargers `seen` have been connected before.

        Entries of connectors that are gone are superseded; all others count as before.
        """
        self.station = station
        self._changed()
        self._seen.update(seen)
        self._connectors = {c.key: c for c in station.connectors()}
        gone = superseded(
            entry
            for key, entries in self._entries.items()
            if key not in self._connectors
            for entry in entries
        )
        self._entries = {key: self._entries.get(key, []) for key in self._connectors}
        self._suspected_w = {k: w for k, w in self._suspected_w.items() if k in self._connectors}
        self._floor_w = {k: w for k, w in self._floor_w.items() if k in self._connectors}
        return gone

    # ------------------------------------------------------------------ what may be in force

    def worst_case_w(self, key: ConnectorKey) -> int:
        """The most this connector may be drawing by any limit that may be in force, in watts.

        A new maximum or fallback in the configuration changes nothing that was given out before.
        """
        return max(self.permitted_w(key), self._suspected_w.get(key, 0))

    def permitted_w(self, key: ConnectorKey) -> int:
        """The same, as far as the connector does what it is told."""
        connector = self._connectors[key]
        given_w = self.given_w(key)
        if self.confirmed(key):
            return given_w
        seen = key.charger_id in self._seen
        return max(given_w, connector.max_power_w if seen else connector.fallback_w)

    def least_w(self, key: ConnectorKey, session_id: str | None, now: float) -> int:
        """The least that may be in force for this session, in watts.

        Sending no more than this raises nothing. Without a confirmed limit of its own the session
        may be running on the fallback. `session_id` None asks for the fallback itself. Any limit
        lets the connector's floor through.
        """
        counted = self._entries[key]
        own = [e for e in counted if e.scope is not Scope.MANUAL and e.session_id == session_id]
        values = [e.least_w(now) for e in counted if e in own or e.scope is Scope.MANUAL]
        if not any(e.state is EntryState.CONFIRMED for e in own):
            values.append(self.fallback_w(key))
        return max(min(values), self.floor_w(key))

    def floor_w(self, key: ConnectorKey) -> int:
        """What this connector gives at any lower limit, in watts (see `set_floor`)."""
        return self._floor_w.get(key, 0)

    def lingering_w(self, key: ConnectorKey) -> int:
        """What older limits let through that a later one did not replace, in watts; 0 for none.

        They are at a higher stack level than the later one that was confirmed: if the charger has
        them, it follows them until the session ends, whatever else it is told at that level.
        """
        entries = self._entries[key]
        return max(
            (
                self.lets_through_w(old)
                for old in entries
                if any(
                    new.state is EntryState.CONFIRMED
                    and new.token > old.token
                    and same_limit(new, old)
                    for new in entries
                )
            ),
            default=0,
        )

    def lets_through_w(self, entry: Entry) -> int:
        """The most this limit may let through on its connector, now or after its end."""
        return max(entry.counted_w, self.floor_w(entry.connector))

    def fallback_w(self, key: ConnectorKey) -> int:
        """The fallback that is surely in force, in watts, or else the configured one."""
        confirmed = [
            e.limit.value_w
            for e in self._entries[key]
            if e.scope is Scope.DEFAULT and e.state is EntryState.CONFIRMED
        ]
        return confirmed[-1] if confirmed else self._connectors[key].fallback_w

    def confirmed(self, key: ConnectorKey) -> bool:
        """Whether a fallback of this connector is confirmed."""
        return self._known(key)[1]

    def _changed(self) -> None:
        self._memo.clear()
        self._charger_memo_w.clear()

    def _known(self, key: ConnectorKey) -> tuple[int, bool, int]:
        """The most that any entry counts, whether a fallback is confirmed, the most of any limit.

        Asked for many times between two changes, so it is worked out once.
        """
        known = self._memo.get(key)
        if known is None:
            entries = self._entries[key]
            confirmed = any(
                e.scope is Scope.DEFAULT and e.state is EntryState.CONFIRMED for e in entries
            )
            most_w = max((self.lets_through_w(e) for e in entries), default=self.floor_w(key))
            limits = (self.lets_through_w(e) for e in entries if not e.clears)
            known = most_w, confirmed, max(limits, default=self.floor_w(key))
            self._memo[key] = known
        return known

    def uncontrolled(self, key: ConnectorKey) -> bool:
        """Whether no limit can be relied on.

        It is suspected, or the charger has been seen and no fallback of this connector is
        confirmed.
        """
        if key in self._suspected_w:
            return True
        return key.charger_id in self._seen and not self.confirmed(key)

    def charger_w(self, charger_id: str) -> int:
        """The most this charger may draw: the sum of its connectors, at most its own maximum.

        Limits given out before that maximum was lowered count whole, and what was seen is true
        whatever the nameplate says.
        """
        charger = self.station.charger(charger_id)
        if charger is None:
            return 0
        counted_w = self._charger_memo_w.get(charger_id)
        if counted_w is None:
            total_w = sum(self.worst_case_w(c.key) for c in charger.connectors)
            counted_w = min(self._most_w(charger), total_w)
            self._charger_memo_w[charger_id] = counted_w
        return counted_w

    def most_w(self) -> dict[str, int]:
        """The most that each charger counts for, in watts, whatever its connectors may draw."""
        return {c.charger_id: self._most_w(c) for c in self.station.chargers}

    def _most_w(self, charger: Charger) -> int:
        # Fear stops at what a connector can give; only what was seen is above that.
        suspected_w = ((c, self._suspected_w.get(c.key, 0)) for c in charger.connectors)
        seen_w = sum(watts for c, watts in suspected_w if watts > c.max_power_w)
        given_w = sum(self._known(c.key)[2] for c in charger.connectors)
        return max(charger.max_power_w, given_w, seen_w)

    def given_w(self, key: ConnectorKey) -> int:
        """The most that any limit given to this connector, and maybe in force, lets through."""
        return self._known(key)[0]

    def total_w(self) -> int:
        """The most the whole station may be drawing through its connectors."""
        return sum(self.charger_w(c.charger_id) for c in self.station.chargers)

    def overdrawn(self) -> dict[str, int]:
        """The nodes below which more may be in force than they may draw, and by how many watts."""
        station = self.station
        counted_w = {c.charger_id: self.charger_w(c.charger_id) for c in station.chargers}
        over = {
            f"charger {c.charger_id}": counted_w[c.charger_id] - c.max_power_w
            for c in station.chargers
        }
        for shared in station.shared_limits():
            over[shared.name] = sum(counted_w[c] for c in shared.charger_ids) - shared.limit_w
        return {node: watts for node, watts in over.items() if watts > 0}

    def further_overdrawn(self, before: Mapping[str, int]) -> dict[str, int]:
        """The nodes that are overdrawn by more than they were `before` (see `overdrawn`)."""
        return {n: watts for n, watts in self.overdrawn().items() if watts > before.get(n, 0)}

    def newest(
        self, key: ConnectorKey, scope: Scope, session_id: str | None = None
    ) -> Entry | None:
        """The limit given out last in this scope and session, or None."""
        for entry in reversed(self._entries[key]):
            if entry.scope is scope and entry.session_id == session_id:
                return entry
        return None

    def doubtful(self, key: ConnectorKey) -> bool:
        """Whether it counts at a limit that was refused or not answered."""
        entries = self._entries[key]
        sure = max((e.counted_w for e in entries if e.state is EntryState.CONFIRMED), default=0)
        return any(e.state in UNCERTAIN and e.counted_w > sure for e in entries)

    def suspected(self) -> set[ConnectorKey]:
        """The connectors that count for more than their limits (see `suspect`)."""
        return set(self._suspected_w)

    def entries(self) -> Iterator[Entry]:
        """Every entry that counts, connector by connector in order of token."""
        for entries in self._entries.values():
            yield from entries

    def entries_of(self, key: ConnectorKey) -> Sequence[Entry]:
        """Every entry that counts for this connector, in order of token; none for a stranger."""
        return tuple(self._entries.get(key, ()))

    def seen(self, charger_id: str) -> bool:
        """Whether this charger has ever been connected."""
        return charger_id in self._seen

    def next_expiry(self) -> float | None:
        """When the next lease runs out, or None when none does."""
        ends = (e.counts_until for e in self.entries() if e.counts_until is not None)
        return min(ends, default=None)

    # ------------------------------------------------------------------ what happened

    def mark_seen(self, charger_id: str) -> None:
        """The charger is connected. From now on an unconfirmed fallback counts as no limit."""
        self._changed()
        self._seen.add(charger_id)

    def send(self, entry: Entry) -> list[Entry]:
        """A limit is about to be written to the wire. Must be durable before it is."""
        self._changed()
        self._entries[entry.connector].append(entry)
        return [entry]

    def unsend(self, token: int) -> list[Entry]:
        """The limit was never written to the wire, and it is certain that it will not be."""
        unsent = [e for e in self.entries() if e.token == token]
        return [gone for e in unsent for gone in self._change(e.connector, [e])]

    def settle(self, token: int, state: EntryState, at: float) -> list[Entry]:
        """A charger confirmed or refused a limit, or let its time run out.

        Only a confirmation frees: it supersedes every older entry of the same scope and session
        whose stack level is not higher, and the repeats that followed it while its answer was
        late. One to a limit from before a reboot is none. An unknown token (superseded before its
        late answer) changes nothing. Uncertain entries do not pile up: what a newer one covers
        goes, and of too many the oldest two become one that counts for both. What an operator sent
        by hand takes the place of nothing: it may stand in any slot of the charger, beside what was
        sent before.
        """
        entry = next((e for e in self.entries() if e.token == token), None)
        if entry is None:
            return []
        self._changed()
        if state is EntryState.CONFIRMED and self.outdated(entry.connector.charger_id, token):
            state = EntryState.UNANSWERED
        settled = replace(entry, state=state, settled_at=at)
        entries = self._entries[entry.connector]
        entries[entries.index(entry)] = settled
        if settled.scope is Scope.MANUAL:
            return [settled]
        if state is not EntryState.CONFIRMED:
            return [settled, *self._tidy(settled)]
        own = [e for e in entries if same_limit(e, entry)]
        older = [e for e in own if e.token < token and e.stack_level <= entry.stack_level]
        newer = [e for e in own if e.token > token]
        repeats = itertools.takewhile(lambda e: _repeats(e, settled), newer)
        return [settled, *self._change(entry.connector, [*older, *repeats])]

    def _tidy(self, settled: Entry) -> list[Entry]:
        key = settled.connector
        own = [e for e in self._entries[key] if same_limit(e, settled) and e.state in UNCERTAIN]
        needless = _needless(own)
        changed = self._change(key, needless)
        left = [e for e in own if e not in needless]
        if len(left) > UNCERTAIN_KEPT:
            least = _least(left)
            older, newer, *_ = (e for e in left if e is not least)
            both = _merged(older, newer)
            entries = self._entries[key]
            entries[entries.index(newer)] = both
            changed += [both, *self._change(key, [older])]
        return changed

    def end_session(self, key: ConnectorKey, session_id: str) -> list[Entry]:
        """The session is over: its limits went with it (OCPP 1.6 §3.13.1 TxProfile).

        One that may still be on the wire stays until it is settled, and must be ended then.
        """
        return self._change(
            key,
            [
                e
                for e in self._entries[key]
                if e.session_id == session_id and e.state is not EntryState.SENT
            ],
        )

    def cleared(self, charger_id: str, before_token: int) -> list[Entry]:
        """The charger has no profile left of those sent by hand before this one.

        What csms has put in force there is gone too: see `doubt`.
        """
        gone: list[Entry] = []
        for connector in self._connectors.values():
            key = connector.key
            manual = [
                e for e in self._entries[key] if e.scope is Scope.MANUAL and e.token < before_token
            ]
            if key.charger_id == charger_id:
                gone += self._change(key, manual)
        return gone

    def manual(self, key: ConnectorKey) -> int:
        """How many limits sent by hand count for this connector."""
        return sum(e.scope is Scope.MANUAL for e in self._entries[key])

    def doubt(self, charger_id: str) -> list[Entry]:
        """The charger rebooted: it may have forgotten any of its limits, so none is confirmed.

        Nor will any that it may have been told before: see `outdated`.
        """
        self._changed()
        doubted: list[Entry] = []
        for key, entries in self._entries.items():
            if key.charger_id != charger_id:
                continue
            known = self._doubted_to.get(charger_id, 0)
            self._doubted_to[charger_id] = max([known, *(e.token for e in entries)])
            for index, entry in enumerate(entries):
                if entry.state is EntryState.CONFIRMED:
                    entries[index] = replace(entry, state=EntryState.UNANSWERED)
                    doubted.append(entries[index])
        return doubted

    def outdated(self, charger_id: str, token: int) -> bool:
        """Whether the charger has rebooted since: a yes tells nothing of what is in force now."""
        return token <= self._doubted_to.get(charger_id, 0)

    def expire(self, now: float) -> list[Entry]:
        """Leases that have run out by `now` count at what follows them, until a later one does.

        They are not over with that: what follows stays in force whatever becomes of the fallback.
        """
        changed: list[Entry] = []
        for entries in self._entries.values():
            for index, entry in enumerate(entries):
                if entry.counts_until is not None and entry.counts_until <= now:
                    self._changed()
                    limit = Limit(entry.after_w, LimitSource.FALLBACK)
                    entries[index] = replace(entry, limit=limit, counts_until=None)
                    changed.append(entries[index])
        return changed

    def trusted(self) -> set[str]:
        """The chargers with limits that are to end by themselves."""
        return {e.connector.charger_id for e in self.entries() if e.counts_until is not None}

    def distrust(self, charger_id: str) -> list[Entry]:
        """The charger will not keep to the end of its limits: they count until later ones do."""
        changed: list[Entry] = []
        for key, entries in self._entries.items():
            for index, entry in enumerate(entries):
                if key.charger_id == charger_id and entry.counts_until is not None:
                    entries[index] = replace(entry, counts_until=None)
                    changed.append(entries[index])
        return changed

    def set_floor(self, key: ConnectorKey, watts: int) -> None:
        """The charger gives this connector so much at any lower limit, and at its fallback.

        It counts whether or not a session is known: one that has just begun draws it already.
        """
        if watts == self.floor_w(key) or key not in self._connectors:
            return
        self._changed()
        self._floor_w[key] = watts

    def suspect(self, key: ConnectorKey, watts: int | None) -> None:
        """The connector draws, or may draw, this much whatever it was told; None: no longer."""
        if watts == self._suspected_w.get(key) or key not in self._connectors:
            return
        self._changed()
        if watts is None:
            del self._suspected_w[key]
        else:
            self._suspected_w[key] = watts

    def set_aside(self, key: ConnectorKey, watts: int) -> bool:
        """Suspect the connector of this much, if that fits beside all that may be in force.

        Returns whether it counts so. What counts as much already needs no more room.
        """
        before, suspected_w = self.overdrawn(), self._suspected_w.get(key)
        counted_w = self.worst_case_w(key)
        self.suspect(key, watts)
        if counted_w < watts and self.further_overdrawn(before):
            self.suspect(key, suspected_w)
            return False
        return True

    def sent_w(self, key: ConnectorKey, session_id: str) -> tuple[int, ...]:
        """What was sent to this session since its newest confirmed limit, in watts, oldest first.

        Each may have come into force. A session without limits of its own goes by the fallback.
        What an operator sent by hand confirms none of them, but may be in force above them.
        """
        by_hand = [e for e in self._entries[key] if e.scope is Scope.MANUAL]
        others = [e for e in self._entries[key] if e.scope is not Scope.MANUAL]
        own = [e for e in others if e.session_id == session_id] or others
        confirmed = [e.token for e in own if e.state is EntryState.CONFIRMED]
        newest = max(confirmed, default=0)
        since = sorted((e for e in own + by_hand if e.token > newest), key=lambda e: e.token)
        return tuple(e.limit.value_w for e in since)

    def _change(self, key: ConnectorKey, gone: list[Entry]) -> list[Entry]:
        self._changed()
        tokens = {e.token for e in gone}
        self._entries[key] = [e for e in self._entries[key] if e.token not in tokens]
        return superseded(gone)


def superseded(entries: Iterable[Entry]) -> list[Entry]:
    """These entries, over: they count no longer."""
    return [replace(entry, state=EntryState.SUPERSEDED) for entry in entries]


def same_limit(one: Entry, other: Entry) -> bool:
    """Whether a charger takes one in place of the other: same scope, same session."""
    return one.scope is other.scope and one.session_id == other.session_id


def _needless(uncertain: list[Entry]) -> list[Entry]:
    """The uncertain entries of one scope and session that a newer one makes needless.

    A newer one that counts as much for as long does; an older one does not, as a late confirmation
    between the two would free it. The smallest value stays, which is the least case.
    """
    least = _least(uncertain)
    return [
        entry
        for entry in uncertain
        if entry is not least
        and any(other.token > entry.token and _covers(other, entry) for other in uncertain)
    ]


def _least(uncertain: list[Entry]) -> Entry:
    """The smallest, the newest of several: it may be the one in force."""
    return min(reversed(uncertain), key=lambda e: e.limit.value_w)


def _repeats(uncertain: Entry, confirmed: Entry) -> bool:
    return uncertain.state in UNCERTAIN and _extent(uncertain) == _extent(confirmed)


def _covers(one: Entry, other: Entry) -> bool:
    return all(a >= b for a, b in zip(_extent(one), _extent(other), strict=True))


def _extent(entry: Entry) -> tuple[float, int, int, int]:
    until = NEVER if entry.counts_until is None else entry.counts_until
    return until, entry.limit.value_w, entry.after_w, entry.stack_level


def _merged(older: Entry, newer: Entry) -> Entry:
    """One entry that counts at least as much, and as long, as both."""
    until = None
    if older.counts_until is not None and newer.counts_until is not None:
        until = max(older.counts_until, newer.counts_until)
    return replace(
        newer,
        limit=replace(newer.limit, value_w=max(older.limit.value_w, newer.limit.value_w)),
        counts_until=until,
        after_w=max(older.after_w, newer.after_w),
        stack_level=max(older.stack_level, newer.stack_level),
    )
