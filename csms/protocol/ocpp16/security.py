"""What a charge point initiates in the security extension of OCPP 1.6.

Source: OCA white paper "Improved security for OCPP 1.6-J", edition 2, §5 and §6. As in every
profile the answer is always given: a charger whose security events are answered with an error sends
them again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import (
    FirmwareStatus,
    GenericStatus,
    UploadLogStatus,
)

from csms.ports import ChargerReport, Recorder, Topic
from csms.protocol.ocpp16 import fields

_FIRMWARE = tuple(str(status.value) for status in FirmwareStatus)
_LOG = tuple(str(status.value) for status in UploadLogStatus)

EVENT_LIMIT = 50
"""Characters of the kind of a security event (white paper §5.14)."""


async def log_status_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """LogStatusNotification: how far the upload of a log has come."""
    status = fields.name(_LOG, payload.get("status"), "")
    request_id = fields.integer(payload.get("requestId"))
    await recorder.report(
        ChargerReport(charger_id, Topic.LOG, status, recorder.now(), request_id=request_id)
    )
    return {}


async def security_event_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """SecurityEventNotification: something that matters to the charger's security."""
    await recorder.report(
        ChargerReport(
            charger_id,
            Topic.SECURITY,
            fields.text(payload.get("type"), EVENT_LIMIT),
            recorder.now(),
            info=fields.text(payload.get("techInfo")),
            told_at=fields.timestamp(payload.get("timestamp")),
        )
    )
    return {}


async def sign_certificate(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """SignCertificate: the charger wants a certificate. It comes in CertificateSigned (A02)."""
    request = payload.get("csr")
    signed = isinstance(request, str) and await recorder.sign(charger_id, request)
    status = GenericStatus.accepted if signed else GenericStatus.rejected
    return {"status": str(status.value)}


async def signed_firmware_status_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """SignedFirmwareStatusNotification: how far a signed update has come."""
    status = fields.name(_FIRMWARE, payload.get("status"), "")
    request_id = fields.integer(payload.get("requestId"))
    await recorder.report(
        ChargerReport(charger_id, Topic.FIRMWARE, status, recorder.now(), request_id=request_id)
    )
    return {}
