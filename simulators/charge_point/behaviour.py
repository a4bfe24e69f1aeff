"""What a charge point does, without any wire (pure).

    plug_in ─────────────► Preparing ──authorised / remote_start──► Charging ⇄ SuspendedEV
       ▲                      ▲                                        │     ⇄ SuspendedEVSE
    Available ──authorised / remote_start (waits for a vehicle)        │ stop
       ▲                                                               ▼
       └───────────────────────────── unplug ◄───────────────────── Finishing

Methods take the moment they happen at; messages for csms pile up until `drain`. Nothing flows
unless a transaction runs. What flows is what the vehicle takes of the smallest of its connector's
maximum, the charging profiles and its share of the charger's power. `quirks` says where a charge
point may do otherwise; limits and powers are always what it really does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulators.charge_point.configuration import Configuration
from simulators.charge_point.hardware import ConnectorHardware, CurrentType, Hardware, share_out
from simulators.charge_point.local_list import LocalList
from simulators.charge_point.messages import (
    Message,
    MeterSampled,
    Status,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.meter import Meter, Reading
from simulators.charge_point.profiles import (
    Installed,
    ProfileError,
    ProfileStack,
    Purpose,
    StackLimits,
    read_profile,
)
from simulators.charge_point.quirks import REJECTED, Quirks, bent, floored_w, refusal, shown
from simulators.charge_point.reservations import Kept, Reservations
from simulators.moment import Moment
from simulators.vehicle.vehicle import AC_FLOOR_A, Outlet, Vehicle

ENDED_KEPT = 1000
NO_ERROR = "NoError"


class NotPossibleError(Exception):
    """Somebody at the charger tried what cannot be done, as plugging into a taken connector."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A start that was allowed and waits for a vehicle until `until` (ConnectionTimeOut, §9.1)."""

    id_tag: str
    until: float


@dataclass(slots=True)
class Connector:
    """One connector. `limit_w` is what a vehicle may draw, 0 when nothing may flow.

    `error_code` is what is broken, a ChargePointErrorCode of §7.6.

    The last three are for quirks and are those of the running transaction: the TxDefaultProfiles
    at its beginning, its first reading, and whether a pause has made it obey nothing any more
    (None: there was no pause yet).
    """

    hardware: ConnectorHardware
    meter: Meter
    vehicle: Vehicle | None = None
    transaction: Transaction | None = None
    waiting: Waiting | None = None
    finished: bool = False
    reserved: bool = False
    inoperative: bool = False
    error_code: str = NO_ERROR
    limit_w: float = 0.0
    offered_w: float = 0.0
    reported: Status | None = None
    sample_at: float = 0.0
    defaults: tuple[Installed, ...] = ()
    first_reading: Reading | None = None
    unruly: bool | None = None

    @property
    def outlet(self) -> Outlet:
        """What a vehicle is plugged into."""
        return Outlet(self.hardware.phases, self.hardware.voltage_v)

    @property
    def power_w(self) -> float:
        """What flows."""
        return self.meter.power_w

    @property
    def usable(self) -> bool:
        """Whether a transaction may begin as far as the hardware and csms are concerned."""
        return not self.inoperative and self.error_code == NO_ERROR

    def status(self) -> Status:
        """What StatusNotification would say of it (§4.9)."""
        if self.error_code != NO_ERROR:
            return Status.FAULTED
        if self.transaction is not None or self.power_w > 0:
            return self._charging_status()
        if self.inoperative:
            return Status.UNAVAILABLE
        if self.finished:
            return Status.FINISHING
        if self.vehicle is not None or self.waiting is not None:
            return Status.PREPARING
        return Status.RESERVED if self.reserved else Status.AVAILABLE

    def _charging_status(self) -> Status:
        if self.power_w > 0:
            return Status.CHARGING
        return Status.SUSPENDED_EVSE if self.pauses(self.offered_w) else Status.SUSPENDED_EV

    def pauses(self, offered_w: float) -> bool:
        """Whether no vehicle charges with so little."""
        floor_w = 0.0
        if self.hardware.current_type is CurrentType.AC:
            floor_w = AC_FLOOR_A * self.hardware.phases * self.hardware.voltage_v
        return offered_w <= 0 or offered_w < floor_w - 1e-6

    def reading(self) -> Reading:
        """Everything its meter and its vehicle tell."""
        return Reading(
            energy_wh=self.meter.register_wh,
            power_w=self.power_w,
            offered_w=self.offered_w,
            soc_pct=None if self.vehicle is None else self.vehicle.soc_pct,
            current_type=self.hardware.current_type,
            phases=self.hardware.phases,
            voltage_v=self.hardware.voltage_v,
        )


