"""What a charge point initiates in the Firmware Management profile (OCPP 1.6 §4.4, §4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocpp.v16.enums import DiagnosticsStatus, FirmwareStatus

from csms.ports import ChargerReport, Recorder, Topic
from csms.protocol.ocpp16 import fields

_DIAGNOSTICS = tuple(str(status.value) for status in DiagnosticsStatus)
_FIRMWARE = tuple(str(status.value) for status in FirmwareStatus)


async def diagnostics_status_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """DiagnosticsStatusNotification (§4.4): how far an upload of diagnostics has come."""
    status = fields.name(_DIAGNOSTICS, payload.get("status"), "")
    await recorder.report(ChargerReport(charger_id, Topic.DIAGNOSTICS, status, recorder.now()))
    return {}


async def firmware_status_notification(
    recorder: Recorder, charger_id: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """FirmwareStatusNotification (§4.5), in whatever order the charger reports its progress."""
    status = fields.name(_FIRMWARE, payload.get("status"), "")
    await recorder.report(ChargerReport(charger_id, Topic.FIRMWARE, status, recorder.now()))
    return {}
