"""The loop of one station: take what happened, work out what should be, send what is safe.

The only place that decides. It asks three pure questions in each cycle: what is true (`station`),
what should be (`balancing`, through `Balancer`), and what may be sent now (`dispatch`). Answers of
chargers come back through the same inbox, so nothing is ever changed in two places at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import structlog

from csms.control.balancer import Balancer, Standing
from csms.control.events import EventLog
from csms.control.inbox import Inbox
from csms.control.registration import (
    RegistrationSettings,
    ask_for_meter_values,
    ask_for_statuses,
    rate_unit,
)
from csms.dispatch.commands import Scope, SetLimit
from csms.dispatch.goals import Goal
from csms.dispatch.ledger import Entry, EntryState, Ledger
from csms.dispatch.planner import Plan, Wish, plan
from csms.dispatch.policy import DispatchPolicy
from csms.dispatch.retries import Retries
from csms.errors import StorageError
from csms.ports import Answer, ChargerLink, Clock, LedgerStore, Outcome
from csms.station.document import changes_in_use
from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    Fact,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
)
from csms.station.model import Charger, ConnectorKey, Limit, LimitSource, RateUnit, Station
from csms.station.state import ChargerState, ConnectorState, StationState
from csms.station.update import apply

log = structlog.get_logger(__name__)

STALE_RAISE_S = 1.0
SETTLED = {
    Outcome.ACCEPTED: EntryState.CONFIRMED,
    Outcome.REJECTED: EntryState.REFUSED,
    Outcome.UNSUPPORTED: EntryState.REFUSED,
    Outcome.INVALID: EntryState.REFUSED,
    Outcome.TIMEOUT: EntryState.UNANSWERED,
    Outcome.DISCONNECTED: EntryState.UNANSWERED,
}


@dataclass(frozen=True, slots=True)
class LimitAnswered:
    """A charger's answer to a limit, or the lack of one. `late`: after its time-out."""

    command: SetLimit
    answer: Answer
    late: bool = False