@dataclass(slots=True)
class Behaviour:
    """One charge point with its connectors, its profiles and its settings.

    `cache` are the tokens, folded, that csms let charge the last time (§3.5.1).
    """

    hardware: Hardware
    configuration: Configuration
    quirks: Quirks = field(default_factory=Quirks)
    local_list: LocalList = field(default_factory=LocalList)
    reservations: Reservations = field(default_factory=Reservations)
    profiles: ProfileStack = field(init=False)
    ended: deque[Transaction] = field(default_factory=lambda: deque(maxlen=ENDED_KEPT))
    cache: set[str] = field(default_factory=set)
    _connectors: dict[int, Connector] = field(init=False)
    _messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = StackLimits(units=self.hardware.rate_units)
        self.profiles = ProfileStack(len(self.hardware.connectors), limits)
        self._connectors = {
            outlet.connector_id: Connector(outlet, Meter()) for outlet in self.hardware.connectors
        }

    # ------------------------------------------------------------------ what can be seen of it

    def connectors(self) -> Iterator[Connector]:
        """Every connector, in order of number."""
        yield from self._connectors.values()

    def connector(self, connector_id: int) -> Connector:
        """The connector of this number; raises NotPossibleError when there is none."""
        found = self._connectors.get(connector_id)
        if found is None:
            msg = f"{self.hardware.charger_id} has no connector {connector_id}"
            raise NotPossibleError(msg)
        return found

    def limits_w(self) -> dict[int, float]:
        """Per connector, what a vehicle may draw; 0 where nothing may flow."""
        return {number: c.limit_w for number, c in self._connectors.items()}

    def powers_w(self) -> dict[int, float]:
        """Per connector, what flows."""
        return {number: c.power_w for number, c in self._connectors.items()}

    def cap_w(self, moment: Moment) -> float:
        """What the whole charge point may draw: its hardware, and any ChargePointMaxProfile."""
        if self.quirks.ignore_profiles or any(self._free(c) for c in self._connectors.values()):
            return self.hardware.max_w
        return min(self.hardware.max_w, self.profiles.charge_point_limit_w(moment.utc_s))

    def drain(self) -> list[Message]:
        """The messages since the last call, oldest first."""
        messages, self._messages = self._messages, []
        return messages

    # ------------------------------------------------------------------ people and vehicles

    def plug_in(self, connector_id: int, vehicle: Vehicle, moment: Moment) -> None:
        """A vehicle is plugged in; it starts when a start was waiting for it."""
        connector = self.connector(connector_id)
        if connector.vehicle is not None:
            msg = f"{self.hardware.charger_id}/{connector_id} is taken"
            raise NotPossibleError(msg)
        connector.vehicle = vehicle
        waiting, connector.waiting = connector.waiting, None
        if waiting is not None:
            self._start(connector, waiting.id_tag, moment)
        self.advance(moment)

    def unplug(self, connector_id: int, moment: Moment) -> None:
        """The vehicle leaves; a running transaction ends (§4.10 EVDisconnected)."""
        connector = self.connector(connector_id)
        self.advance(moment)
        self._stop(connector, "EVDisconnected", moment)
        self._report_status(connector, moment)
        connector.vehicle = None
        connector.finished = False
        self.advance(moment)

    def present_token(
        self, connector_id: int, id_tag: str, *, online: bool, moment: Moment
    ) -> None:
        """A driver shows a token: csms is asked, or offline the charger decides itself (§4.1).

        The token that has begun a transaction ends it.
        """
        connector = self.connector(connector_id)
        running = connector.transaction
        if running is not None and running.id_tag.casefold() != id_tag.casefold():
            msg = f"{self.hardware.charger_id}/{connector_id} is charging"
            raise NotPossibleError(msg)
        cached = id_tag.casefold() in self.cache and self.configuration.flag("LocalPreAuthorize")
        if online and not cached:
            to_end = running is not None
            self._messages.append(TokenPresented(connector_id, id_tag, to_end=to_end))
        elif running is not None:
            self.stopped_by(connector_id, id_tag, moment)
        elif cached or self.configuration.flag("AllowOfflineTxForUnknownId"):
            self.authorised(connector_id, id_tag, moment)

    def authorised(
        self, connector_id: int, id_tag: str, moment: Moment, parent: str | None = None
    ) -> None:
        """A token may charge: start or wait for a vehicle, unless reserved for another (§5.13)."""
        connector = self.connector(connector_id)
        kept_out = self.reservations.keeps_out(connector_id, id_tag, parent)
        if connector.transaction is None and connector.usable and not kept_out:
            self._start_or_wait(connector, id_tag, moment)
        self.advance(moment)

    def stopped_by(self, connector_id: int, id_tag: str, moment: Moment) -> None:
        """The token of a transaction was shown again, to end it (§4.10 Local)."""
        connector = self.connector(connector_id)
        if connector.transaction is not None:
            connector.transaction.stopped_by = id_tag
            self._stop(connector, "Local", moment)
        self.advance(moment)

    def break_down(self, connector_id: int, error_code: str, moment: Moment) -> None:
        """A connector breaks, or with NoError is mended; a running transaction ends."""
        connector = self.connector(connector_id)
        connector.error_code = error_code
        if error_code != NO_ERROR:
            connector.waiting = None
            self._stop(connector, "Other", moment)
        self.advance(moment)

    # ------------------------------------------------------------------ what csms asks

    def remote_start(self, connector_id: int | None, id_tag: str, moment: Moment) -> bool:
        """RemoteStartTransaction (§5.11); False when it is rejected."""
        free = [c for c in self._connectors.values() if c.transaction is None and not c.waiting]
        free = [c for c in free if c.usable]
        if connector_id is not None:
            free = [c for c in free if c.hardware.connector_id == connector_id]
        plugged = [c for c in free if c.vehicle is not None]
        chosen = next(iter(plugged or free), None)
        if chosen is None:
            return False
        if self.configuration.flag("AuthorizeRemoteTxRequests"):
            self._messages.append(TokenPresented(chosen.hardware.connector_id, id_tag))
            return True
        self._start_or_wait(chosen, id_tag, moment)
        self.advance(moment)
        return True

    def remote_stop(self, transaction_id: int, moment: Moment) -> bool:
        """RemoteStopTransaction (§5.12); False when no such transaction runs."""
        for connector in self._connectors.values():
            running = connector.transaction
            if running is not None and running.transaction_id == transaction_id:
                if self.quirks.ignores_remote_stop:
                    return True
                self._stop(connector, "Remote", moment)
                self.advance(moment)
                return True
        return False

    def set_profile(self, connector_id: int, payload: Mapping[str, Any], moment: Moment) -> str:
        """SetChargingProfile (§5.16); returns the status of §7.11, or the code of a CALLERROR."""
        try:
            profile = read_profile(payload)
        except ProfileError:
            return REJECTED
        refused = refusal(profile, self.quirks)
        if refused is not None:
            return refused
        profile = bent(profile, self.quirks)
        connector = self._connectors.get(connector_id)
        transaction = None if connector is None else connector.transaction
        running = None if transaction is None else transaction.as_running()
        accepted = self.profiles.install(connector_id, profile, moment.utc_s, running)
        self.advance(moment)
        return "Accepted" if accepted and not self.quirks.rejects_but_applies else REJECTED

    def clear_profiles(
        self,
        moment: Moment,
        *,
        profile_id: int | None = None,
        connector_id: int | None = None,
        purpose: str | None = None,
        stack_level: int | None = None,
    ) -> str:
        """ClearChargingProfile (§5.5); returns Accepted or Unknown."""
        wanted = None if purpose is None else Purpose(purpose)
        removed = self.profiles.clear(profile_id, connector_id, wanted, stack_level)
        self.advance(moment)
        return "Accepted" if removed else "Unknown"

    def unlock(self, connector_id: int, moment: Moment) -> str:
        """UnlockConnector (§5.18); a running transaction ends."""
        connector = self._connectors.get(connector_id)
        if connector is None:
            return "NotSupported"
        self._stop(connector, "UnlockCommand", moment)
        self.advance(moment)
        return "Unlocked"

    def reserve(self, kept: Kept, moment: Moment) -> str:
        """ReserveNow (§5.13). Connector 0 is any one that is free."""
        numbers = [kept.connector_id] if kept.connector_id else list(self._connectors)
        found = [self._connectors[n].status().value for n in numbers if n in self._connectors]
        status = "Available" if "Available" in found else next(iter(found), "Unavailable")
        answer = self.reservations.add(kept, status)
        self.advance(moment)
        return answer

    def cancel_reservation(self, reservation_id: int, moment: Moment) -> str:
        """CancelReservation (§5.2)."""
        answer = self.reservations.cancel(reservation_id)
        self.advance(moment)
        return answer

    def change_availability(self, connector_id: int, moment: Moment, *, operative: bool) -> str:
        """ChangeAvailability (§5.2); returns its status. A transaction goes on to its end."""
        changed = [c for number, c in self._connectors.items() if connector_id in (0, number)]
        for connector in changed:
            connector.inoperative = not operative
            connector.waiting = connector.waiting if operative else None
        self.advance(moment)
        if not changed:
            return REJECTED
        busy = not operative and any(c.transaction is not None for c in changed)
        return "Scheduled" if busy else "Accepted"

    def trigger_status(self, connector_id: int | None, moment: Moment) -> None:
        """StatusNotification was asked for (§5.17): of one connector, or of all and connector 0."""
        numbers = [0, *self._connectors] if connector_id is None else [connector_id]
        for number in numbers:
            status = self._connectors[number].status() if number else Status.AVAILABLE
            code = self._connectors[number].error_code if number else NO_ERROR
            self._messages.append(StatusChanged(number, status, moment.utc_s, code))

    def trigger_samples(self, connector_id: int | None, moment: Moment) -> None:
        """MeterValues were asked for (§5.17)."""
        self.advance(moment)
        for number, connector in self._connectors.items():
            if connector_id in (None, number):
                self._sample(connector, moment, "Trigger")

    # ------------------------------------------------------------------ what csms answers

    def start_answered(
        self, transaction: Transaction, transaction_id: int, *, valid: bool, moment: Moment
    ) -> None:
        """StartTransaction.conf (§4.8): the id, and whether the token may charge."""
        transaction.transaction_id = transaction_id
        token = transaction.id_tag.casefold()
        self.cache = self.cache | {token} if valid else self.cache - {token}
        connector = self._connectors[transaction.connector_id]
        invalid_ends = self.configuration.flag("StopTransactionOnInvalidId")
        if not valid and invalid_ends and connector.transaction is transaction:
            self._stop(connector, "DeAuthorized", moment)
            self.advance(moment)

    # ------------------------------------------------------------------ time and power

    def advance(self, moment: Moment) -> None:
        """Let time pass until `moment`, then settle limits, powers, statuses and samples."""
        for connector in self._connectors.values():
            gained_wh = connector.meter.advance(moment.scenario_s)
            if connector.vehicle is not None and gained_wh > 0:
                connector.vehicle.charged(gained_wh)
            if connector.waiting is not None and moment.utc_s >= connector.waiting.until:
                connector.waiting = None
        self._settle_powers(moment)
        self.reservations.expire(moment.utc_s)
        for number, connector in self._connectors.items():
            connector.reserved = number in self.reservations.by_connector
            self._report_status(connector, moment)
            self._sample_when_due(connector, moment)

    def reboot(self, moment: Moment, *, hard: bool, power_lost: bool = False) -> None:
        """Stop everything and start again (§5.14). Vehicles stay plugged in."""
        reason = "HardReset" if hard else "SoftReset"
        for connector in self._connectors.values():
            self._stop(connector, "PowerLoss" if power_lost else reason, moment)
            connector.waiting = None
        if self.quirks.forget_profiles_on_reboot:
            self._forget_profiles()
        self.advance(moment)

    def link_lost(self, moment: Moment) -> None:
        """The socket to csms is gone. Charging goes on (§3.13.6)."""
        if self.quirks.forgets_on_reconnect:
            self._forget_profiles()
        self.advance(moment)

    def _forget_profiles(self) -> None:
        self.profiles.forget()
        for connector in self._connectors.values():
            connector.defaults = ()

    def _settle_powers(self, moment: Moment) -> None:
        connectors = list(self._connectors.values())
        for connector in connectors:
            connector.limit_w = self._limit_w(connector, moment)
            if self.quirks.zero_means_stop and connector.limit_w <= 0:
                self._stop(connector, "Other", moment)
        wishes = [self._draw_w(c, c.limit_w, moment) for c in connectors]
        shares = share_out(wishes, self.cap_w(moment))
        for connector, wish_w, share_w in zip(connectors, wishes, shares, strict=True):
            cut = share_w < wish_w
            connector.offered_w = share_w if cut else connector.limit_w
            connector.meter.power_w = self._draw_w(connector, share_w, moment) if cut else wish_w

    def _limit_w(self, connector: Connector, moment: Moment) -> float:
        most_w = min(connector.hardware.max_w, self.hardware.max_w)
        if self._free(connector):
            return most_w
        if connector.transaction is None:
            return 0.0
        if self.quirks.ignore_profiles:
            return most_w
        limit_w = self._told_w(connector, connector.transaction, moment)
        if self.quirks.ignores_after_pause:
            if connector.pauses(limit_w):
                had_power = not connector.pauses(connector.offered_w)
                connector.unruly = False if had_power else connector.unruly
            elif connector.unruly is not None:
                connector.unruly = True
                return most_w
        return min(most_w, limit_w)

    def _told_w(self, connector: Connector, transaction: Transaction, moment: Moment) -> float:
        hardware = connector.hardware
        limit_w = self.profiles.effective_limit_w(
            hardware.connector_id,
            moment.utc_s,
            transaction.as_running(),
            hardware.phases,
            hardware.voltage_v,
            defaults=connector.defaults if self.quirks.default_next_session_only else None,
        )
        return floored_w(limit_w, hardware, self.quirks)

    def _free(self, connector: Connector) -> bool:
        """Whether a quirk lets everything through here."""
        if connector.unruly:
            return True
        unasked = connector.vehicle is not None and connector.transaction is None
        return unasked and self.quirks.power_without_transaction

    def _draw_w(self, connector: Connector, offered_w: float, moment: Moment) -> float:
        if connector.vehicle is None:
            return 0.0
        if connector.transaction is None and not self._free(connector):
            return 0.0
        return connector.vehicle.power_w(offered_w, moment.scenario_s, connector.outlet)

    def _start_or_wait(self, connector: Connector, id_tag: str, moment: Moment) -> None:
        if connector.vehicle is not None:
            self._start(connector, id_tag, moment)
            return
        timeout_s = self.configuration.number("ConnectionTimeOut")
        connector.waiting = Waiting(id_tag, moment.utc_s + timeout_s)

    def _start(self, connector: Connector, id_tag: str, moment: Moment) -> None:
        connector.meter.advance(moment.scenario_s)
        number = connector.hardware.connector_id
        connector.transaction = Transaction(
            number,
            id_tag,
            moment.utc_s,
            connector.meter.register_wh,
            reservation_id=self.reservations.use(number, id_tag),
        )
        connector.finished = False
        connector.defaults = self.profiles.installed
        connector.sample_at = moment.utc_s + self.configuration.number("MeterValueSampleInterval")
        self._messages.append(TransactionBegun(connector.transaction))

    def _stop(self, connector: Connector, reason: str, moment: Moment) -> None:
        transaction = connector.transaction
        if transaction is None:
            return
        gained_wh = connector.meter.advance(moment.scenario_s)
        if connector.vehicle is not None:
            connector.vehicle.charged(gained_wh)
        connector.meter.power_w = 0.0
        connector.limit_w = connector.offered_w = 0.0
        connector.defaults, connector.first_reading, connector.unruly = (), None, None
        transaction.stopped_at = moment.utc_s
        transaction.meter_stop_wh = connector.meter.register_wh
        transaction.reason = reason
        connector.transaction = None
        connector.finished = True
        self.profiles.end_transaction(connector.hardware.connector_id)
        self.ended.append(transaction)
        self._messages.append(TransactionOver(transaction))

    def _report_status(self, connector: Connector, moment: Moment) -> None:
        status = connector.status()
        if status is not connector.reported:
            connector.reported = status
            number = connector.hardware.connector_id
            changed = StatusChanged(number, status, moment.utc_s, connector.error_code)
            self._messages.append(changed)

    def _sample_when_due(self, connector: Connector, moment: Moment) -> None:
        interval_s = self.configuration.number("MeterValueSampleInterval")
        draws = connector.transaction is not None or self._free(connector)
        if not draws or interval_s <= 0 or moment.utc_s < connector.sample_at:
            return
        missed = int((moment.utc_s - connector.sample_at) // interval_s)
        connector.sample_at += (missed + 1) * interval_s
        self._sample(connector, moment, "Sample.Periodic")

    def _sample(self, connector: Connector, moment: Moment, context: str) -> None:
        if self.quirks.no_meter_values:
            return
        number, transaction = connector.hardware.connector_id, connector.transaction
        reading = connector.reading()
        if transaction is not None:
            connector.first_reading = connector.first_reading or reading
            before_wh = transaction.meter_start_wh
            reading = shown(reading, connector.first_reading, before_wh, self.quirks)
        self._messages.append(MeterSampled(number, transaction, reading, moment.utc_s, context))
