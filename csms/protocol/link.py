"""Requests to chargers, over whatever connection each of them has.

The port `csms.ports.ChargerLink` for OCPP 1.6: it builds the payload, checks it, sends it and reads
the answer. Which request goes first on a busy connection is said by its priority, lower first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, Protocol

from csms.dispatch.by_hand import Availability, NewKey, Reach
from csms.dispatch.commands import Scope, SetLimit
from csms.errors import PayloadRefusedError, ProtocolError, UnknownActionError
from csms.ports import Answer, Clock, Exchange, LateAnswers, LocalListUpdate, Outcome
from csms.protocol.connection import URGENT_PRIORITY
from csms.protocol.ocpp16 import answers, by_hand, fields, local_list, requests, smart_charging
from csms.protocol.ocpp16 import reservation as reservations
from csms.protocol.rpc import CallError, Disconnected, Reply, Result, TimedOut
from csms.station.model import ConnectorKey
from csms.station.tokens import Reservation

FALLBACK_PRIORITY = 1
"""A fallback goes first: it is what holds when nothing else does."""

LOWER_PRIORITY = URGENT_PRIORITY
"""Limits of sessions that raise nothing go before those that do, whenever they come (law 2)."""

RAISE_PRIORITY = 3

CLOSE_NORMAL = 1000

REQUEST_PRIORITY = 5
"""Everything that is not a limit."""


class Caller(Protocol):
    """What the link needs of a charger's connection."""

    async def call(
        self,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        priority: int = REQUEST_PRIORITY,
        on_late: Callable[[Reply], None] | None = None,
        on_sent: Callable[[], None] | None = None,
        message_id: str | None = None,
        slot: Hashable | None = None,
    ) -> Reply:
        """Send a CALL and wait for its end. `on_late` hears an answer after the time-out.

        `on_sent` hears when the CALL goes on the wire. What waits in the same `slot` gives way.
        """
        ...

    def new_message_id(self) -> str:
        """An id for a CALL."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close without waiting."""
        ...


