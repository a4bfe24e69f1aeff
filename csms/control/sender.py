"""Sends limits: durable first, then on the wire; and takes back what was not sent.

Owns the flights of one station: the limits whose answers are outstanding, one per connector.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from csms.control.events import EventLog
from csms.control.orders import Order
from csms.dispatch.commands import Scope, SetLimit
from csms.dispatch.ledger import Entry, EntryState, Ledger, same_limit
from csms.dispatch.planner import Wish
from csms.errors import StorageError
from csms.ports import Answer, ChargerLink, Clock, LedgerStore, Outcome
from csms.station.model import ConnectorKey

log = structlog.get_logger(__name__)

STALE_RAISE_S = 1.0
"""A raise that could not be sent for so long was worked out from a station that has changed."""

SETTLED = {
    Outcome.ACCEPTED: EntryState.CONFIRMED,
    Outcome.REJECTED: EntryState.REFUSED,
    Outcome.UNSUPPORTED: EntryState.REFUSED,
    Outcome.INVALID: EntryState.REFUSED,
    Outcome.TIMEOUT: EntryState.UNANSWERED,
    Outcome.DISCONNECTED: EntryState.UNANSWERED,
}
"""What an answer to a limit makes of its entry; NOT_SENT leaves none."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A limit whose answer is outstanding."""

    order: Order
    lowers: bool
    sent_at: float
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class LimitAnswered:
    """A charger's answer to a limit, or the lack of one. `late`: after its time-out."""

    command: SetLimit
    answer: Answer
    late: bool = False


class Sender:
    """Sends the limits of one station. `post` takes the answers."""

    def __init__(
        self,
        station_id: str,
        ledger: Ledger,
        *,
        link: ChargerLink,
        store: LedgerStore,
        clock: Clock,
        events: EventLog,
        post: Callable[[LimitAnswered], None],
    ) -> None:
        self._station_id = station_id
        self._ledger = ledger
        self._link = link
        self._store = store
        self._clock = clock
        self._events = events
        self._post = post
        self._flights: dict[ConnectorKey, Flight] = {}
        self._durable = True

    def busy(self) -> Collection[ConnectorKey]:
        """The connectors with an answer outstanding."""
        return self._flights.keys()

    def lowers_outstanding(self, now: float, patience_s: float) -> bool:
        """Whether a lower that is not too old is unanswered."""
        return any(f.lowers and now - f.sent_at < patience_s for f in self._flights.values())

    def landed(self, command: SetLimit) -> Order | None:
        """The answer is here; returns the order it answers, None when that is not in flight."""
        flight = self._flights.get(command.connector)
        if flight is None or flight.order.command.token != command.token:
            return None
        del self._flights[command.connector]
        return flight.order

    def recall_for(self, wishes: Iterable[Wish]) -> None:
        """Wait no longer for a limit where a lower one must go out. What was sent still counts."""
        for wish in wishes:
            flight = self._flights.get(wish.connector)
            if flight is None or flight.order.tried_as is not wish.scope:
                continue
            order = flight.order
            if wish.limit.value_w < order.entry.limit.value_w:
                del self._flights[wish.connector]
                flight.task.cancel()
                token = order.command.token
                self.keep(self._ledger.settle(token, EntryState.UNANSWERED, self._clock.now()))

    def keep(self, entries: list[Entry]) -> None:
        """Write changed entries soon."""
        if entries:
            self._store.write_later(self._station_id, entries)

    async def send(self, orders: Sequence[Order], tasks: asyncio.TaskGroup) -> int:
        """Send limits, lowers first as given; returns how many raises had to be held back.

        A raise that is not durable, was worked out too long ago, or would break the ledger law, is
        not sent (safety rules I3, F17, I1); the next cycle works it out again. What is not durable
        must be covered, after a restart, by what is: a lower goes out, but ends no later than what
        it lowers, or, without an end and where it lowers no limit but only what is feared, is no
        higher than what counts when every lease is over (see `_lasting_w`); no lease is renewed,
        and nothing that lowers nothing takes the place of one.
        """
        if not orders:
            return 0
        now, started = self._clock.now(), self._clock.monotonic()
        overdrawn = self._ledger.overdrawn()
        steps_w = {}
        changed: list[Entry] = []
        for order in orders:
            # What a connector is suspected of is not on disk: its limits must be.
            counted_w = self._ledger.permitted_w(order.entry.connector)
            steps_w[order.command.token] = self._ledger.lets_through_w(order.entry) - counted_w
            changed += self._ledger.send(order.entry)
        lawful = self._lawful(overdrawn)
        durable = await self._written(changed)
        fresh = self._clock.monotonic() - started < STALE_RAISE_S
        held_back = 0
        for order in orders:
            step_w = steps_w[order.command.token]
            sent = order if durable else self._covered(order, step_w)
            if sent is None or (step_w > 0 and not (lawful and durable and fresh)):
                self.keep(self._ledger.unsend(order.command.token))
                held_back += 1
                continue
            if sent is not order:
                unsent = self._ledger.unsend(order.command.token)
                self.keep([*unsent, *self._ledger.send(sent.entry)])
            task = tasks.create_task(self._deliver(replace(sent.command, raises=step_w > 0)))
            self._flights[sent.entry.connector] = Flight(sent, step_w < 0, now, task)
        return held_back

    def _covered(self, order: Order, step_w: int) -> Order | None:
        """The order as a restart that knows nothing of it would still count it; None to wait."""
        known = self._ledger.entries_of(order.entry.connector)
        # What an operator sends by hand covers nothing: it may not have been written yet.
        others = [
            entry
            for entry in known
            if entry.token != order.command.token and entry.scope is not Scope.MANUAL
        ]
        if order.entry.limit.expires_at is not None:
            if step_w == 0:
                return None
            # A restart would know nothing of one that only the hardware is above.
            known_w = max((e.counted_w for e in others), default=0)
            if order.entry.counted_w <= known_w:
                return _ending_like(others, order)
            order = _endless(order)
        lasting_w = _lasting_w(others)
        if not others or order.entry.limit.value_w <= lasting_w:
            return order
        own = [e for e in others if same_limit(e, order.entry)]
        if step_w == 0 or (own and _lasts(own[-1])):
            return None
        return _lowered(order, lasting_w)

    def _lawful(self, before: dict[str, int]) -> bool:
        """Whether sending takes no node further above what it may draw (law 1, checked anew)."""
        broken = self._ledger.further_overdrawn(before)
        if broken:
            log.critical("ledger_law", station=self._station_id, over=broken)
            self._events.add(self._station_id, "ledger_law", f"raises held back: {broken}")
        return not broken

    async def _written(self, entries: list[Entry]) -> bool:
        error: Exception | None = None
        try:
            async with asyncio.timeout(STALE_RAISE_S):
                await self._store.write(self._station_id, entries)
        except (StorageError, TimeoutError) as failed:
            error = failed
        if error is not None and self._durable:
            self._events.add(self._station_id, "ledger_not_written", str(error) or "no answer")
        self._durable = error is None
        return self._durable

    async def _deliver(self, command: SetLimit) -> None:
        try:
            answer = await self._link.set_limit(command)
        except Exception:  # boundary: whatever happened, the limit may be in force
            log.exception("set_limit_failed", connector=str(command.connector))
            answer = Answer(Outcome.TIMEOUT, "internal error")
        self._post(LimitAnswered(command, answer))


