from __future__ import annotations

from typing import Any

import pytest

from csms.protocol.ocpp16 import firmware
from tests.unit.csms.protocol.ocpp16.fake_recorder import FakeRecorder


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Installed", "Installed"),
        ("downloadfailed", "DownloadFailed"),
        ("Verifying", "Verifying"),
        (None, ""),
    ],
)
async def test_firmware_status_is_noted(sent: Any, kept: str) -> None:
    recorder = FakeRecorder()
    reply = await firmware.firmware_status_notification(recorder, "CP1", {"status": sent})
    assert reply == {}
    assert recorder.notes == [("CP1", "FirmwareStatusNotification", {"status": kept})]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Uploaded", "Uploaded"), ("UPLOADING", "Uploading"), ("Done", "Done"), ([], "")],
)
async def test_diagnostics_status_is_noted(sent: Any, kept: str) -> None:
    recorder = FakeRecorder()
    reply = await firmware.diagnostics_status_notification(recorder, "CP1", {"status": sent})
    assert reply == {}
    assert recorder.notes == [("CP1", "DiagnosticsStatusNotification", {"status": kept})]
