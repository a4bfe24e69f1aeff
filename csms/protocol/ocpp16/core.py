"""What a charge point initiates in the Core profile (OCPP 1.6 §4), one function a message.

Each handler takes the recorder, the charger's id and the payload as sent, and returns the payload
of the answer. A handler never refuses: §4.7, §4.8 and §4.10 say that withholding the answer only
makes the charger send the message again. What a charger reports is judged by the recorder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import (
    ChargePointErrorCode,
    DataTransferStatus,
    Reason,
    RegistrationStatus,
)

from csms.ports import BootReport, Recorder, StartReport, StopReport
from csms.protocol.ocpp16 import fields
from csms.protocol.ocpp16.local_list import id_tag_info
from csms.protocol.ocpp16.meter_values import normalise
from csms.station.facts import ConnectorStatusReported
from csms.station.model import ConnectorKey
from csms.station.state import ConnectorStatus

DATA_LIMIT = 1000
"""Characters kept of the data of a DataTransfer."""

_ERROR_CODES = tuple(str(code.value) for code in ChargePointErrorCode)
_REASONS = tuple(str(reason.value) for reason in Reason)


async def authorize(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """Authorize (§4.1): whether this token may charge here."""
    token = await recorder.authorize(charger_id, fields.id_tag(payload.get("idTag")))
    return {"idTagInfo": id_tag_info(token)}


async def boot_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """BootNotification (§4.2). The answer sets the charger's clock and its heartbeat interval.

    Nothing the charger says of itself is reason to refuse it. A charger that is not accepted is
    answered Rejected: it may send nothing else until it has booted again (§4.2.1). One that is only
    to wait is answered Pending, and boots again after the interval.
    """
    serials = (payload.get("chargePointSerialNumber"), payload.get("chargeBoxSerialNumber"))
    verdict = await recorder.boot(
        BootReport(
            charger_id=charger_id,
            vendor=fields.text(payload.get("chargePointVendor")),
            model=fields.text(payload.get("chargePointModel")),
            serial=next((s for s in map(fields.text, serials) if s), ""),
            firmware=fields.text(payload.get("firmwareVersion")),
        )
    )
    status = RegistrationStatus.accepted if verdict.accepted else RegistrationStatus.rejected
    if verdict.pending:
        status = RegistrationStatus.pending
    return {
        "status": str(status.value),
        "currentTime": fields.time_text(recorder.now()),
        "interval": verdict.interval_s,
    }


async def data_transfer(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """DataTransfer (§4.3). No vendor's messages are known here: all are kept and none is served."""
    recorder.note(
        charger_id,
        "DataTransfer",
        {
            "vendorId": fields.text(payload.get("vendorId")),
            "messageId": fields.text(payload.get("messageId")),
            "data": _data_text(payload.get("data")),
        },
    )
    return {"status": str(DataTransferStatus.unknown_vendor_id.value)}


async def heartbeat(
    recorder: Recorder, _charger_id: str, _payload: Mapping[str, Any]
) -> dict[str, Any]:
    """Heartbeat (§4.6): the charger asks for the time."""
    return {"currentTime": fields.time_text(recorder.now())}


async def meter_values(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """MeterValues (§4.7). Values that cannot be used are answered like any others."""
    for sample in normalise(payload, charger_id, recorder.now()):
        recorder.record(sample)
    return {}


async def start_transaction(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """StartTransaction (§4.8).

    The answer carries a real transaction id even when the token is refused: errata 3.54 wants it
    unique and positive, and the charger will report the end under it.
    """
    now = recorder.now()
    started_at = fields.timestamp(payload.get("timestamp"))
    meter_start_wh = _register(payload.get("meterStart"))
    if started_at is None or meter_start_wh is None:
        recorder.note(
            charger_id,
            "StartTransaction",
            {
                "unreadable": True,
                "timestamp": fields.text(payload.get("timestamp")),
                "meterStart": fields.text(payload.get("meterStart")),
            },
        )
    verdict = await recorder.start_session(
        StartReport(
            connector=_connector(charger_id, payload),
            id_token=fields.id_tag(payload.get("idTag")),
            meter_start_wh=meter_start_wh,
            # With no timestamp at all there is no telling a repetition from the next session, and
            # mixing two sessions is worse than ending one that a repetition starts anew.
            timestamp=fields.text(payload.get("timestamp")) or fields.time_text(now),
            started_at=now if started_at is None else started_at,
            # Some chargers send 0 for "no reservation".
            reservation_id=fields.integer(payload.get("reservationId")) or None,
            timed=started_at is not None,
        )
    )
    return {"transactionId": verdict.transaction_id, "idTagInfo": id_tag_info(verdict.token)}


async def status_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """StatusNotification (§4.9). Connector 0 is the charger itself.

    The charger's own time is not used: statuses are ordered by receipt.
    """
    status = fields.member(ConnectorStatus, payload.get("status"))
    error_code = fields.name(_ERROR_CODES, payload.get("errorCode"), "NoError")
    recorder.record(
        ConnectorStatusReported(
            connector=_connector(charger_id, payload),
            at=recorder.now(),
            status=ConnectorStatus.UNKNOWN if status is None else status,
            error_code=error_code,
        )
    )
    told = {key: fields.text(payload.get(key)) for key in ("info", "vendorId", "vendorErrorCode")}
    if status is None or any(told.values()):
        recorder.note(
            charger_id,
            "StatusNotification",
            {
                "connectorId": fields.connector_id(payload.get("connectorId")),
                "status": fields.text(payload.get("status")),
                "errorCode": error_code,
                **{key: value for key, value in told.items() if value},
            },
        )
    return {}


async def stop_transaction(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """StopTransaction (§4.10).

    The central system cannot prevent a stop, so the answer is always given, also for a transaction
    nobody knows; errata 3.18 demands it for the id -1.
    """
    now = recorder.now()
    for sample in normalise(payload, charger_id, now):
        recorder.record(sample)
    stopped_at = fields.timestamp(payload.get("timestamp"))
    id_token = fields.id_tag(payload.get("idTag")) or None
    token = await recorder.stop_session(
        StopReport(
            charger_id=charger_id,
            transaction_id=fields.integer(payload.get("transactionId")),
            meter_stop_wh=_register(payload.get("meterStop")),
            stopped_at=now if stopped_at is None else stopped_at,
            # §6.49: no reason means Local.
            reason=fields.name(_REASONS, payload.get("reason"), str(Reason.local.value)),
            id_token=id_token,
            timestamp=fields.text(payload.get("timestamp")),
            payload=payload,
        )
    )
    return {} if token is None or id_token is None else {"idTagInfo": id_tag_info(token)}


def _data_text(data: Any) -> str:
    """The data as text, which is what §6.15 says it is; some chargers send an object."""
    if isinstance(data, dict | list):
        try:
            data = json.dumps(data)
        except RecursionError:
            data = ""
    return fields.text(data, DATA_LIMIT)


def _register(value: Any) -> int | None:
    """A meter register in Wh; None when it is unreadable or below zero, where none can be."""
    found = fields.integer(value)
    return None if found is None or found < 0 else found


def _connector(charger_id: str, payload: Mapping[str, Any]) -> ConnectorKey:
    return ConnectorKey(charger_id, fields.connector_id(payload.get("connectorId")))
