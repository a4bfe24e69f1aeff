"""The loop of one station: take what happened, work out what should be, send what is safe.

The only place that decides. It asks three pure questions in each cycle: what is true (`station`),
what should be (`balancing`, through `Balancer`), and what may be sent now (`dispatch`). Answers of
chargers come back through the same inbox, so nothing is ever changed in two places at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from csms.control.balancer import Balancer, Standing
from csms.control.by_hand import ByHand
from csms.control.capabilities import CapabilityBook
from csms.control.conditions import Conditions, conditions
from csms.control.contacts import Contacts, Registered
from csms.control.enforcement import AvailabilityAnswered, Enforcement, Pardoned
from csms.control.events import EventLog
from csms.control.inbox import Inbox
from csms.control.orders import Order, OrderBook
from csms.control.registration import RegistrationSettings
from csms.control.sender import SETTLED, LimitAnswered, Sender
from csms.control.set_up import SetUpBook
from csms.control.under_test import UnderTest
from csms.control.watch import Watch
from csms.control.wishes import WishList
from csms.dispatch.capability import Capability
from csms.dispatch.commands import SENT_SCOPES, Scope, SetLimit
from csms.dispatch.compliance import CompliancePolicy
from csms.dispatch.conviction import Conviction
from csms.dispatch.ledger import EntryState, Ledger
from csms.dispatch.planner import Wish, plan
from csms.dispatch.policy import DispatchPolicy
from csms.dispatch.retries import Retries
from csms.dispatch.standing import Condition
from csms.errors import UnknownStationError
from csms.ports import ChargerLink, Clock, LoopStore, Outcome
from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    ConnectorStatusReported,
    Fact,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
)
from csms.station.feasibility import changes_in_use, meant_otherwise
from csms.station.grid import GridState, news, next_change_at
from csms.station.model import Charger, Connector, ConnectorKey, Station
from csms.station.state import ChargerState, ConnectorState, StationState
from csms.station.units import render_kw
from csms.station.update import apply, pass_time, reveals_connector

log = structlog.get_logger(__name__)

T = TypeVar("T")
_REPORTS = (ConnectorStatusReported, MeterSample)


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The station is to be changed. `refused` gets the reasons why it was not, none when it was.

    `seen` are the chargers that have ever been connected, to any station.
    """

    station: Station
    seen: Collection[str]
    refused: asyncio.Future[list[str]]


@dataclass(frozen=True, slots=True)
class Marker:
    """Done when everything put before it has been acted on."""

    reached: asyncio.Future[None]


Item = (
    Fact
    | LimitAnswered
    | AvailabilityAnswered
    | Pardoned
    | Registered
    | Reconfigured
    | Marker
    | ByHand
)


