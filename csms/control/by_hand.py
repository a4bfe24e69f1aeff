"""Charging profiles that an operator sends by hand: in the ledger first, like every limit.

The station's loop does it, as one of its items, so that nothing is decided beside it:

    HandSent      the loop enters what the request may let through, for every connector concerned,
                  and refuses it when that does not fit beside what else may be in force; then, in a
                  task: durable, sent, answered
    HandAnswered  the loop settles the entries, and gives its own limits once more

What was sent by hand counts until its session is over, or until the charger has taken a
ClearChargingProfile without any filter, whatever csms tells the connector meanwhile: it may stand
in any slot. While a ClearChargingProfile is on its way the charger counts as without limits;
afterwards too, until it has confirmed its fallbacks anew; and for good when it does not answer.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from csms.control.enforcement import Enforcement
from csms.control.events import EventLog
from csms.control.sender import SETTLED, STALE_RAISE_S
from csms.dispatch.by_hand import Reach
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.errors import ChargerSilentError, LimitRefusedError, StorageError, UnknownChargerError
from csms.ports import Clock, Exchange, LedgerStore, Outcome
from csms.station.model import Charger, Connector, ConnectorKey, Limit, LimitSource
from csms.station.state import StationState
from csms.station.units import render_kw

log = structlog.get_logger(__name__)

MOST_KEPT = 16
"""Limits sent by hand that may count for one connector."""

Call = Callable[[Callable[[Exchange], None]], Awaitable[Exchange]]
"""Sends the request; its argument hears an answer that comes after the time-out."""


class Loop(Protocol):
    """What is needed of the station's loop."""

    state: StationState
    ledger: Ledger
    enforcement: Enforcement

    @property
    def station_id(self) -> str:
        """The station it runs."""
        ...

    def post(self, item: ByHand) -> None:
        """Something happened."""
        ...

    def ask_again(self, charger_id: str) -> None:
        """Give the charger its limits once more."""
        ...


class ByHand(ABC):
    """An item of the loop that is about what an operator sent."""

    @abstractmethod
    def act(self, loop: Loop, tasks: asyncio.TaskGroup) -> None:
        """Done by the loop, in its turn."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What requests by hand work with. `token` gives the next one of the ledger."""

    store: LedgerStore
    clock: Clock
    events: EventLog
    token: Callable[[], int]