@dataclass(frozen=True, slots=True)
class UnitLearned:
    """The charger of this contact takes limits in this unit."""

    charger_id: str
    since: float
    unit: RateUnit


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The station is to be changed. `refused` gets the reasons why it was not, none when it was."""

    station: Station
    refused: asyncio.Future[list[str]]


@dataclass(frozen=True, slots=True)
class Marker:
    """Done when everything put before it has been acted on."""

    reached: asyncio.Future[None]


Item = Fact | LimitAnswered | UnitLearned | Reconfigured | Marker


@dataclass(slots=True)
class Contact:
    """A live connection of a charger, since `since`. No limit is sent before `unit` is known."""

    since: float
    unit: RateUnit | None = None


@dataclass(frozen=True, slots=True)
class Flight:
    """A limit whose answer is outstanding."""

    command: SetLimit
    lowers: bool
    sent_at: float


@dataclass(slots=True)
class LoopSettings:
    """Numbers of the loop. `tick_s`: longest wait between two cycles."""

    dispatch: DispatchPolicy = field(default_factory=DispatchPolicy)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    tick_s: float = 1.0


class StationLoop:
    """Runs one station. Everything reaches it through `post` and leaves through its ports."""

    def __init__(
        self,
        state: StationState,
        ledger: Ledger,
        balancer: Balancer,
        *,
        link: ChargerLink,
        store: LedgerStore,
        clock: Clock,
        events: EventLog,
        tokens: Iterator[int],
        settings: LoopSettings,
    ) -> None:
        self.state = state
        self.ledger = ledger
        self.balancer = balancer
        self.settled = True
        self.contacts: dict[str, Contact] = {}
        self._link = link
        self._store = store
        self._clock = clock
        self._events = events
        self._tokens = tokens
        self._settings = settings
        self._policy = settings.dispatch
        self._retries = Retries(settings.dispatch)
        self._inbox: Inbox[Item] = Inbox()
        self._flights: dict[ConnectorKey, Flight] = {}
        self._again: set[tuple[ConnectorKey, Scope]] = set()
        self._durable = True

    @property
    def station_id(self) -> str:
        """The station this loop runs."""
        return self.state.station.station_id

    def post(self, item: Item) -> None:
        """Something happened. Never blocks; samples that wait are replaced by newer ones."""
        key = None
        if isinstance(item, MeterSample):
            known = (item.power_w is None, item.energy_wh is None, item.soc_pct is None)
            key = (item.connector, known)
        self._inbox.put(item, key)

    async def caught_up(self) -> None:
        """Returns when everything posted before has been acted on."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.post(Marker(reached))
        await reached

    def refuses(self, station: Station) -> list[str]:
        """Every reason why the station cannot become this one now."""
        in_use = {session.connector for session in self.state.sessions()}
        return changes_in_use(self.state.station, in_use, station)

    async def change(self, station: Station) -> list[str]:
        """Become this station, which is kept already; returns the reasons why not."""
        refused: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.post(Reconfigured(station, refused))
        await self.caught_up()
        return refused.result()

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                items = await self._inbox.take(self._pause_s())
                await self._step(items, tasks)

    async def _step(self, items: list[Item], tasks: asyncio.TaskGroup) -> None:
        for item in items:
            try:
                self._apply(item, tasks)
            except Exception:  # boundary: one bad fact must not stop the station
                log.exception("fact_failed", station=self.station_id, fact=repr(item))
        try:
            await self._cycle(tasks)
        except Exception:  # boundary: the next cycle starts from the ledger again
            log.exception("cycle_failed", station=self.station_id)
        for item in items:
            if isinstance(item, Marker) and not item.reached.done():
                item.reached.set_result(None)

    def _pause_s(self) -> float:
        now = self._clock.now()
        wake_at = self._retries.next_at(now)
        return min(
            self._settings.tick_s, self._settings.tick_s if wake_at is None else wake_at - now
        )

    # ------------------------------------------------------------------ what happened

    def _apply(self, item: Item, tasks: asyncio.TaskGroup) -> None:
        match item:
            case LimitAnswered():
                self._answered(item)
            case UnitLearned():
                contact = self.contacts.get(item.charger_id)
                if contact is not None and contact.since == item.since:
                    contact.unit = item.unit
            case Reconfigured():
                self._reconfigure(item)
            case Marker():
                pass
            case _:
                self._happened(item, tasks)

    def _happened(self, fact: Fact, tasks: asyncio.TaskGroup) -> None:
        session = _session_of(self.state, fact)
        applied = apply(self.state, fact)
        match fact:
            case ChargerConnected():
                self._connected(fact, tasks)
            case ChargerDisconnected():
                self.contacts.pop(fact.charger_id, None)
                self._event("charger_disconnected", fact.charger_id)
            case ChargerBooted():
                self._keep(self.ledger.doubt(fact.charger_id))
                self._ask_again(fact.charger_id)
                self._event("charger_booted", f"{fact.charger_id} {fact.vendor} {fact.model}")
            case SessionStarted():
                if session is not None and session != fact.session_id:
                    self._forget_session(fact.connector, session)
                self._event("session_started", f"{fact.connector} by {fact.id_token}")
            case SessionEnded() if applied:
                self._forget_session(fact.connector, fact.session_id)
                self._event("session_ended", f"{fact.connector} ({fact.reason})")
            case _:
                pass

    def _connected(self, fact: ChargerConnected, tasks: asyncio.TaskGroup) -> None:
        charger = self.state.station.charger(fact.charger_id)
        if charger is None:
            return
        self.ledger.mark_seen(fact.charger_id)
        self.contacts[fact.charger_id] = Contact(fact.at)
        self._ask_again(fact.charger_id)
        tasks.create_task(self._register(charger, fact.at))
        self._event("charger_connected", fact.charger_id)

    async def _register(self, charger: Charger, since: float) -> None:
        try:
            unit = await rate_unit(charger, self._link)
            self.post(UnitLearned(charger.charger_id, since, unit))
            await ask_for_meter_values(charger, self._link, self._settings.registration)
            await ask_for_statuses(charger, self._link, self.state, self._settings.registration)
        except Exception:  # boundary: a charger that cannot be set up must not stop the station
            log.exception("registration_failed", charger=charger.charger_id)

    def _ask_again(self, charger_id: str) -> None:
        """The charger may have forgotten its limits: give them once more, and without waiting."""
        for key in self.state.connectors:
            if key.charger_id == charger_id:
                for scope in Scope:
                    self._again.add((key, scope))
                    self._retries.succeeded((key, scope))

    def _forget_session(self, key: ConnectorKey, session_id: str) -> None:
        self._keep(self.ledger.end_session(key, session_id))
        self._again.discard((key, Scope.SESSION))
        self._retries.succeeded((key, Scope.SESSION))
        self.balancer.goals.pop(key, None)

    def _reconfigure(self, item: Reconfigured) -> None:
        state, station = self.state, item.station
        reasons = self.refuses(station)
        item.refused.set_result(reasons)
        if reasons:
            return
        state.station = station
        state.chargers = {
            c.charger_id: state.chargers.get(c.charger_id, ChargerState()) for c in station.chargers
        }
        state.connectors = {
            c.key: state.connectors.get(c.key, ConnectorState()) for c in station.connectors()
        }
        self._keep(self.ledger.rebuild(station))
        self._again = {pair for pair in self._again if pair[0] in state.connectors}
        # Nobody will tell this loop that the socket of a charger that is gone has been closed.
        self.contacts = {c: known for c, known in self.contacts.items() if c in state.chargers}
        self._event("station_changed", f"grid limit {station.grid_limit_w} W")

    def _answered(self, item: LimitAnswered) -> None:
        command, answer = item.command, item.answer
        flight = self._flights.get(command.connector)
        if flight is not None and flight.command.token == command.token:
            del self._flights[command.connector]
        if item.late and not answer.accepted:
            return
        now = self._clock.now()
        changed = self.ledger.settle(command.token, SETTLED[answer.outcome], now)
        if not changed:
            # Its session or its connector is gone, or a newer limit counts for it: this answer
            # says nothing of what is there now.
            return
        self._keep(changed)
        pair = (command.connector, command.scope)
        if not answer.accepted:
            self._retries.failed(pair, now)
            self._event(
                "limit_" + SETTLED[answer.outcome].value,
                f"{command.connector} {command.limit.value_w} W: "
                f"{answer.outcome.value} {answer.detail}",
            )
            return
        self._retries.succeeded(pair)
        self._again.discard(pair)
        if command.session_id is not None:
            apply(
                self.state,
                LimitConfirmed(command.connector, now, command.session_id, command.limit.value_w),
            )

    # ------------------------------------------------------------------ what should be

    def standing(self, now: float) -> dict[str, Standing]:
        """How each charger stands."""
        return {c.charger_id: self._stands(c, now) for c in self.state.station.chargers}

    def _stands(self, charger: Charger, now: float) -> Standing:
        contact = self.contacts.get(charger.charger_id)
        if contact is None:
            return Standing(
                connected=False, settling=False, rate_unit=charger.rate_unit or RateUnit.WATTS
            )
        settling = contact.unit is None or (now - contact.since < self._policy.registration_grace_s)
        return Standing(connected=True, settling=settling, rate_unit=contact.unit or RateUnit.WATTS)

    def _held(self, key: ConnectorKey, scope: Scope = Scope.SESSION) -> bool:
        return self._retries.held((key, scope), self._clock.now())

    # ------------------------------------------------------------------ what may be sent

    async def _cycle(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        goals = self.balancer.balance(self.state, self.ledger, self.standing(now), self._held, now)
        planned = plan(
            self.ledger,
            self._wishes(goals),
            busy=self._flights.keys(),
            held=lambda wish: self._held(wish.connector, wish.scope),
            lowers_outstanding=self._lowers_outstanding(now),
            policy=self._policy,
        )
        held_back = await self._send(planned, now, tasks)
        self.settled = not (self._flights or planned.waiting or held_back or len(self._inbox))

    def _wishes(self, goals: Mapping[ConnectorKey, Goal]) -> list[Wish]:
        reachable = [
            c
            for c in self.state.station.connectors()
            if (contact := self.contacts.get(c.key.charger_id)) and contact.unit is not None
        ]
        fallbacks = [
            Wish(
                c.key,
                Scope.DEFAULT,
                Limit(c.fallback_w, LimitSource.FALLBACK),
                again=(c.key, Scope.DEFAULT) in self._again,
            )
            for c in reachable
        ]
        sessions = [
            Wish(
                c.key,
                Scope.SESSION,
                Limit(goals[c.key].value_w, goals[c.key].source),
                session.session_id,
                session.transaction_id,
                again=(c.key, Scope.SESSION) in self._again,
            )
            for c in reachable
            if (session := self.state.connectors[c.key].session) and c.key in goals
        ]
        return fallbacks + sessions

    def _lowers_outstanding(self, now: float) -> bool:
        return any(
            flight.lowers and now - flight.sent_at < self._policy.patience_s
            for flight in self._flights.values()
        )

    async def _send(self, planned: Plan, now: float, tasks: asyncio.TaskGroup) -> int:
        """Send what is planned; how many raises had to be held back."""
        if not planned.send:
            return 0
        started = self._clock.monotonic()
        commands: list[tuple[SetLimit, int]] = []
        changed: list[Entry] = []
        for wish in planned.send:
            command = self._command(wish)
            counted_w = self.ledger.worst_case_w(wish.connector)
            commands.append((command, wish.limit.value_w - counted_w))
            changed += self.ledger.send(
                Entry(
                    command.token,
                    wish.connector,
                    wish.scope,
                    wish.limit,
                    EntryState.SENT,
                    now,
                    session_id=wish.session_id,
                )
            )
        durable = await self._written(changed)
        fresh = self._clock.monotonic() - started < STALE_RAISE_S
        held_back = 0
        for command, step_w in commands:
            if step_w > 0 and not (durable and fresh):
                # A raise that is not durable, or was worked out too long ago, is not sent
                # (safety rules I3 and F17); the next cycle works it out again.
                self._keep(self.ledger.unsend(command.token))
                held_back += 1
                continue
            self._flights[command.connector] = Flight(command, step_w < 0, now)
            tasks.create_task(self._deliver(command))
        return held_back

    async def _written(self, entries: list[Entry]) -> bool:
        try:
            await self._store.write(self.station_id, entries)
        except StorageError as error:
            if self._durable:
                self._event("ledger_not_written", str(error))
            self._durable = False
        else:
            self._durable = True
        return self._durable

    async def _deliver(self, command: SetLimit) -> None:
        try:
            answer = await self._link.set_limit(command)
        except Exception:  # boundary: whatever happened, the limit may be in force
            log.exception("set_limit_failed", connector=str(command.connector))
            answer = Answer(Outcome.TIMEOUT, "internal error")
        self.post(LimitAnswered(command, answer))

    def _command(self, wish: Wish) -> SetLimit:
        connector = next(c for c in self.state.station.connectors() if c.key == wish.connector)
        unit = self.contacts[wish.connector.charger_id].unit or RateUnit.WATTS
        return SetLimit(
            next(self._tokens),
            wish.connector,
            wish.scope,
            wish.limit,
            wish.session_id,
            wish.transaction_id,
            connector.current_type,
            unit,
            connector.phases,
            connector.voltage_v,
        )

    def _keep(self, entries: list[Entry]) -> None:
        if entries:
            self._store.write_later(self.station_id, entries)

    def _event(self, kind: str, text: str) -> None:
        self._events.add(self.station_id, kind, text)


def _session_of(state: StationState, fact: Fact) -> str | None:
    if not isinstance(fact, SessionStarted):
        return None
    known = state.connectors.get(fact.connector)
    return known.session.session_id if known is not None and known.session else None
