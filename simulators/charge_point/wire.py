"""OCPP 1.6J over one websocket, on the `ocpp` package's ChargePoint.

The one module that touches `ocpp`, which has no types. Two of its ways are worked around: it
serves calls in its read loop, so that a slow answer would hold up answers to our own calls (they
go to a queue here, and keep their order to those answers); and a pending call is not failed when
the socket closes (run `start`, `answer_calls` and whatever calls `ask` beside each other, and end
all with the first of them).
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import ocpp.messages
from ocpp.charge_point import snake_to_camel_case
from ocpp.exceptions import (
    OCPPError,
    PropertyConstraintViolationError,
    UnknownCallErrorCodeError,
)
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

from simulators.charge_point.answers import Answers
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.messages import (
    BootDue,
    CertificateWanted,
    DiagnosticsProgress,
    FirmwareProgress,
    HeartbeatDue,
    LogProgress,
    Message,
    MeterSampled,
    Report,
    SecurityEvent,
    StatusChanged,
    TokenPresented,
    Transaction,
    TransactionBegun,
    TransactionOver,
)
from simulators.charge_point.meter import sampled_values
from simulators.charge_point.quirks import CONSTRAINT_VIOLATION
from simulators.charge_point.reservations import Kept
from simulators.moment import timestamp

# Validation in threads costs more than it frees: schemas are small and compiled once.
ocpp.messages.ASYNC_VALIDATION = False

CALLS_QUEUED = 64
CALL = 2

# `ocpp` logs every frame and every refused message; quiet unless somebody asks for it.
QUIET = logging.getLogger("simulators.wire")
QUIET.setLevel(logging.CRITICAL + 1)


class CallFailedError(Exception):
    """A call was answered with CALLERROR, with something unusable, or not in time."""


class Socket(Protocol):
    """A websocket, or in tests something like one. `recv` and `send` raise when it is closed."""

    async def send(self, message: Any) -> None:
        """Send one frame: text, or of some habits bytes."""
        ...

    async def recv(self) -> str | bytes:
        """The next frame."""
        ...

    async def close(self) -> None:
        """Say goodbye and close."""
        ...


def request(message: Message, hardware: Hardware, measurands: Sequence[str]) -> Any:
    """The `ocpp` request that says this message."""
    match message:
        case BootDue():
            asked = call.BootNotification(
                charge_point_model=hardware.model,
                charge_point_vendor=hardware.vendor,
                charge_point_serial_number=hardware.charger_id[:25],
                firmware_version="1.0",
            )
        case HeartbeatDue():
            asked = call.Heartbeat()
        case TokenPresented(id_tag=id_tag):
            asked = call.Authorize(id_tag=id_tag)
        case StatusChanged():
            asked = call.StatusNotification(
                connector_id=message.connector_id,
                error_code=message.error_code,
                status=message.status.value,
                timestamp=timestamp(message.at),
            )
        case TransactionBegun(transaction=transaction):
            asked = call.StartTransaction(
                connector_id=transaction.connector_id,
                id_tag=transaction.id_tag,
                meter_start=transaction.meter_start_wh,
                reservation_id=transaction.reservation_id,
                timestamp=timestamp(transaction.started_at),
            )
        case TransactionOver(transaction=transaction):
            asked = _stop_request(transaction)
        case MeterSampled():
            asked = _meter_request(message, measurands)
        case _:
            asked = _report(message)
    return asked


def _report(message: Report) -> Any:
    """What is told of firmware, logs and security."""
    match message:
        case DiagnosticsProgress(status=status):
            asked = call.DiagnosticsStatusNotification(status=status)
        case FirmwareProgress(status=status, request_id=None):
            asked = call.FirmwareStatusNotification(status=status)
        case FirmwareProgress(status=status, request_id=request_id):
            asked = call.SignedFirmwareStatusNotification(status=status, request_id=request_id)
        case LogProgress(status=status, request_id=request_id):
            asked = call.LogStatusNotification(status=status, request_id=request_id)
        case SecurityEvent(kind=kind, at=at):
            asked = call.SecurityEventNotification(
                type=kind, timestamp=timestamp(at), tech_info=None
            )
        case CertificateWanted(csr=csr):
            asked = call.SignCertificate(csr=csr)
    return asked


def _stop_request(over: Transaction) -> Any:
    return call.StopTransaction(
        meter_stop=over.meter_stop_wh,
        timestamp=timestamp(over.stopped_at or over.started_at),
        transaction_id=over.wire_id,
        id_tag=over.stopped_by,
        reason=over.reason,
    )


def _meter_request(message: MeterSampled, measurands: Sequence[str]) -> Any:
    transaction = message.transaction
    return call.MeterValues(
        connector_id=message.connector_id,
        transaction_id=None if transaction is None else transaction.wire_id,
        meter_value=[
            {
                "timestamp": timestamp(message.at),
                "sampled_value": sampled_values(message.reading, measurands, message.context),
            }
        ],
    )


class Wire(ChargePoint):  # type: ignore[misc, unused-ignore]
    """One connection: asks csms, and answers csms out of `answers`."""

    def __init__(
        self,
        charger_id: str,
        socket: Socket,
        answers: Answers,
        *,
        call_timeout_s: float = 30.0,
        slow_answer_s: float = 0.0,
        deaf: bool = False,
    ) -> None:
        super().__init__(charger_id, socket, response_timeout=call_timeout_s, logger=QUIET)
        self._answers = answers
        self._errands = answers.errands
        self._slow_answer_s = slow_answer_s
        self._deaf = deaf
        self._calls: asyncio.Queue[str | bytes] = asyncio.Queue(CALLS_QUEUED)
        self._asked_id = ""
        self._answer_taken = asyncio.Event()
        self._answer_taken.set()

    async def ask(self, message: Any) -> Any:
        """Call csms for a `call_result`. Raises CallFailedError, or what the socket raises.

        Call it in a task of its own that holds no TaskGroup: see `_not_cancelled`.
        """
        self._asked_id = str(uuid.uuid4())
        try:
            answer = await self.call(message, suppress=False, unique_id=self._asked_id)
        except (OCPPError, UnknownCallErrorCodeError, TimeoutError, TypeError) as error:
            # TypeError: an answer with a field the standard does not have.
            _not_cancelled()
            msg = f"{type(message).__name__}: {error}"
            raise CallFailedError(msg) from error
        finally:
            self._answer_taken.set()
        _not_cancelled()
        return answer

    async def route_message(self, raw_msg: str | bytes) -> None:
        """Answers go to who waits for them; calls to the queue that `answer_calls` works off."""
        try:
            kind, message_id, *_ = json.loads(raw_msg)
        except (ValueError, TypeError, RecursionError):
            return
        if kind != CALL:
            if message_id == self._asked_id:
                self._answer_taken.clear()
            await super().route_message(raw_msg)
        elif not self._deaf:
            await self._calls.put(raw_msg)

    async def answer_calls(self) -> None:
        """Answer calls in their order, for ever.

        A call that came after an answer is served after that answer was taken: a charging profile
        may name the transaction whose number the frame before it gave.
        """
        while True:
            raw_msg = await self._calls.get()
            await asyncio.sleep(self._slow_answer_s)
            await self._answer_taken.wait()
            await super().route_message(raw_msg)

    @on(Action.remote_start_transaction)  # type: ignore[untyped-decorator, unused-ignore]
    def on_remote_start(self, id_tag: str, connector_id: int | None = None, **_: Any) -> Any:
        """OCPP 1.6 §5.11. A profile inside is not taken, as many charge points do not."""
        status = self._answers.remote_start(connector_id, id_tag)
        return call_result.RemoteStartTransaction(status=status)

    @on(Action.remote_stop_transaction)  # type: ignore[untyped-decorator, unused-ignore]
    def on_remote_stop(self, transaction_id: int) -> Any:
        """OCPP 1.6 §5.12."""
        status = self._answers.remote_stop(transaction_id)
        return call_result.RemoteStopTransaction(status=status)

    @on(Action.set_charging_profile)  # type: ignore[untyped-decorator, unused-ignore]
    def on_set_charging_profile(
        self, connector_id: int, cs_charging_profiles: Mapping[str, Any]
    ) -> Any:
        """OCPP 1.6 §5.16."""
        profile = snake_to_camel_case(cs_charging_profiles)
        status = self._answers.set_profile(connector_id, profile)
        if status == CONSTRAINT_VIOLATION:
            raise PropertyConstraintViolationError(details={})
        return call_result.SetChargingProfile(status=status)

    @on(Action.clear_charging_profile)  # type: ignore[untyped-decorator, unused-ignore]
    def on_clear_charging_profile(
        self,
        id: int | None = None,  # noqa: A002
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        """OCPP 1.6 §5.5."""
        status = self._answers.clear_profiles(
            id, connector_id, charging_profile_purpose, stack_level
        )
        return call_result.ClearChargingProfile(status=status)

    @on(Action.get_composite_schedule)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_composite_schedule(
        self, connector_id: int, duration: int, charging_rate_unit: str | None = None
    ) -> Any:
        """OCPP 1.6 §5.7."""
        schedule = self._answers.composite_schedule(connector_id, duration, charging_rate_unit)
        if schedule is None:
            return call_result.GetCompositeSchedule(status="Rejected")
        return call_result.GetCompositeSchedule(
            status="Accepted",
            connector_id=connector_id,
            schedule_start=schedule["startSchedule"],
            charging_schedule=schedule,
        )

    @on(Action.get_configuration)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_configuration(self, key: Sequence[str] = ()) -> Any:
        """OCPP 1.6 §5.8."""
        found = self._answers.configuration(key)
        return call_result.GetConfiguration(
            configuration_key=found["configurationKey"], unknown_key=found["unknownKey"]
        )

    @on(Action.change_configuration)  # type: ignore[untyped-decorator, unused-ignore]
    def on_change_configuration(self, key: str, value: str) -> Any:
        """OCPP 1.6 §5.3."""
        status = self._answers.change_configuration(key, value)
        return call_result.ChangeConfiguration(status=status)

    @on(Action.get_local_list_version)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_local_list_version(self) -> Any:
        """OCPP 1.6 §5.10."""
        return call_result.GetLocalListVersion(list_version=self._answers.local_list_version())

    @on(Action.send_local_list)  # type: ignore[untyped-decorator, unused-ignore]
    def on_send_local_list(
        self,
        list_version: int,
        update_type: str,
        local_authorization_list: Sequence[Mapping[str, Any]] = (),
    ) -> Any:
        """OCPP 1.6 §5.15."""
        sent = [snake_to_camel_case(entry) for entry in local_authorization_list]
        status = self._answers.send_local_list(list_version, update_type, sent)
        return call_result.SendLocalList(status=status)

    @on(Action.reserve_now)  # type: ignore[untyped-decorator, unused-ignore]
    def on_reserve_now(
        self,
        connector_id: int,
        expiry_date: str,
        id_tag: str,
        reservation_id: int,
        parent_id_tag: str | None = None,
    ) -> Any:
        """OCPP 1.6 §5.13."""
        until = datetime.fromisoformat(expiry_date).timestamp()
        kept = Kept(reservation_id, connector_id, id_tag, parent_id_tag, until)
        return call_result.ReserveNow(status=self._answers.reserve(kept))

    @on(Action.cancel_reservation)  # type: ignore[untyped-decorator, unused-ignore]
    def on_cancel_reservation(self, reservation_id: int) -> Any:
        """OCPP 1.6 §5.2."""
        status = self._answers.cancel_reservation(reservation_id)
        return call_result.CancelReservation(status=status)

    @on(Action.trigger_message)  # type: ignore[untyped-decorator, unused-ignore]
    def on_trigger_message(self, requested_message: str, connector_id: int | None = None) -> Any:
        """OCPP 1.6 §5.17."""
        status = self._answers.trigger(requested_message, connector_id)
        return call_result.TriggerMessage(status=status)

    @on(Action.change_availability)  # type: ignore[untyped-decorator, unused-ignore]
    def on_change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002
        """OCPP 1.6 §5.2."""
        status = self._answers.change_availability(connector_id, type)
        return call_result.ChangeAvailability(status=status)

    @on(Action.reset)  # type: ignore[untyped-decorator, unused-ignore]
    def on_reset(self, type: str) -> Any:  # noqa: A002
        """OCPP 1.6 §5.14."""
        return call_result.Reset(status=self._answers.reset(type))

    @on(Action.clear_cache)  # type: ignore[untyped-decorator, unused-ignore]
    def on_clear_cache(self) -> Any:
        """OCPP 1.6 §5.4."""
        return call_result.ClearCache(status=self._answers.clear_cache())

    @on(Action.unlock_connector)  # type: ignore[untyped-decorator, unused-ignore]
    def on_unlock_connector(self, connector_id: int) -> Any:
        """OCPP 1.6 §5.18."""
        return call_result.UnlockConnector(status=self._answers.unlock(connector_id))

    @on(Action.get_diagnostics)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_diagnostics(self, **_: Any) -> Any:
        """OCPP 1.6 §5.9."""
        return call_result.GetDiagnostics(file_name=self._errands.upload_diagnostics())

    @on(Action.update_firmware)  # type: ignore[untyped-decorator, unused-ignore]
    def on_update_firmware(self, **_: Any) -> Any:
        """OCPP 1.6 §5.19."""
        self._errands.update_firmware(None)
        return call_result.UpdateFirmware()

    @on(Action.get_log)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_log(self, log_type: str, request_id: int, **_: Any) -> Any:
        """Security white paper §5."""
        file_name = self._errands.upload_log(log_type, request_id)
        return call_result.GetLog(status="Accepted", filename=file_name)

    @on(Action.signed_update_firmware)  # type: ignore[untyped-decorator, unused-ignore]
    def on_signed_update_firmware(self, request_id: int, **_: Any) -> Any:
        """Security white paper §5. Signatures are not looked at."""
        self._errands.update_firmware(request_id)
        return call_result.SignedUpdateFirmware(status="Accepted")

    @on(Action.extended_trigger_message)  # type: ignore[untyped-decorator, unused-ignore]
    def on_extended_trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        """Security white paper §5."""
        status = self._errands.trigger(requested_message)
        if status is None:
            status = self._answers.trigger(requested_message, connector_id)
        return call_result.ExtendedTriggerMessage(status=status)

    @on(Action.install_certificate)  # type: ignore[untyped-decorator, unused-ignore]
    def on_install_certificate(self, certificate_type: str, certificate: str) -> Any:
        """Security white paper §5."""
        status = self._errands.install_certificate(certificate_type, certificate)
        return call_result.InstallCertificate(status=status)

    @on(Action.delete_certificate)  # type: ignore[untyped-decorator, unused-ignore]
    def on_delete_certificate(self, certificate_hash_data: Mapping[str, Any]) -> Any:
        """Security white paper §5."""
        status = self._errands.delete_certificate(certificate_hash_data["serial_number"])
        return call_result.DeleteCertificate(status=status)

    @on(Action.get_installed_certificate_ids)  # type: ignore[untyped-decorator, unused-ignore]
    def on_get_installed_certificate_ids(self, certificate_type: str) -> Any:
        """Security white paper §5."""
        found = self._errands.certificates(certificate_type)
        if not found:
            return call_result.GetInstalledCertificateIds(status="NotFound")
        return call_result.GetInstalledCertificateIds(
            status="Accepted", certificate_hash_data=found
        )

    @on(Action.certificate_signed)  # type: ignore[untyped-decorator, unused-ignore]
    def on_certificate_signed(self, certificate_chain: str) -> Any:
        """Security white paper §5."""
        status = self._errands.take_certificate(certificate_chain)
        return call_result.CertificateSigned(status=status)

    @on(Action.data_transfer)  # type: ignore[untyped-decorator, unused-ignore]
    def on_data_transfer(self, vendor_id: str, **_: Any) -> Any:  # noqa: ARG002
        """OCPP 1.6 §5.6: no vendor is known."""
        return call_result.DataTransfer(status="UnknownVendorId")


def _not_cancelled() -> None:
    """Raise CancelledError when the running task was cancelled, though nothing told it.

    `ocpp` waits with asyncio.wait_for, which in Python 3.11 returns an answer (an error too) that
    has just come instead of being cancelled: the next call would then wait for nobody's answer.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
