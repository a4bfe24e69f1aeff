from __future__ import annotations

import pytest

from simulators.charge_point.errands import CERTIFICATES_KEPT, CSR, PEM_BEGIN, Errands
from simulators.charge_point.messages import (
    CertificateWanted,
    DiagnosticsProgress,
    FirmwareProgress,
    LogProgress,
    Report,
    SecurityEvent,
)
from simulators.moment import Moment

NOW_S = 1_000.0
USE = "CentralSystemRootCertificate"


def errands() -> tuple[Errands, list[Report]]:
    sent: list[Report] = []
    return Errands(moment=lambda: Moment(NOW_S, 0.0), send=sent.append), sent


def test_uploads_and_updates_are_reported_to_their_end() -> None:
    it, sent = errands()
    assert it.upload_diagnostics() == "diagnostics.zip"
    assert sent == [DiagnosticsProgress("Uploading"), DiagnosticsProgress("Uploaded")]
    sent.clear()
    assert it.upload_log("SecurityLog", 7) == "SecurityLog.txt"
    assert sent == [LogProgress("Uploading", 7), LogProgress("Uploaded", 7)]
    sent.clear()
    it.update_firmware(None)
    assert sent[-1] == FirmwareProgress("Installed")
    sent.clear()
    it.update_firmware(9)
    assert FirmwareProgress("SignatureVerified", 9) in sent
    assert SecurityEvent("FirmwareUpdated", NOW_S) in sent[-1:]


def test_uploads_and_updates_fail_as_they_are_told() -> None:
    it, sent = errands()
    it.failure = "UploadFailed"
    it.upload_diagnostics()
    assert sent == [DiagnosticsProgress("Uploading"), DiagnosticsProgress("UploadFailed")]
    sent.clear()
    it.failure = "DownloadFailed"
    it.update_firmware(None)
    assert sent == [FirmwareProgress("Downloading"), FirmwareProgress("DownloadFailed")]
    sent.clear()
    it.failure = "InvalidSignature"
    it.update_firmware(4)
    assert sent[1:] == [
        FirmwareProgress("Downloaded", 4),
        FirmwareProgress("InvalidSignature", 4),
        SecurityEvent("InvalidFirmwareSignature", NOW_S),
    ]


@pytest.mark.parametrize(
    ("message", "report"),
    [
        ("DiagnosticsStatusNotification", DiagnosticsProgress("Idle")),
        ("FirmwareStatusNotification", FirmwareProgress("Idle")),
        ("LogStatusNotification", LogProgress("Idle")),
        ("SignChargePointCertificate", CertificateWanted(CSR)),
    ],
)
def test_its_reports_can_be_triggered(message: str, report: Report) -> None:
    it, sent = errands()
    assert it.trigger(message) == "Accepted"
    assert sent == [report]


def test_other_triggers_are_not_its_business() -> None:
    it, sent = errands()
    assert it.trigger("Heartbeat") is None
    assert sent == []


def test_certificates_are_installed_listed_and_deleted() -> None:
    it, sent = errands()
    assert it.install_certificate(USE, "no PEM") == "Rejected"
    assert sent == [SecurityEvent("InvalidCentralSystemCertificate", NOW_S)]
    assert it.install_certificate(USE, PEM_BEGIN) == "Accepted"
    (names,) = it.certificates(USE)
    assert it.certificates("ManufacturerRootCertificate") == []
    assert it.delete_certificate(names["serialNumber"]) == "Accepted"
    assert it.delete_certificate(names["serialNumber"]) == "NotFound"


def test_so_many_certificates_and_no_more() -> None:
    it, _ = errands()
    for number in range(CERTIFICATES_KEPT):
        assert it.install_certificate(USE, f"{PEM_BEGIN}{number}") == "Accepted"
    assert it.install_certificate(USE, f"{PEM_BEGIN}x") == "Failed"
    assert it.install_certificate(USE, f"{PEM_BEGIN}0") == "Accepted"


def test_a_signed_certificate_is_taken() -> None:
    it, sent = errands()
    assert it.take_certificate(PEM_BEGIN) == "Accepted"
    assert it.take_certificate("x") == "Rejected"
    assert it.chain == PEM_BEGIN
    assert sent == [SecurityEvent("InvalidChargePointCertificate", NOW_S)]
