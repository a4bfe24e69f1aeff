"""What is done about connectors that do not obey, step by step, beyond counting them in full.

RESEND sends the limit again, in another form where there is one. STOP ends the session from here.
UNAVAILABLE takes the connector out of service (ChangeAvailability, OCPP 1.6 §5.2), until it is seen
to obey or somebody pardons it. What an operator took out of service by hand is put back by an
operator alone, and nobody puts back by hand what is out for not obeying: it is pardoned first. What
must outlive a restart is kept. safety.md F5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import structlog

from csms.control.contacts import Contacts
from csms.control.orders import OrderBook
from csms.control.watch import Watch
from csms.control.wishes import WishList
from csms.dispatch.commands import Scope
from csms.dispatch.compliance import Step
from csms.dispatch.conviction import Conviction, recorded
from csms.dispatch.retries import Retries
from csms.ports import Answer, ChargerLink, ConvictionStore, Outcome
from csms.station.model import Charger, Connector, ConnectorKey
from csms.station.state import StationState
from csms.station.units import render_kw

log = structlog.get_logger(__name__)


class Service(Enum):
    """What a charger was told of a connector. UNSURE: one or the other, as it never said yes."""

    IN = "in service"
    OUT = "out of service"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Pardoned:
    """An operator has seen to a connector."""

    connector: ConnectorKey


@dataclass(frozen=True, slots=True)
class AvailabilityAnswered:
    """A charger's answer to ChangeAvailability, or the lack of one."""

    connector: ConnectorKey
    operative: bool
    answer: Answer