@dataclass(frozen=True, slots=True)
class HandSent(ByHand):
    """A request that may change limits. `done` gets its end, or the reason why it was not sent."""

    desk: Desk
    charger_id: str
    reach: Reach
    call: Call
    done: asyncio.Future[Exchange]

    def act(self, loop: Loop, tasks: asyncio.TaskGroup) -> None:
        """Enter it into the ledger and send it, or refuse it."""
        charger = loop.state.station.charger(self.charger_id)
        if charger is None:
            self._refuse(UnknownChargerError(f"no station has a charger {self.charger_id!r}"))
            return
        entries = self._entries(loop, charger)
        reason = self._reason_against(loop, entries)
        if reason:
            self._refuse(LimitRefusedError(reason))
            return
        tasks.create_task(self._deliver(loop, entries))

    def _refuse(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def _entries(self, loop: Loop, charger: Charger) -> list[Entry]:
        now = self.desk.clock.now()
        concerned = charger.connectors if self.reach.clears else self.reach.concerns(charger)
        return [
            Entry(
                self.desk.token(),
                connector.key,
                Scope.MANUAL,
                self._most(connector),
                EntryState.SENT,
                now,
                session_id=self._session_of(loop, connector.key),
                stack_level=self.reach.stack_level,
            )
            for connector in concerned
        ]

    def _most(self, connector: Connector) -> Limit:
        if self.reach.clears:
            return Limit(connector.max_power_w, LimitSource.CONNECTOR)
        return Limit(self.reach.most_w(connector), LimitSource.OPERATOR)

    def _session_of(self, loop: Loop, key: ConnectorKey) -> str | None:
        """The running session it goes with, None when it outlives every session."""
        session = loop.state.session_on(key)
        if session is None or session.transaction_id != self.reach.transaction_id:
            return None
        return session.session_id

    def _reason_against(self, loop: Loop, entries: Sequence[Entry]) -> str:
        """Enter them, unless there is a reason not to."""
        ledger = loop.ledger
        if self.reach.refused:
            return self.reach.refused
        most = 2 * MOST_KEPT if self.reach.clears else MOST_KEPT
        if any(ledger.manual(e.connector) >= most for e in entries):
            return (
                f"{most} limits sent by hand may be in force there already; what an accepted "
                "ClearChargingProfile without any filter takes away counts no more"
            )
        before = ledger.overdrawn()
        for entry in entries:
            ledger.send(entry)
        over = ledger.further_overdrawn(before)
        if not over:
            return ""
        for entry in entries:
            ledger.unsend(entry.token)
        lets = ", ".join(f"{e.connector} {render_kw(e.limit.value_w)} kW" for e in entries)
        missing = ", ".join(f"{node} by {render_kw(watts)} kW" for node, watts in over.items())
        return (
            f"it may let through {lets}: beside what else may be in force that is too much for "
            f"{missing}"
        )

    async def _deliver(self, loop: Loop, entries: Sequence[Entry]) -> None:
        def answered(exchange: Exchange, *, late: bool = False) -> None:
            loop.post(HandAnswered(self, tuple(entries), exchange, late))

        try:
            async with asyncio.timeout(STALE_RAISE_S):
                await self.desk.store.write(loop.station_id, entries)
        except (StorageError, TimeoutError) as error:
            reason = str(error) or "the database did not answer"
            self._refuse(StorageError(f"a limit is sent only once it is kept: {reason}"))
            now = self.desk.clock.now()
            answered(Exchange("", now, now, Outcome.NOT_SENT))
            return
        try:
            exchange = await self.call(lambda it: answered(it, late=True))
        except asyncio.CancelledError:
            self._refuse(ChargerSilentError("csms is being stopped"))
            raise
        except Exception:  # boundary: whatever happened, the limit may be in force
            log.exception("call_by_hand_failed", charger=self.charger_id)
            now = self.desk.clock.now()
            exchange = Exchange("", now, now, Outcome.TIMEOUT)
        answered(exchange)


@dataclass(frozen=True, slots=True)
class HandAnswered(ByHand):
    """How a request that may change limits ended, perhaps after its time-out."""

    sent: HandSent
    entries: tuple[Entry, ...]
    exchange: Exchange
    late: bool

    def act(self, loop: Loop, tasks: asyncio.TaskGroup) -> None:
        """Settle the entries, and give the charger csms's own limits once more."""
        del tasks
        changed = self._settle(loop)
        if changed:
            self.sent.desk.store.write_later(loop.station_id, changed)
        loop.ask_again(self.sent.charger_id)
        words = "cleared" if self.sent.reach.clears else "limit"
        self.sent.desk.events.add(
            loop.station_id,
            "limit_by_hand",
            f"{self.sent.charger_id} {words}: {self.exchange.outcome.value}",
        )
        if not self.sent.done.done():
            self.sent.done.set_result(self.exchange)

    def _settle(self, loop: Loop) -> list[Entry]:
        ledger, outcome = loop.ledger, self.exchange.outcome
        tokens = [entry.token for entry in self.entries]
        if outcome is Outcome.NOT_SENT:
            return [gone for token in tokens for gone in ledger.unsend(token)]
        state = SETTLED[outcome]
        if self.sent.reach.clears and state is not EntryState.UNANSWERED:
            return self._cleared(ledger, tokens)
        now = self.sent.desk.clock.now()
        settled = [e for token in tokens for e in ledger.settle(token, state, now)]
        return settled + self._over(loop)

    def _cleared(self, ledger: Ledger, tokens: Sequence[int]) -> list[Entry]:
        """What was confirmed may be gone, also where the charger said no. What comes now stays."""
        changed = ledger.doubt(self.sent.charger_id)
        for token in tokens:
            changed += ledger.unsend(token)
        if self.exchange.outcome is Outcome.ACCEPTED and self.sent.reach.clears_all:
            changed += ledger.cleared(self.sent.charger_id, max(tokens))
        return changed

    def _over(self, loop: Loop) -> list[Entry]:
        """Entries of sessions that ended while the request was on its way."""
        over: list[Entry] = []
        for entry in self.entries:
            session = loop.state.session_on(entry.connector)
            ended = session is None or session.session_id != entry.session_id
            known = entry.connector in loop.state.connectors
            if known and entry.session_id is not None and ended:
                over += loop.ledger.end_session(entry.connector, entry.session_id)
        return over