@dataclass(slots=True)
class LoopSettings:
    """Numbers of the loop. `tick_s`: longest wait between two cycles."""

    dispatch: DispatchPolicy = field(default_factory=DispatchPolicy)
    compliance: CompliancePolicy = field(default_factory=CompliancePolicy)
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
        store: LoopStore,
        clock: Clock,
        events: EventLog,
        tokens: Iterator[int],
        capabilities: CapabilityBook,
        settings: LoopSettings,
        convictions: Collection[Conviction] = (),
    ) -> None:
        self.state = state
        self.ledger = ledger
        self.balancer = balancer
        self.settled = True
        self.set_ups = SetUpBook(clock, self._event)
        self.contacts = Contacts(state, link, settings.registration, self.set_ups, self)
        self.under_test = UnderTest()
        self.watch = Watch(settings.compliance, settings.registration.meter_interval_s)
        self._clock = clock
        self._events = events
        self._capabilities = capabilities
        self._orders = OrderBook(state, capabilities, tokens, settings.dispatch)
        self._wishes = WishList(state, ledger, self._orders)
        self._settings = settings
        self._policy = settings.dispatch
        self._retries = Retries(settings.dispatch)
        self._inbox: Inbox[Item] = Inbox()
        self._sender = Sender(
            state.station.station_id,
            ledger,
            link=link,
            store=store,
            clock=clock,
            events=events,
            post=self.post,
        )
        self.enforcement = Enforcement(
            state,
            self.watch,
            contacts=self.contacts,
            orders=self._orders,
            wishes=self._wishes,
            retries=self._retries,
            link=link,
            store=store,
            post=self.post,
            event=self._event,
        )
        self._grid = GridState()
        self._starting: Counter[ConnectorKey] = Counter()
        self._doubtful_since: dict[str, float] = {}
        self._told: dict[str, Condition] = {}
        self._first = True
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._restore(convictions)

    def _restore(self, convictions: Collection[Conviction]) -> None:
        """What the ledger says must be true before the first cycle too."""
        self.enforcement.restore(convictions)
        now = self._clock.now()
        self.watch.look(self.state, self.ledger, self.standing(now), now)

    @property
    def station_id(self) -> str:
        """The station this loop runs."""
        return self.state.station.station_id

    @property
    def dropped(self) -> int:
        """How many facts were dropped because too many waited."""
        return self._inbox.dropped

    def post(self, item: Item) -> None:
        """Something happened. Never blocks; samples and statuses give way to newer ones."""
        key: tuple[object, ...] | None = None
        if isinstance(item, MeterSample):
            known = (item.power_w is None, item.energy_wh is None, item.soc_pct is None)
            key = (item.connector, known)
        elif isinstance(item, ConnectorStatusReported):
            key = (item.connector,)
        elif isinstance(item, SessionStarted):
            self._starting[item.connector] += 1
        self._inbox.put(item, key)

    @contextmanager
    def starting(self, connector: ConnectorKey) -> Iterator[None]:
        """While a start is being kept, until it is posted: the connector cannot be removed."""
        self._starting[connector] += 1
        try:
            yield
        finally:
            self._started(connector)

    def _started(self, connector: ConnectorKey) -> None:
        self._starting[connector] -= 1
        self._starting += Counter()  # drops those at zero

    async def caught_up(self) -> None:
        """Returns when everything posted before has been acted on. See `result`."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.post(Marker(reached))
        await self.result(reached)

    async def result(self, awaited: asyncio.Future[T]) -> T:
        """What comes of an item that was posted.

        Raises UnknownStationError when the loop ends before that: the station was removed.
        """
        await asyncio.wait((awaited, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not awaited.done():
            raise UnknownStationError(f"station {self.station_id} has been removed")
        return awaited.result()

    def refuses(self, station: Station) -> list[str]:
        """Every reason why the station cannot become this one now."""
        in_use = {session.connector for session in self.state.sessions()}
        in_use |= self._starting.keys() & self.state.connectors.keys()
        return changes_in_use(self.state.station, in_use, station)

    async def change(self, station: Station, seen: Collection[str]) -> list[str]:
        """Become this station, which is kept already; returns the reasons why not."""
        refused: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.post(Reconfigured(station, seen, refused))
        await self.caught_up()
        return refused.result()

    def capability(self, charger: Charger) -> Capability:
        """What is known of how this charger takes limits."""
        return self._orders.capability(charger)

    def start(self, tasks: asyncio.TaskGroup) -> asyncio.Task[None]:
        """Run until the task that is returned is cancelled."""
        runner = tasks.create_task(self._run())
        # Not in `_run`, which one that is cancelled at once never enters.
        runner.add_done_callback(lambda _: self._ended.set_result(None))
        return runner

    async def _run(self) -> None:
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
        self.under_test.wake()

    def _pause_s(self) -> float:
        now = self._clock.now()
        wake_at = [
            self._retries.next_at(now),
            self.ledger.next_expiry(),
            next_change_at(self.state.station, self.state.grid, now),
        ]
        waits_s = [at - now for at in wake_at if at is not None]
        return max(0.0, min([self._settings.tick_s, *waits_s]))

    # ------------------------------------------------------------------ what happened

    def _apply(self, item: Item, tasks: asyncio.TaskGroup) -> None:
        match item:
            case LimitAnswered():
                self._answered(item, tasks)
            case AvailabilityAnswered():
                self.enforcement.answered(item, self._clock.now())
            case Pardoned():
                self.enforcement.pardon(item.connector, self._clock.now())
            case Registered():
                if self.contacts.registered(item):
                    self._capabilities.hinted(item.charger_id, item.hints)
            case Reconfigured():
                self._reconfigure(item, tasks)
            case Marker():
                pass
            case ByHand():
                self._follow_grid(self._clock.now())
                item.act(self, tasks)
            case _:
                self._happened(item, tasks)

    def _happened(self, fact: Fact, tasks: asyncio.TaskGroup) -> None:
        before = None
        if isinstance(fact, SessionStarted):
            before = self.state.session_on(fact.connector)
            self._started(fact.connector)
        if isinstance(fact, _REPORTS) and reveals_connector(self.state, fact.connector):
            self._event("connector_not_configured", f"{fact.connector} is not configured")
        applied = apply(self.state, fact)
        match fact:
            case ChargerConnected():
                self._connected(fact, tasks)
            case ChargerDisconnected():
                self.contacts.closed(fact.charger_id)
                self._event("charger_disconnected", fact.charger_id)
            case ChargerBooted():
                self._sender.keep(self.ledger.doubt(fact.charger_id))
                self.ask_again(fact.charger_id)
                self.enforcement.booted(fact.charger_id)
                self._set_up_anew(fact, tasks)
                self._event("charger_booted", f"{fact.charger_id} {fact.vendor} {fact.model}")
            case MeterSample(by_charger=True):
                self._heard_time(fact.connector.charger_id, fact.measured_at, fact.at)
            case SessionStarted() if applied:
                if before is not None and before.session_id != fact.session_id:
                    self._forget_session(fact.connector, before.session_id)
                self._heard_time(fact.connector.charger_id, fact.told_at, fact.at)
                # Some chargers refuse every limit while they are idle.
                self._try_again(fact.connector)
                self._event("session_started", f"{fact.connector} by {fact.id_token}")
            case SessionEnded() if applied:
                self._forget_session(fact.connector, fact.session_id)
                self._event("session_ended", f"{fact.connector} ({fact.reason})")

    def _heard_time(self, charger_id: str, charger_time: float | None, now: float) -> None:
        contact = self.contacts.get(charger_id)
        if contact is None:
            return
        contact.said_time(charger_time, now)
        if not contact.keeps_time(self._policy.clock_skew_s):
            self._sender.keep(self.ledger.distrust(charger_id))
        if contact.goes_wrong(self._policy.clock_skew_s):
            self._event("clock_wrong", f"{charger_id} by {contact.clock_ahead_s:.0f} s")

    def _connected(self, fact: ChargerConnected, tasks: asyncio.TaskGroup) -> None:
        charger = self.state.station.charger(fact.charger_id)
        if charger is None:
            return
        if fact.charger_id in self.contacts:
            # A charger redials while its old socket is half open. When it happens all the time, two
            # devices have the same identity, or one of them is not the charger.
            self._event("connection_replaced", fact.charger_id)
        self.ledger.mark_seen(fact.charger_id)
        self.contacts.opened(charger, fact.at, tasks)
        self.ask_again(fact.charger_id)
        self._event("charger_connected", fact.charger_id)

    def _set_up_anew(self, fact: ChargerBooted, tasks: asyncio.TaskGroup) -> None:
        charger = self.state.station.charger(fact.charger_id)
        if charger is not None:
            self.contacts.booted(charger, tasks, pending=fact.pending)

    def ask_again(self, charger_id: str) -> None:
        """The charger may have forgotten its limits: give them once more, and without waiting."""
        for key in self.state.connectors:
            if key.charger_id == charger_id:
                self._wishes.again(key)
                self._try_again(key)

    def _try_again(self, key: ConnectorKey) -> None:
        """What was refused or not answered need not wait any longer."""
        for scope in SENT_SCOPES:
            self._retries.succeeded((key, scope))

    def _forget_session(self, key: ConnectorKey, session_id: str) -> None:
        self._sender.keep(self.ledger.end_session(key, session_id))
        self._wishes.told(key, Scope.SESSION)
        self._retries.succeeded((key, Scope.SESSION))
        self.balancer.goals.pop(key, None)

    def _reconfigure(self, item: Reconfigured, tasks: asyncio.TaskGroup) -> None:
        state, station = self.state, item.station
        hushed = {c.charger_id for c in state.station.chargers if c.quiet}
        reasons = self.refuses(station)
        item.refused.set_result(reasons)
        if reasons:
            return
        otherwise = meant_otherwise(state.station, station)
        state.station = station
        state.chargers = {
            c.charger_id: state.chargers.get(c.charger_id, ChargerState()) for c in station.chargers
        }
        state.connectors = {
            c.key: state.connectors.get(c.key, ConnectorState()) for c in station.connectors()
        }
        self._sender.keep(self.ledger.rebuild(state.in_force(self._clock.now()), item.seen))
        for charger_id in otherwise:
            # What it has confirmed lets through other watts now.
            self._sender.keep(self.ledger.doubt(charger_id))
            self.ask_again(charger_id)
        self._wishes.forget_others()
        self._orders.forget(state.connectors)
        self.contacts.keep_only(state.chargers)
        for charger in station.chargers:
            if charger.charger_id in hushed and charger.charger_id in self.contacts:
                self.contacts.opened(charger, self._clock.now(), tasks)
        self._event("station_changed", f"grid limit {render_kw(station.grid_limit_w)} kW")

    # ------------------------------------------------------------------ what was answered

    def _answered(self, item: LimitAnswered, tasks: asyncio.TaskGroup) -> None:
        command, answer = item.command, item.answer
        order = self._sender.landed(command)
        charger_id = command.connector.charger_id
        # Of a limit from before a reboot neither a yes nor silence tells anything.
        unsure = answer.accepted or answer.outcome is Outcome.TIMEOUT
        outdated = unsure and self.ledger.outdated(charger_id, command.token)
        if item.late and (outdated or not answer.accepted):
            return
        if order is not None or item.late:
            self.contacts.answered(charger_id, answer)
        now = self._clock.now()
        if answer.outcome is Outcome.NOT_SENT:
            changed = self.ledger.unsend(command.token)
        else:
            changed = self.ledger.settle(command.token, SETTLED[answer.outcome], now)
        if command.session_id is not None and not self._runs(command):
            # The session ended while its limit was on the way.
            changed += self.ledger.end_session(command.connector, command.session_id)
        self._sender.keep(changed)
        if outdated or not changed or command.connector not in self.state.connectors:
            # Its charger has rebooted since, its connector is gone, or a newer limit counts for
            # it: this answer says nothing of what is there now.
            return
        tried_as = command.scope if order is None else order.tried_as
        if answer.accepted:
            self._accepted(command, tried_as, tasks, now)
        else:
            self._refused(item, tried_as, tasks, now)

    def _runs(self, command: SetLimit) -> bool:
        session = self.state.session_on(command.connector)
        return session is not None and session.session_id == command.session_id

    def _accepted(
        self, command: SetLimit, tried_as: Scope, tasks: asyncio.TaskGroup, now: float
    ) -> None:
        charger, connector = self._find(command.connector)
        for scope in {tried_as, command.scope}:
            self._retries.succeeded((connector.key, scope))
            self._wishes.told(connector.key, scope)
        self._orders.accepted(command, tried_as, charger, connector, tasks)
        session = self.state.session_on(connector.key)
        shared = self.capability(charger).shares_slot
        if session is not None and (command.session_id is not None or shared):
            confirmed = LimitConfirmed(
                connector.key, now, session.session_id, command.limit.value_w
            )
            apply(self.state, confirmed)

    def _refused(
        self, item: LimitAnswered, tried_as: Scope, tasks: asyncio.TaskGroup, now: float
    ) -> None:
        command, answer = item.command, item.answer
        pair = (command.connector, tried_as)
        words = answer.outcome.value
        if answer.detail.lower() != words:
            words = f"{words} {answer.detail}".rstrip()
        state = SETTLED.get(answer.outcome)
        self._event(
            "limit_not_sent" if state is None else f"limit_{state.value}",
            f"{command.connector} {render_kw(command.limit.value_w)} kW: {words}",
        )
        exhausted = True
        if state is EntryState.REFUSED:
            charger, connector = self._find(command.connector)
            unsupported = answer.outcome is Outcome.UNSUPPORTED
            exhausted = self._orders.refused(
                command, tried_as, charger, connector, tasks, unsupported=unsupported
            )
        if exhausted:
            self._retries.failed(pair, now)

    # ------------------------------------------------------------------ what should be

    def standing(self, now: float) -> dict[str, Standing]:
        """How each charger stands."""
        return {c.charger_id: self._stands(c, now) for c in self.state.station.chargers}

    def _stands(self, charger: Charger, now: float) -> Standing:
        since = self._doubtful_since.get(charger.charger_id)
        contact = self.contacts.get(charger.charger_id)
        return Standing(
            connected=contact is not None,
            settling=since is not None and now - since < self._policy.registration_grace_s,
            capability=self.capability(charger),
            silent=contact is not None and contact.silent,
        )

    def conditions(self, now: float) -> Conditions:
        """How far everything is under control."""
        return conditions(self.ledger, self.standing(now), self.watch)

    def _tell_conditions(self, standing: Mapping[str, Standing]) -> None:
        """An event for every charger, and the station, whose condition has changed."""
        known = conditions(self.ledger, standing, self.watch)
        told = {**known.chargers, self.station_id: known.station}
        for name, condition in told.items():
            before = self._told.get(name)
            if condition is not (before or Condition.CONTROLLED):
                of = None if name == self.station_id else name
                uncontrolled = condition is Condition.UNCONTROLLED
                why = f" ({known.uncontrolled(of)})" if uncontrolled else ""
                was = f"{before.value} -> " if before else ""
                self._event("condition", f"{name}: {was}{condition.value}{why}")
        self._told = told

    def _doubt(self, now: float) -> None:
        """Since when each charger has had a connector without a confirmed fallback."""
        for charger in self.state.station.chargers:
            confirmed = all(self.ledger.confirmed(c.key) for c in charger.connectors)
            if self.ledger.seen(charger.charger_id) and not confirmed:
                self._doubtful_since.setdefault(charger.charger_id, now)
            else:
                self._doubtful_since.pop(charger.charger_id, None)

    def _held(self, key: ConnectorKey, scope: Scope) -> bool:
        return self._retries.held((key, scope), self._clock.now())

    def _find(self, key: ConnectorKey) -> tuple[Charger, Connector]:
        charger = self.state.station.charger(key.charger_id)
        assert charger is not None
        return charger, self.state.station.connector(key)

    # ------------------------------------------------------------------ what may be sent

    async def _cycle(self, tasks: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        self._distrust()
        self._sender.keep(self.ledger.expire(now))
        self._follow_grid(now)
        self._doubt(now)
        standing = self.standing(now)
        tested = self.under_test.keys()
        steps = self.watch.look(self.state, self.ledger, standing, now, tested)
        self.enforcement.act(steps, tasks, now)
        goals = self.balancer.balance(
            self.state, self.ledger, standing, self._held, self.watch.watched(), now
        )
        wishes = self.under_test.wishes(self._wishes.of(goals, self.contacts), self.ledger)
        self._sender.recall_for(wishes)
        planned = plan(
            self.ledger,
            wishes,
            busy=self._sender.busy(),
            held=lambda wish: self._held(wish.connector, wish.scope),
            lowers_outstanding=self._sender.lowers_outstanding(now, self._policy.patience_s),
            policy=self._policy,
            now=now,
            raises=not self._first,
        )
        self._first = False
        self._tell_conditions(standing)
        orders = [self._order(wish, now) for wish in planned.send]
        held_back = await self._sender.send(orders, tasks)
        self.settled = not (self._sender.busy() or planned.waiting or held_back or len(self._inbox))

    def _distrust(self) -> None:
        """Limits end by themselves only where that was shown and not refuted since (I6)."""
        for charger_id in self.ledger.trusted():
            if not self._orders.keeps_ends(charger_id):
                self._sender.keep(self.ledger.distrust(charger_id))

    def _follow_grid(self, now: float) -> None:
        """The grid limit in force changes by facts, by the time and by silence."""
        pass_time(self.state, now)
        station = self.state.in_force(now)
        if station is not self.ledger.station:
            self._sender.keep(self.ledger.rebuild(station))
        for kind, text in news(self._grid, self.state.grid):
            self._event(kind, text)
        self._grid = self.state.grid

    def _order(self, wish: Wish, now: float) -> Order:
        charger, connector = self._find(wish.connector)
        contact = self.contacts.get(charger.charger_id)
        assert contact is not None
        return self._orders.order(wish, charger, connector, contact, now)

    def _event(self, kind: str, text: str) -> None:
        self._events.add(self.station_id, kind, text)
