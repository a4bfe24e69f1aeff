from __future__ import annotations

from typing import Any

import pytest

from csms.ports import ChargerReport, Topic
from csms.protocol.ocpp16 import security
from tests.unit.csms.protocol.ocpp16.fake_recorder import NOON, FakeRecorder


@pytest.mark.parametrize(
    ("payload", "what", "request_id"),
    [
        ({"status": "Uploaded", "requestId": 7}, "Uploaded", 7),
        ({"status": "uploadfailure", "requestId": "8"}, "UploadFailure", 8),
        ({"status": "Resting"}, "Resting", None),
        ({}, "", None),
    ],
)
async def test_the_upload_of_a_log_is_reported(
    payload: dict[str, Any], what: str, request_id: int | None
) -> None:
    recorder = FakeRecorder()
    assert await security.log_status_notification(recorder, "CP1", payload) == {}
    report = ChargerReport("CP1", Topic.LOG, what, NOON, request_id=request_id)
    assert recorder.reports == [report]


@pytest.mark.parametrize(
    ("payload", "what", "request_id"),
    [
        ({"status": "InstallVerificationFailed", "requestId": 7}, "InstallVerificationFailed", 7),
        ({"status": "INVALID_SIGNATURE"}, "InvalidSignature", None),
    ],
)
async def test_the_signed_update_is_reported(
    payload: dict[str, Any], what: str, request_id: int | None
) -> None:
    recorder = FakeRecorder()
    assert await security.signed_firmware_status_notification(recorder, "CP1", payload) == {}
    report = ChargerReport("CP1", Topic.FIRMWARE, what, NOON, request_id=request_id)
    assert recorder.reports == [report]


@pytest.mark.parametrize(
    ("payload", "report"),
    [
        (
            {
                "type": "InvalidCentralSystemCertificate",
                "timestamp": "2026-03-01T11:59:00Z",
                "techInfo": "self-signed",
            },
            ChargerReport(
                "CP1",
                Topic.SECURITY,
                "InvalidCentralSystemCertificate",
                NOON,
                info="self-signed",
                told_at=NOON - 60,
            ),
        ),
        (
            {"type": "T" * 60, "timestamp": "never", "techInfo": None},
            ChargerReport("CP1", Topic.SECURITY, "T" * 50, NOON),
        ),
    ],
)
async def test_a_security_event_is_reported(payload: dict[str, Any], report: ChargerReport) -> None:
    recorder = FakeRecorder()
    assert await security.security_event_notification(recorder, "CP1", payload) == {}
    assert recorder.reports == [report]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"csr": "good"}, "Accepted"),
        ({"csr": "bad"}, "Rejected"),
        ({"csr": 5}, "Rejected"),
        ({}, "Rejected"),
    ],
)
async def test_a_request_for_a_certificate_is_passed_on(
    payload: dict[str, Any], status: str
) -> None:
    recorder = FakeRecorder()
    assert await security.sign_certificate(recorder, "CP1", payload) == {"status": status}
    asked = [("CP1", payload["csr"])] if isinstance(payload.get("csr"), str) else []
    assert recorder.requests == asked
