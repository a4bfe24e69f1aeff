"""Lower first (law 2): which limits may be sent now, so that law 1 holds whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.policy import DispatchPolicy
from csms.station.model import ConnectorKey, Limit, LimitSource, SharedLimit


@dataclass(frozen=True, slots=True)
class Wish:
    """A limit that should be in force.

    `again` asks for it even when it is confirmed (after a reconnect or a reboot, when the charger
    may have forgotten it). `lease`: it is to end by itself unless it is renewed. `ends_in_s` is a
    test of just that: it gets this end whatever is known of the charger, and is not renewed.
    """

    connector: ConnectorKey
    scope: Scope
    limit: Limit
    session_id: str | None = None
    transaction_id: int | None = None
    again: bool = False
    lease: bool = False
    ends_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`send` may go out now, lowers first; `waiting` must wait for room, an answer or its retry."""

    send: tuple[Wish, ...] = ()
    waiting: tuple[Wish, ...] = ()


class _Room:
    """What is left at every node above a connector; every limit that may be in force counts."""

    def __init__(self, ledger: Ledger) -> None:
        station = ledger.station
        self._ledger = ledger
        self._chargers = {c.charger_id: c for c in station.chargers}
        self._charger_w = {
            c.charger_id: c.max_power_w - ledger.charger_w(c.charger_id) for c in station.chargers
        }
        self._ungiven_w = {
            c.charger_id: c.max_power_w - sum(ledger.given_w(k.key) for k in c.connectors)
            for c in station.chargers
        }
        self._above: dict[str, list[SharedLimit]] = {c.charger_id: [] for c in station.chargers}
        self._shared_w: dict[str, int] = {}
        for shared in station.shared_limits():
            counted_w = sum(ledger.charger_w(charger_id) for charger_id in shared.charger_ids)
            self._shared_w[shared.name] = shared.limit_w - counted_w
            for charger_id in shared.charger_ids:
                self._above[charger_id].append(shared)

    def above(self, key: ConnectorKey) -> tuple[int, LimitSource]:
        """Watts that may be added at this connector, and the node that binds.

        Negative when a node is overcommitted.
        """
        rooms = [(self._charger_w[key.charger_id], LimitSource.CHARGER)]
        rooms += [(self._shared_w[s.name], s.source) for s in self._above[key.charger_id]]
        return min(rooms, key=lambda room: room[0])

    def beside(self, key: ConnectorKey) -> int:
        """What is left for this connector beside all that the others may draw, in watts.

        0 where that is less than its minimum.
        """
        charger = self._chargers[key.charger_id]
        left_w = charger.max_power_w - self._charger_w[key.charger_id] + self.above(key)[0]
        minimum_w = 0
        for connector in charger.connectors:
            if connector.key == key:
                minimum_w = connector.minimum_w
            else:
                left_w -= self._ledger.worst_case_w(connector.key)
        return left_w if left_w >= minimum_w else 0

    def give(self, key: ConnectorKey, wanted_w: int) -> int:
        """How many of these watts its charger may be permitted beside all it was given before.

        What counts there may be more: its hardware holds, but what is permitted must fit as well.
        """
        given_w = min(wanted_w, max(0, self._ungiven_w[key.charger_id]))
        self._ungiven_w[key.charger_id] -= given_w
        return given_w

    def take(self, key: ConnectorKey, watts: int) -> None:
        self._charger_w[key.charger_id] -= watts
        for shared in self._above[key.charger_id]:
            self._shared_w[shared.name] -= watts


