"""A simulated charge point on the network: one behaviour, one link to csms that comes and goes.

Two loops run beside each other. `_live` lets time pass: it charges vehicles, takes meter samples
and writes the record, link or no link. `_stay_connected` dials, boots when it must, and sends the
outbox in order; when the link is lost it dials again, later each time.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Origin

from simulators.charge_point.answers import Answers
from simulators.charge_point.behaviour import Behaviour
from simulators.charge_point.configuration import Configuration
from simulators.charge_point.credentials import Credentials
from simulators.charge_point.errands import Errands
from simulators.charge_point.events import Event, Watcher, nobody
from simulators.charge_point.habits.catalogue import chosen
from simulators.charge_point.habits.dialling import approach, dialled
from simulators.charge_point.habits.socket import HabitualSocket
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.messages import (
    BootDue,
    HeartbeatDue,
    Message,
    Status,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.outbox import Outbox
from simulators.charge_point.quirks import Quirks
from simulators.charge_point.wire import QUIET, CallFailedError, Socket, Wire, request
from simulators.clock import Clock
from simulators.record import ChargerRecord, LimitRecord
from simulators.vehicle.vehicle import Vehicle

COMPLAINTS_KEPT = 100
LATENCIES_KEPT = 1000

Dial = Callable[[], Awaitable[Socket]]


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Times of a simulated charge point, in real seconds."""

    call_timeout_s: float = 30.0
    open_timeout_s: float = 5.0
    close_timeout_s: float = 1.0
    tick_s: float = 0.1
    redial_first_s: float = 0.2
    redial_most_s: float = 5.0
    boot_retry_s: float = 1.0
    meter_interval_s: int = 10


def websocket_dialler(
    url: str,
    charger_id: str,
    settings: ClientSettings,
    quirks: Quirks | None = None,
    credentials: Credentials | None = None,
) -> Dial:
    """Dial `url`/`charger_id` as OCPP-J 1.6 §3.1 says; no compression (§5.1 advises against it).

    Habits may have it dial otherwise.
    """
    how = approach(url, charger_id, chosen(quirks.habits) if quirks is not None else ())
    shown = credentials or Credentials()

    async def dial() -> Socket:
        return await dialled(
            how,
            additional_headers=shown.headers(charger_id),
            origin=None if shown.origin is None else Origin(shown.origin),
            ssl=shown.tls(how.url),
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.close_timeout_s,
            ping_timeout=None,
            proxy=None,
            logger=QUIET,
        )

    return dial