class OcppLink:
    """`csms.ports.ChargerLink` over OCPP 1.6J connections.

    `connections` gives a charger's live connection or None. No method raises: a request that cannot
    be put into a valid message is answered NOT_SENT. `file_hosts` are those that requests by hand
    may name for files, all when empty.
    """

    def __init__(
        self,
        connections: Callable[[str], Caller | None],
        late: LateAnswers,
        clock: Clock,
        file_hosts: Collection[str] = (),
    ) -> None:
        self._connections = connections
        self._late = late
        self._clock = clock
        self._file_hosts = file_hosts

    def is_connected(self, charger_id: str) -> bool:
        """Whether the charger has a live, proven socket."""
        return self._connections(charger_id) is not None

    def disconnect(self, charger_id: str, reason: str) -> None:
        """Close the charger's socket, if it has one (1000: normal closure). Does not wait."""
        connection = self._connections(charger_id)
        if connection is not None:
            connection.close(CLOSE_NORMAL, reason)

    def examine(
        self, action: str, payload: Mapping[str, Any], *, force: bool
    ) -> Reach | Availability | NewKey | None:
        """Whether any request may be sent as it is, and what csms must know of it; None: nothing.

        Raises UnknownActionError, PayloadRefusedError.
        """
        if action not in requests.SENT:
            raise UnknownActionError(
                f"{fields.text(action, 50)!r} is no request to a charger; there are "
                + ", ".join(sorted(requests.SENT))
            )
        found = requests.faults(action, payload)
        if found and (not force or requests.not_json(payload)):
            raise PayloadRefusedError(action, [(f.field, f.what, f.value) for f in found])
        # What may be overridden is what the standard says, not what the settings allow.
        if place := requests.unlisted_place(action, payload, self._file_hosts):
            raise PayloadRefusedError(action, [(place.field, place.what, place.value)])
        about = by_hand.availability(action, payload) or by_hand.new_key(action, payload)
        return about or by_hand.reach(action, payload, self._clock.now(), valid=not found)

    async def call(
        self,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        on_late: Callable[[Exchange], None] | None = None,
    ) -> Exchange:
        """Send any request that `examine` let pass. `on_late` hears an answer that comes late."""
        asked_at = self._clock.now()
        connection = self._connections(charger_id)
        if connection is None:
            return Exchange("", asked_at, asked_at, Outcome.NOT_SENT)
        message_id = connection.new_message_id()

        def exchange(reply: Reply) -> Exchange:
            error = reply if isinstance(reply, CallError) else None
            return Exchange(
                message_id,
                asked_at,
                self._clock.now(),
                _read(action, reply).outcome,
                answer=reply.payload if isinstance(reply, Result) else None,
                error_code=None if error is None else error.code,
                error_text="" if error is None else error.description,
            )

        def late(reply: Reply) -> None:
            if on_late is not None:
                on_late(exchange(reply))

        return exchange(await connection.call(action, payload, on_late=late, message_id=message_id))

    async def set_limit(self, command: SetLimit) -> Answer:
        """SetChargingProfile (OCPP 1.6 §5.16). A late answer goes to `LateAnswers`."""
        try:
            payload = smart_charging.set_charging_profile(command, self._clock.now())
        except ProtocolError as error:
            return _not_sent(error)

        def on_late(reply: Reply) -> None:
            self._late.late_answer(command, _read(requests.SET_CHARGING_PROFILE, reply))

        return await self._ask(
            command.connector.charger_id,
            requests.SET_CHARGING_PROFILE,
            payload,
            priority=_priority(command),
            on_late=on_late,
            slot=(command.connector, command.form.purpose),
        )

    async def clear_limits(self, charger_id: str, connector_id: int | None = None) -> Answer:
        """ClearChargingProfile (§5.5). `Unknown` (nothing to clear) counts as accepted."""
        payload = requests.clear_charging_profile(connector_id)
        return await self._ask(charger_id, requests.CLEAR_CHARGING_PROFILE, payload)

    async def composite_schedule(self, connector: ConnectorKey, duration_s: int) -> Answer:
        """GetCompositeSchedule (§5.7).

        The answer's payload is {"unit": "W" or "A", "limit": the highest of its periods, "phases"}.
        """
        payload = requests.get_composite_schedule(connector.connector_id, duration_s)
        return await self._ask(connector.charger_id, requests.GET_COMPOSITE_SCHEDULE, payload)

    async def remote_start(self, connector: ConnectorKey, id_token: str) -> Answer:
        """RemoteStartTransaction (§5.11), always with a connectorId and never with a profile."""
        payload = requests.remote_start_transaction(connector.connector_id, id_token)
        return await self._ask(connector.charger_id, requests.REMOTE_START_TRANSACTION, payload)

    async def remote_stop(self, charger_id: str, transaction_id: int) -> Answer:
        """RemoteStopTransaction (§5.12)."""
        payload = requests.remote_stop_transaction(transaction_id)
        return await self._ask(charger_id, requests.REMOTE_STOP_TRANSACTION, payload)

    async def change_availability(
        self, charger_id: str, connector_id: int, *, operative: bool
    ) -> Answer:
        """ChangeAvailability (§5.2). `Scheduled`, for the end of a session, counts as accepted."""
        payload = requests.change_availability(connector_id, operative=operative)
        return await self._ask(charger_id, requests.CHANGE_AVAILABILITY, payload)

    async def reset(self, charger_id: str, *, hard: bool) -> Answer:
        """Reset (§5.14)."""
        return await self._ask(charger_id, requests.RESET, requests.reset(hard=hard))

    async def trigger(self, charger_id: str, message: str, connector_id: int | None) -> Answer:
        """TriggerMessage (§5.17)."""
        payload = requests.trigger_message(message, connector_id)
        return await self._ask(charger_id, requests.TRIGGER_MESSAGE, payload)

    async def get_configuration(self, charger_id: str, keys: Sequence[str]) -> Answer:
        """GetConfiguration (§5.8). Empty `keys` asks for all.

        The answer's payload maps each key to its value as text, keys spelt as asked for.
        """
        payload = requests.get_configuration(keys)
        return await self._ask(charger_id, requests.GET_CONFIGURATION, payload, asked=keys)

    async def change_configuration(
        self,
        charger_id: str,
        key: str,
        value: str,
        *,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """ChangeConfiguration (§5.3). `RebootRequired` counts as accepted.

        `on_sent` hears when it goes on the wire: from then on it may have been done.
        """
        payload = requests.change_configuration(key, value)
        return await self._ask(charger_id, requests.CHANGE_CONFIGURATION, payload, on_sent=on_sent)

    async def local_list_version(self, charger_id: str) -> Answer:
        """GetLocalListVersion (§5.10). The answer's payload is {"version": n}."""
        return await self._ask(charger_id, requests.GET_LOCAL_LIST_VERSION, {})

    async def send_local_list(self, charger_id: str, update: LocalListUpdate) -> Answer:
        """SendLocalList (§5.15)."""
        payload = local_list.send_local_list(update)
        return await self._ask(charger_id, requests.SEND_LOCAL_LIST, payload)

    async def reserve(self, reservation: Reservation) -> Answer:
        """ReserveNow (§5.13)."""
        charger_id = reservation.connector.charger_id
        payload = reservations.reserve_now(reservation)
        return await self._ask(charger_id, requests.RESERVE_NOW, payload)

    async def cancel_reservation(self, charger_id: str, reservation_id: int) -> Answer:
        """CancelReservation (§5.2)."""
        payload = reservations.cancel_reservation(reservation_id)
        return await self._ask(charger_id, requests.CANCEL_RESERVATION, payload)

    async def _ask(
        self,
        charger_id: str,
        action: str,
        payload: Mapping[str, Any],
        *,
        priority: int = REQUEST_PRIORITY,
        on_late: Callable[[Reply], None] | None = None,
        on_sent: Callable[[], None] | None = None,
        asked: Sequence[str] = (),
        slot: Hashable | None = None,
    ) -> Answer:
        try:
            requests.check(action, payload)
        except ProtocolError as error:
            return _not_sent(error)
        connection = self._connections(charger_id)
        if connection is None:
            return Answer(Outcome.NOT_SENT, "not connected")
        reply = await connection.call(
            action, payload, priority=priority, on_late=on_late, on_sent=on_sent, slot=slot
        )
        return _read(action, reply, asked)


def _priority(command: SetLimit) -> int:
    if command.scope is Scope.DEFAULT:
        return FALLBACK_PRIORITY
    return RAISE_PRIORITY if command.raises else LOWER_PRIORITY


def _not_sent(error: ProtocolError) -> Answer:
    return Answer(Outcome.NOT_SENT, f"not sent: {error}")


def _read(action: str, reply: Reply, asked: Sequence[str] = ()) -> Answer:
    """The answer in a reply, whatever way the charger gave it."""
    match reply:
        case Result(payload):
            return answers.result(action, payload, asked)
        case CallError(code, description):
            return answers.error(code, description)
        case TimedOut(sent=True):
            return Answer(Outcome.TIMEOUT, "no answer in time")
        case TimedOut():
            return Answer(Outcome.NOT_SENT, "timed out before it was sent", in_vain=True)
        case Disconnected(sent=True):
            return Answer(Outcome.DISCONNECTED, "connection lost before the answer")
        case Disconnected():
            return Answer(Outcome.NOT_SENT, "connection lost before it was sent")