def _ending_like(others: Sequence[Entry], order: Order) -> Order:
    """The lower with the end of the lease it lowers, which is all a restart would know of."""
    limit, counts_until = order.entry.limit, order.entry.counts_until
    lowered = [e.limit.expires_at for e in others if e.counted_w >= limit.value_w]
    ends = [end for end in lowered if end is not None]
    if limit.expires_at is None or counts_until is None or not ends or len(ends) < len(lowered):
        return order
    ends_at = min(limit.expires_at, max(ends))
    ending = replace(limit, expires_at=ends_at)
    until = counts_until - limit.expires_at + ends_at
    entry = replace(order.entry, limit=ending, counts_until=until)
    return replace(order, command=replace(order.command, limit=ending), entry=entry)


def _endless(order: Order) -> Order:
    limit = replace(order.entry.limit, expires_at=None)
    command = replace(order.command, limit=limit)
    entry = replace(order.entry, limit=limit, counts_until=None, after_w=0)
    return replace(order, command=command, entry=entry)


def _lasting_w(entries: Sequence[Entry]) -> int:
    """What these count when every lease is over, in watts.

    A lease that is not trusted any more is one too: that may not have been written yet.
    """
    return max(
        (e.limit.value_w if e.limit.expires_at is None else e.after_w for e in entries), default=0
    )


def _lowered(order: Order, value_w: int) -> Order:
    limit = replace(order.entry.limit, value_w=value_w)
    after_w = min(order.command.after_w, value_w)
    command = replace(order.command, limit=limit, after_w=after_w)
    return replace(order, command=command, entry=replace(order.entry, limit=limit))


def _lasts(entry: Entry) -> bool:
    """Whether the charger surely holds it, without an end: then it need not be told again."""
    return entry.state is EntryState.CONFIRMED and entry.limit.expires_at is None
