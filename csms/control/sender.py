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
from csms.dispatch.commands import SetLimit
from csms.dispatch.ledger import Entry, EntryState, Ledger
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
        not sent (safety rules I3, F17, I1); the next cycle works it out again. Nor is a renewal
        that is not durable: after a restart its lease would be thought to have run out. A lower
        that is not durable goes out, but ends no later than what is.
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
            steps_w[order.command.token] = order.entry.counted_w - counted_w
            changed += self._ledger.send(order.entry)
        lawful = self._lawful(overdrawn)
        durable = await self._written(changed)
        fresh = self._clock.monotonic() - started < STALE_RAISE_S
        held_back = 0
        for order in orders:
            step_w = steps_w[order.command.token]
            renewal = step_w == 0 and order.entry.limit.expires_at is not None
            if (step_w > 0 and not (lawful and durable and fresh)) or (renewal and not durable):
                self.keep(self._ledger.unsend(order.command.token))
                held_back += 1
                continue
            sent = order if durable else self._ending_like_the_durable(order)
            task = tasks.create_task(self._deliver(sent.command))
            self._flights[sent.entry.connector] = Flight(sent, step_w < 0, now, task)
        return held_back

    def _ending_like_the_durable(self, order: Order) -> Order:
        """The lower with the end of the lease it lowers, which is all a restart would know of."""
        limit, key, token = order.entry.limit, order.entry.connector, order.command.token
        lowered = [
            entry.limit.expires_at
            for entry in self._ledger.entries()
            if entry.connector == key and entry.token != token and entry.counted_w > limit.value_w
        ]
        ends = [end for end in lowered if end is not None]
        counts_until = order.entry.counts_until
        if limit.expires_at is None or counts_until is None or not ends or len(ends) < len(lowered):
            return order
        ends_at = min(limit.expires_at, max(ends))
        ending = replace(limit, expires_at=ends_at)
        entry = replace(
            order.entry, limit=ending, counts_until=counts_until - limit.expires_at + ends_at
        )
        self.keep([*self._ledger.unsend(token), *self._ledger.send(entry)])
        return replace(order, command=replace(order.command, limit=ending), entry=entry)

    def _lawful(self, before: dict[str, int]) -> bool:
        """Whether sending takes no node further above what it may draw (law 1, checked anew)."""
        broken = {
            node: watts
            for node, watts in self._ledger.overdrawn().items()
            if watts > before.get(node, 0)
        }
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