class Enforcement:
    """The steps against the connectors of one station.

    `post` takes the answers of chargers, `event` what operators are told.
    """

    def __init__(
        self,
        state: StationState,
        watch: Watch,
        *,
        contacts: Contacts,
        orders: OrderBook,
        wishes: WishList,
        retries: Retries,
        link: ChargerLink,
        store: ConvictionStore,
        post: Callable[[AvailabilityAnswered], None],
        event: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._watch = watch
        self._contacts = contacts
        self._orders = orders
        self._wishes = wishes
        self._retries = retries
        self._link = link
        self._store = store
        self._post = post
        self._event = event
        self._service: dict[ConnectorKey, Service] = {}
        self._asking: set[ConnectorKey] = set()
        self._by_hand: set[ConnectorKey] = set()
        self._kept: dict[ConnectorKey, Conviction] = {}

    # ------------------------------------------------------------------ what outlives a restart

    def restore(self, kept: Iterable[Conviction]) -> None:
        """Take over what was kept, before the first cycle."""
        self._kept = {conviction.connector: conviction for conviction in kept}
        there = [c for c in self._kept.values() if c.connector in self._state.connectors]
        self._watch.restore(there, self._state)
        for conviction in there:
            if conviction.out_of_service:
                self._service[conviction.connector] = Service.UNSURE
            if conviction.by_hand:
                self._by_hand.add(conviction.connector)

    def forget(self) -> None:
        """The station is removed, and what was kept of it."""
        self._store.convict_later(self._state.station.station_id, dict.fromkeys(self._kept))
        self._kept = {}

    def _keep(self) -> None:
        changed: dict[ConnectorKey, Conviction | None] = {}
        for key in {**self._kept, **self._state.connectors}:
            record = None
            if key in self._state.connectors:
                out = self._service.get(key, Service.IN) is not Service.IN
                by_hand = key in self._by_hand
                record = recorded(key, self._watch.of(key), out_of_service=out, by_hand=by_hand)
            if record != self._kept.get(key):
                changed[key] = record
        if changed:
            self._store.convict_later(self._state.station.station_id, changed)
        for key, record in changed.items():
            self._kept.pop(key, None)
            if record is not None:
                self._kept[key] = record

    # ------------------------------------------------------------------ what happened

    def pardon(self, key: ConnectorKey, now: float) -> None:
        """The steps begin anew, and the connector is put into service, whatever it was told.

        Unless an operator took it out of service by hand.
        """
        if key not in self._state.connectors:
            return
        self._watch.pardon(key, now)
        self._service[key] = Service.UNSURE
        self._retries.succeeded((key, Service))
        stays = "; out of service by hand, and stays so" if key in self._by_hand else ""
        self._event("pardoned", f"{key}{stays}")

    def unpardoned(self, keys: Iterable[ConnectorKey]) -> list[ConnectorKey]:
        """Those of these connectors that are out of service for not obeying."""
        return [key for key in keys if self._watch.of(key).step is Step.UNAVAILABLE]

    def said_by_hand(self, keys: Iterable[ConnectorKey], *, operative: bool) -> set[ConnectorKey]:
        """An operator is putting connectors into or out of service; returns for which that is new.

        Must be told before the request leaves: what csms asks from now on leaves after it.
        """
        new = {key for key in keys if (key in self._by_hand) is operative}
        self._by_hand ^= new
        return new

    def booted(self, charger_id: str) -> None:
        """The charger may have forgotten that a connector is out of service: it is told again."""
        for key, service in self._service.items():
            if key.charger_id == charger_id and service is Service.OUT:
                self._service[key] = Service.UNSURE
                self._retries.succeeded((key, Service))

    def answered(self, item: AvailabilityAnswered, now: float) -> None:
        """A charger has taken a connector out of service, or back, or has not."""
        key = item.connector
        self._asking.discard(key)
        if key not in self._state.connectors:
            return
        words = "in service" if item.operative else "out of service"
        if item.answer.accepted:
            self._service[key] = Service.IN if item.operative else Service.OUT
            self._retries.succeeded((key, Service))
            self._event("availability", f"{key} {words} ({item.answer.detail})")
        else:
            self._retries.failed((key, Service), now)
            why = item.answer.detail or item.answer.outcome.value
            self._event("availability", f"{key} not {words}: {why}")

    # ------------------------------------------------------------------ what is done

    def act(
        self, steps: Iterable[tuple[ConnectorKey, Step]], tasks: asyncio.TaskGroup, now: float
    ) -> None:
        """Take these steps, and see to what was begun before. To be called in every cycle."""
        for key, step in steps:
            self._escalate(key, step, tasks)
        for charger in self._state.station.chargers:
            for connector in charger.connectors:
                if self._watch.of(connector.key).cause is None:
                    running = self._state.session_on(connector.key) is not None
                    self._orders.obeyed(charger, connector, tasks, running=running)
                self._set_service(connector.key, tasks, now)
        self._service = {k: s for k, s in self._service.items() if k in self._state.connectors}
        self._by_hand &= self._state.connectors.keys()
        self._keep()

    def _escalate(self, key: ConnectorKey, step: Step, tasks: asyncio.TaskGroup) -> None:
        session = self._state.session_on(key)
        known = self._watch.of(key)
        observed = f"{render_kw(known.observed_w)} kW observed"
        self._event("not_obeying", f"{key} {known.cause}: {observed}; step {step.name.lower()}")
        if step is Step.RESEND:
            self._resend(*self._find(key), running=session is not None)
        elif step is Step.STOP and session is not None and not self._find(key)[0].quiet:
            tasks.create_task(self._stop(key.charger_id, session.transaction_id))

    def _resend(self, charger: Charger, connector: Connector, *, running: bool) -> None:
        scope = self._orders.capability(charger).session_scope if running else Scope.DEFAULT
        self._orders.try_another(scope, charger, connector)
        self._wishes.again(connector.key)

    async def _stop(self, charger_id: str, transaction_id: int) -> None:
        try:
            await self._link.remote_stop(charger_id, transaction_id)
        except Exception:  # boundary: the charger counts at its maximum, stopped or not
            log.exception("remote_stop_failed", charger=charger_id)

    def _set_service(self, key: ConnectorKey, tasks: asyncio.TaskGroup, now: float) -> None:
        """Tell the charger whether this connector is in service, until it says yes."""
        out = self._watch.of(key).step is Step.UNAVAILABLE
        wanted = Service.OUT if out else Service.IN
        if not out and key in self._by_hand:
            # It is the operator's now.
            self._service.pop(key, None)
            return
        contact = self._contacts.get(key.charger_id)
        if self._service.get(key, Service.IN) is wanted or key in self._asking:
            return
        if contact is None or not contact.ready or self._retries.held((key, Service), now):
            return
        # It may be so from the moment the request leaves.
        self._service[key] = Service.UNSURE
        self._asking.add(key)
        tasks.create_task(self._change(key, operative=not out))

    async def _change(self, key: ConnectorKey, *, operative: bool) -> None:
        answer = Answer(Outcome.NOT_SENT, "not sent")
        try:
            answer = await self._link.change_availability(
                key.charger_id, key.connector_id, operative=operative
            )
        except Exception:  # boundary: it is asked again, and counts in full meanwhile
            log.exception("change_availability_failed", connector=str(key))
        self._post(AvailabilityAnswered(key, operative, answer))

    def _find(self, key: ConnectorKey) -> tuple[Charger, Connector]:
        charger = self._state.station.charger(key.charger_id)
        assert charger is not None
        return charger, self._state.station.connector(key)