class ChargePointClient:
    """One simulated charge point. Call `run` in a task; the other methods are the people at it.

    `booted` is set while csms has accepted it on a live link. `complaints` are answers of csms that
    were errors, unusable or missing, newest last; `latencies_s` how long csms took to answer;
    `refusal` why it was not let in when it dialled last, empty when it was. `credentials` are those
    the dialler shows: a key that csms tells it goes there.
    """

    def __init__(
        self,
        hardware: Hardware,
        dial: Dial,
        clock: Clock,
        *,
        settings: ClientSettings | None = None,
        quirks: Quirks | None = None,
        record: LimitRecord | None = None,
        watcher: Watcher = nobody,
        credentials: Credentials | None = None,
    ) -> None:
        self.hardware = hardware
        self.charger_id = hardware.charger_id
        self.settings = settings or ClientSettings()
        self.quirks = quirks or Quirks()
        self.credentials = credentials or Credentials()
        self.configuration = Configuration(
            hardware,
            meter_interval_s=self.settings.meter_interval_s,
            take_key=self.credentials.take_key,
        )
        self.behaviour = Behaviour(hardware, self.configuration, self.quirks)
        self.booted = asyncio.Event()
        self.calls = 0
        self.boots = 0
        self.refusal = ""
        self.complaints: deque[str] = deque(maxlen=COMPLAINTS_KEPT)
        self.latencies_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._dial = dial
        self._clock = clock
        self._record = record if record is not None else LimitRecord()
        self._watcher = watcher
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._cut = asyncio.Event()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._boot_needed = True
        self._heartbeat_at = 0.0
        self._delivered: dict[int, Status] = {}
        self._seen_limits_w: dict[int, float] = {}
        self._memory: dict[str, Any] = {}
        self._jitter = random.Random(hardware.charger_id)  # noqa: S311 - spreads redials only
        self._answers = Answers(
            self.behaviour,
            moment=clock.moment,
            changed=self._settle,
            send=lambda message: self._post([message]),
            reset=self._reset,
        )

    # ------------------------------------------------------------------ people at the charger

    @property
    def errands(self) -> Errands:
        """What it is asked that has nothing to do with charging."""
        return self._answers.errands

    @property
    def unsent(self) -> int:
        """Messages that csms has not answered yet."""
        return len(self._outbox)

    def plug_in(self, connector_id: int, vehicle: Vehicle) -> None:
        """Plug a vehicle in. Raises NotPossibleError when the connector is taken."""
        self.behaviour.plug_in(connector_id, vehicle, self._clock.moment())
        self._tell("arrived", connector_id, vehicle_max_kw=round(vehicle.max_w / 1000, 3))
        self._settle()

    def present_token(self, connector_id: int, id_tag: str) -> None:
        """Show a token: with a vehicle plugged in, charging begins if csms agrees."""
        online = self.booted.is_set()
        moment = self._clock.moment()
        self.behaviour.present_token(connector_id, id_tag, online=online, moment=moment)
        self._settle()

    def unplug(self, connector_id: int) -> None:
        """Pull the plug; a running transaction ends."""
        self.behaviour.unplug(connector_id, self._clock.moment())
        self._settle()
        self._tell("left", connector_id)

    def trigger(self, message: str, connector_id: int | None = None) -> str:
        """Send a message now, as if csms had asked for it with TriggerMessage (§5.17)."""
        return self._answers.trigger(message, connector_id)

    def has_connector(self, connector_id: int) -> bool:
        """Whether it has a connector of this number."""
        return any(c.connector_id == connector_id for c in self.hardware.connectors)

    def report_over(self, connector_id: int, transaction_id: int) -> None:
        """Report the end of a transaction of a former life, cut off by a loss of power."""
        now = self._clock.moment().utc_s
        register_wh = self.behaviour.connector(connector_id).meter.register_wh
        self._post(
            [
                TransactionOver(
                    Transaction(
                        connector_id,
                        id_tag="",
                        started_at=now,
                        meter_start_wh=register_wh,
                        transaction_id=transaction_id,
                        stopped_at=now,
                        meter_stop_wh=register_wh,
                        reason="PowerLoss",
                    )
                )
            ]
        )

    def empty(self) -> None:
        """Let every vehicle leave."""
        for connector in self.behaviour.connectors():
            if connector.vehicle is not None:
                self.unplug(connector.hardware.connector_id)

    async def flushed(self, poll_s: float = 0.02) -> None:
        """Return once csms has answered everything, or is not there to do so."""
        while self.booted.is_set() and self.unsent:  # noqa: ASYNC110 - anything may empty it
            await asyncio.sleep(poll_s)

    def go_offline(self) -> None:
        """Lose the link and do not dial until `go_online`. Charging goes on (OCPP 1.6 §3.13.6)."""
        self._reachable.clear()
        self._cut.set()

    def go_online(self) -> None:
        """Dial again."""
        self._reachable.set()

    def break_down(self, connector_id: int, error_code: str) -> None:
        """A connector breaks; with the code NoError it is mended."""
        self.behaviour.break_down(connector_id, error_code, self._clock.moment())
        self._settle()

    def reboot(self, *, hard: bool = True, power_lost: bool = False) -> None:
        """Stop every transaction, drop the link, start again with BootNotification."""
        self.behaviour.reboot(self._clock.moment(), hard=hard, power_lost=power_lost)
        self._boot_needed = True
        self._cut.set()
        self._settle()

    # ------------------------------------------------------------------ loops

    async def run(self) -> None:
        """Live until cancelled."""
        self._settle()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live())
            group.create_task(self._stay_connected())

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self.settings.tick_s)
            self._settle()
            if self.credentials.changed:
                self._cut.set()  # it dials again with the key it was told (white paper A01)

    def _settle(self) -> None:
        """Let time pass up to now, write the record, and wake the sender if there is news."""
        moment = self._clock.moment()
        self.behaviour.advance(moment)
        limits_w, powers_w = self.behaviour.limits_w(), self.behaviour.powers_w()
        record = ChargerRecord(limits_w, powers_w, self.behaviour.cap_w(moment))
        self._record.update(self.charger_id, record, moment)
        for number, limit_w in limits_w.items():
            if limit_w != self._seen_limits_w.get(number, 0.0):
                self._tell("limit", number, limit_kw=round(limit_w / 1000, 3))
        self._seen_limits_w = limits_w
        self._post(self.behaviour.drain())

    def _post(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, TransactionBegun):
                self._tell("started", message.transaction.connector_id)
            elif isinstance(message, TransactionOver):
                over = message.transaction
                energy_wh = (over.meter_stop_wh or 0) - over.meter_start_wh
                self._tell("stopped", over.connector_id, reason=over.reason, energy_wh=energy_wh)
        if messages:
            self._outbox.put(messages)
            self._wake.set()

    def _reset(self, hard: bool) -> None:
        self.reboot(hard=hard)

    async def _stay_connected(self) -> None:
        delay_s = self.settings.redial_first_s
        while True:
            await self._reachable.wait()
            try:
                socket = await self._dial()
            except (OSError, WebSocketException, TimeoutError) as error:
                self.refusal = _refusal(error)
                self._tell("dial_failed", reason=self.refusal)
            else:
                self.refusal = ""
                was_booted = await self._serve(socket)
                delay_s = self.settings.redial_first_s if was_booted else delay_s
            await asyncio.sleep(delay_s * self._jitter.uniform(0.5, 1.0))
            delay_s = min(2 * delay_s, self.settings.redial_most_s)

    async def _serve(self, socket: Socket) -> bool:
        """Use one link until it is gone; whether csms ever accepted this charger on it."""
        self._cut.clear()
        if not self._reachable.is_set():
            self._cut.set()
        quirks = self.quirks
        if quirks.habits:
            habits = chosen(quirks.habits)
            socket = HabitualSocket(socket, habits, self._clock.monotonic, self._memory)
        wire = Wire(
            self.charger_id,
            socket,
            self._answers,
            call_timeout_s=self.settings.call_timeout_s,
            slow_answer_s=quirks.slow_answer_s,
            deaf=quirks.deaf,
        )
        self._tell("connected")
        try:
            failures = await _until_one_ends(
                wire.start, wire.answer_calls, self._cut.wait, partial(self._converse, wire)
            )
            odd = [each for each in failures if not isinstance(each, (WebSocketException, OSError))]
            if odd:
                self._complain("; ".join(repr(failure) for failure in odd))
        finally:
            was_booted = self.booted.is_set()
            self.booted.clear()
            self._outbox.link_lost()
            self.behaviour.link_lost(self._clock.moment())
            self._settle()
            self._boot_needed = self._boot_needed or not quirks.no_boot_on_reconnect
            await socket.close()
        self._tell("disconnected")
        return was_booted

    # ------------------------------------------------------------------ conversation

    async def _converse(self, wire: Wire) -> None:
        """Boot if need be, then send the outbox as it fills, with a heartbeat now and then."""
        self._outbox.link_lost()
        await self._boot(wire)
        self._outbox.put_first(self._statuses_to_report())
        self.booted.set()
        self._tell("booted")
        while True:
            now = self._clock.moment().utc_s
            if now >= self._heartbeat_at:
                await self._beat(wire, now)
            message = self._outbox.head(now)
            if message is None:
                await self._wait_for_news(now)
            else:
                await self._deliver(wire, message)

    async def _beat(self, wire: Wire, now: float) -> None:
        self._heartbeat_at = now + max(1, self.configuration.number("HeartbeatInterval"))
        try:
            await self._ask(wire, HeartbeatDue())
        except CallFailedError as error:
            self._complain(str(error))

    async def _wait_for_news(self, now: float) -> None:
        waits_s = [self._heartbeat_at - now, self._outbox.wait_s(now)]
        self._wake.clear()
        try:
            async with asyncio.timeout(min(wait_s for wait_s in waits_s if wait_s is not None)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _boot(self, wire: Wire) -> None:
        """BootNotification until it is accepted (§4.2); nothing else is sent before."""
        while self._boot_needed:
            retry_s = self.settings.boot_retry_s
            try:
                answer = await self._ask(wire, BootDue())
            except CallFailedError as error:
                self._complain(str(error))
            else:
                self.boots += 1
                retry_s = max(retry_s, float(answer.interval))
                if answer.status == "Accepted":
                    self._delivered.clear()
                    self._boot_needed = False
                    self._take_heartbeat_interval(answer.interval)
                    return
            await asyncio.sleep(retry_s)
        self._take_heartbeat_interval(self.configuration.number("HeartbeatInterval"))

    def _take_heartbeat_interval(self, interval_s: int) -> None:
        if interval_s > 0:
            self.configuration.change("HeartbeatInterval", str(interval_s))
        interval_s = max(1, self.configuration.number("HeartbeatInterval"))
        self._heartbeat_at = self._clock.moment().utc_s + interval_s

    def _statuses_to_report(self) -> list[Message]:
        """Statuses that csms does not know: all after a boot, else those that changed (§4.9)."""
        now = self._clock.moment().utc_s
        statuses = [StatusChanged(0, Status.AVAILABLE, now)]
        for connector in self.behaviour.connectors():
            number = connector.hardware.connector_id
            statuses.append(StatusChanged(number, connector.status(), now, connector.error_code))
        return [s for s in statuses if self._delivered.get(s.connector_id) is not s.status]

    async def _deliver(self, wire: Wire, message: Message) -> None:
        try:
            answer = await self._ask(wire, message)
        except CallFailedError as error:
            self._complain(str(error))
            self._outbox.failed(
                self._clock.moment().utc_s,
                attempts=self.configuration.number("TransactionMessageAttempts"),
                retry_interval_s=self.configuration.number("TransactionMessageRetryInterval"),
            )
            return
        self._outbox.delivered()
        self._take_answer(message, answer)

    async def _ask(self, wire: Wire, message: Message) -> Any:
        asked_at = self._clock.monotonic()
        self.calls += 1
        answer = await wire.ask(request(message, self.hardware, self.configuration.measurands))
        self.latencies_s.append(self._clock.monotonic() - asked_at)
        return answer

    def _take_answer(self, message: Message, answer: Any) -> None:
        moment = self._clock.moment()
        match message:
            case StatusChanged(connector_id=number, status=status):
                self._delivered[number] = status
            case TokenPresented():
                self._take_verdict(message, answer.id_tag_info)
            case TransactionBegun(transaction=begun):
                valid = answer.id_tag_info["status"] == "Accepted"
                self.behaviour.start_answered(
                    begun, answer.transaction_id, valid=valid, moment=moment
                )
                self._tell("numbered", begun.connector_id, transaction=answer.transaction_id)
            case _:
                return
        self._settle()

    def _take_verdict(self, shown: TokenPresented, verdict: Mapping[str, Any]) -> None:
        """Authorize.conf (§4.1)."""
        moment = self._clock.moment()
        self._tell("authorised", shown.connector_id, status=verdict["status"])
        if verdict["status"] != "Accepted":
            return
        if shown.to_end:
            self.behaviour.stopped_by(shown.connector_id, shown.id_tag, moment)
        else:
            parent = verdict.get("parent_id_tag")
            self.behaviour.authorised(shown.connector_id, shown.id_tag, moment, parent)

    # ------------------------------------------------------------------ watching

    def _complain(self, what: str) -> None:
        self.complaints.append(what)
        self._tell("complaint", reason=what)

    def _tell(self, name: str, connector_id: int | None = None, **detail: Any) -> None:
        connector = "" if connector_id is None else f"{self.charger_id}/{connector_id}"
        at = self._clock.moment().scenario_s
        self._watcher(Event(at, name, self.charger_id, connector, detail))


async def _until_one_ends(*parts: Callable[[], Awaitable[object]]) -> list[Exception]:
    """Run these until one of them ends, then end the others; what they failed of.

    No failure reaches the TaskGroup: before Python 3.13, one that is cancelled while it fails
    raises the failure alone, and whoever takes that and goes on never ends.
    """
    failures: list[Exception] = []
    one_ended = asyncio.Event()

    async def told(part: Callable[[], Awaitable[object]]) -> None:
        try:
            await part()
        except Exception as error:  # noqa: BLE001 - a task boundary: the charger redials
            failures.append(error)
        finally:
            one_ended.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(told(part)) for part in parts]
        await one_ended.wait()
        for task in tasks:
            task.cancel()
    return failures


def _refusal(error: Exception) -> str:
    """Why csms did not let the charge point in, in a few words."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return f"HTTP {status} {error.response.reason_phrase}".rstrip()
    return str(error) or type(error).__name__