def plan(
    ledger: Ledger,
    wishes: Iterable[Wish],
    *,
    busy: Collection[ConnectorKey],
    held: Callable[[Wish], bool],
    lowers_outstanding: bool,
    policy: DispatchPolicy,
    now: float,
    raises: bool = True,
) -> Plan:
    """Sort the wishes into those that may be sent now and those that must wait.

    A wish no larger than what is already counted for its connector can be sent at any time; but
    while a node above is overcommitted, no more than the least that may be in force, or than what
    is left beside all that the others may draw: an unanswered limit may have lowered it already. A
    larger wish is a raise: it is sent only into room that confirmed lowers have left at every node
    above it, smallest counted value first. While lowers are outstanding a raise waits to fit as a
    whole; when there are none it takes the room there is. `busy` connectors have an answer
    outstanding; `held` wishes wait for their retry. A limit in force is sent again at half its
    life, so that its lease does not run out. With `raises` False every raise waits.
    """
    lowers: list[Wish] = []
    higher: list[Wish] = []
    waiting: list[Wish] = []
    taken = set(busy)
    room = _Room(ledger)
    for wish in wishes:
        if not _unsettled(ledger, wish, policy, now):
            continue
        if wish.connector in taken or held(wish):
            waiting.append(wish)
            continue
        taken.add(wish.connector)
        if wish.limit.value_w > ledger.worst_case_w(wish.connector):
            higher.append(wish)
        else:
            above_w, source = room.above(wish.connector)
            if above_w < 0:
                lower = _lowest(ledger, room, wish, source, now)
            else:
                lower = _within_charger(ledger, room, wish, now)
            # Cut down to what is confirmed already, it would be sent again and again.
            (lowers if _unsettled(ledger, lower, policy, now) else waiting).append(lower)
    outstanding = lowers_outstanding or any(_lowers(ledger, wish) for wish in lowers)
    if not raises:
        return Plan(tuple(lowers), tuple(waiting + higher))
    sent, left = _fit(ledger, room, higher, whole=outstanding, policy=policy)
    return Plan(tuple(lowers + sent), tuple(waiting + left))


def _unsettled(ledger: Ledger, wish: Wish, policy: DispatchPolicy, now: float) -> bool:
    newest = ledger.newest(wish.connector, wish.scope, wish.session_id)
    if newest is None:
        # A session needs no limit of its own while the confirmed fallback says the same.
        fallback = ledger.newest(wish.connector, Scope.DEFAULT)
        return (
            wish.scope is Scope.DEFAULT
            or fallback is None
            or fallback.state is not EntryState.CONFIRMED
            or fallback.limit.value_w != wish.limit.value_w
        )
    return (
        wish.again
        or newest.state is not EntryState.CONFIRMED
        or newest.limit.value_w != wish.limit.value_w
        or (wish.ends_in_s is None and _due(newest, policy, now))
    )


def _due(entry: Entry, policy: DispatchPolicy, now: float) -> bool:
    ends_at = entry.limit.expires_at
    return ends_at is not None and now >= policy.renew_at(entry.sent_at, ends_at)


def _lowers(ledger: Ledger, wish: Wish) -> bool:
    told_w = max(wish.limit.value_w, ledger.floor_w(wish.connector))
    return told_w < ledger.worst_case_w(wish.connector)


def _lowest(ledger: Ledger, room: _Room, wish: Wish, source: LimitSource, now: float) -> Wish:
    least_w = ledger.least_w(wish.connector, wish.session_id, now)
    most_w = max(least_w, room.beside(wish.connector))
    return wish if wish.limit.value_w <= most_w else _cut(wish, most_w, source)


def _within_charger(ledger: Ledger, room: _Room, wish: Wish, now: float) -> Wish:
    given_w = ledger.given_w(wish.connector)
    if wish.limit.value_w <= given_w:
        return wish
    most_w = given_w + room.give(wish.connector, wish.limit.value_w - given_w)
    if wish.limit.value_w <= most_w:
        return wish
    least_w = ledger.least_w(wish.connector, wish.session_id, now)
    return _cut(wish, min(wish.limit.value_w, max(most_w, least_w)), LimitSource.CHARGER)


def _cut(wish: Wish, value_w: int, source: LimitSource) -> Wish:
    return replace(wish, limit=replace(wish.limit, value_w=value_w, source=source))


def _fit(
    ledger: Ledger, room: _Room, raises: list[Wish], *, whole: bool, policy: DispatchPolicy
) -> tuple[list[Wish], list[Wish]]:
    sent: list[Wish] = []
    left: list[Wish] = []
    minimum_w = {c.key: c.minimum_w for c in ledger.station.connectors()}
    for wish in sorted(raises, key=lambda w: ledger.worst_case_w(w.connector)):
        key = wish.connector
        counted_w = ledger.worst_case_w(key)
        above_w, source = room.above(key)
        step_w = min(wish.limit.value_w - counted_w, max(0, above_w))
        value_w = counted_w + step_w
        if value_w < wish.limit.value_w:
            left.append(wish)
            if whole or step_w < policy.dead_band(counted_w) or value_w < minimum_w[key]:
                continue
        room.take(key, step_w)
        sent.append(wish if value_w == wish.limit.value_w else _cut(wish, value_w, source))
    return sent, left
