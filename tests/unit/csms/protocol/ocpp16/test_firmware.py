from __future__ import annotations

from typing import Any

import pytest

from csms.ports import ChargerReport, Topic
from csms.protocol.ocpp16 import firmware
from tests.unit.csms.protocol.ocpp16.fake_recorder import NOON, FakeRecorder


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Installed", "Installed"),
        ("downloadfailed", "DownloadFailed"),
        ("Verifying", "Verifying"),
        (None, ""),
    ],
)
async def test_firmware_status_is_reported(sent: Any, kept: str) -> None:
    recorder = FakeRecorder()
    reply = await firmware.firmware_status_notification(recorder, "CP1", {"status": sent})
    assert reply == {}
    assert recorder.reports == [ChargerReport("CP1", Topic.FIRMWARE, kept, NOON)]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("Uploaded", "Uploaded"), ("UPLOADING", "Uploading"), ("Done", "Done"), ([], "")],
)
async def test_diagnostics_status_is_reported(sent: Any, kept: str) -> None:
    recorder = FakeRecorder()
    reply = await firmware.diagnostics_status_notification(recorder, "CP1", {"status": sent})
    assert reply == {}
    assert recorder.reports == [ChargerReport("CP1", Topic.DIAGNOSTICS, kept, NOON)]
