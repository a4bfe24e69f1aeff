"""What a charge point is asked that has nothing to do with charging (pure but for the moment).

It plays its part as far as can be seen on the wire: nothing is uploaded, installed or looked into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from simulators.charge_point.messages import (
    CertificateWanted,
    DiagnosticsProgress,
    FirmwareProgress,
    LogProgress,
    Report,
    SecurityEvent,
)
from simulators.moment import Moment

UPLOAD = ("Uploading", "Uploaded")
UPDATE = ("Downloading", "Downloaded", "Installing", "Installed")
SIGNED_UPDATE = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")
UPDATE_EVENTS = {"Installed": "FirmwareUpdated", "InvalidSignature": "InvalidFirmwareSignature"}
FAILURES = {
    "UploadFailed": "Uploading",
    "DownloadFailed": "Downloading",
    "InvalidSignature": "Downloaded",
    "InstallationFailed": "Installing",
}
"""How an errand may fail, each with the status it fails after."""
CERTIFICATES_KEPT = 16
PEM_BEGIN = "-----BEGIN CERTIFICATE-----"
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nsimulated\n-----END CERTIFICATE REQUEST-----\n"


class Errands:
    """One method per request. `send` takes messages to csms.

    `failure` is how uploads and updates fail from now on, one of `FAILURES`; empty: they succeed.
    `csr` is what it asks to be signed, `chain` the certificate it was given for it.
    """

    def __init__(self, *, moment: Callable[[], Moment], send: Callable[[Report], None]) -> None:
        self.failure = ""
        self.csr = CSR
        self.chain = ""
        self._moment = moment
        self._send = send
        self._certificates: dict[str, tuple[str, dict[str, Any]]] = {}
        self._diagnostics, self._firmware = "Idle", FirmwareProgress("Idle")
        self._log = LogProgress("Idle")

    # ------------------------------------------------------------------ files

    def upload_diagnostics(self) -> str:
        """GetDiagnostics (§5.9); returns the name of the file."""
        for status in self._course(UPLOAD):
            self._diagnostics = status
            self._send(DiagnosticsProgress(status))
        return "diagnostics.zip"

    def upload_log(self, log_type: str, request_id: int) -> str:
        """GetLog (security white paper §5); returns the name of the file."""
        for status in self._course(UPLOAD):
            self._log = LogProgress(status, request_id)
            self._send(self._log)
        return f"{log_type}.txt"

    def update_firmware(self, request_id: int | None) -> None:
        """UpdateFirmware (§5.19), signed when there is a request id."""
        for status in self._course(UPDATE if request_id is None else SIGNED_UPDATE):
            self._firmware = FirmwareProgress(status, request_id)
            self._send(self._firmware)
        if request_id is not None and self._firmware.status in UPDATE_EVENTS:
            self._tell(UPDATE_EVENTS[self._firmware.status])

    def _course(self, statuses: Sequence[str]) -> Iterator[str]:
        """The statuses of an errand, up to its failure."""
        for status in statuses:
            yield status
            if FAILURES.get(self.failure) == status:
                yield self.failure
                return

    def _tell(self, kind: str) -> None:
        self._send(SecurityEvent(kind, self._moment().utc_s))

    def trigger(self, message: str) -> str | None:
        """TriggerMessage (§5.17) and its extended form; None when it is not about these things."""
        match message:
            case "DiagnosticsStatusNotification":
                self._send(DiagnosticsProgress(self._diagnostics))
            case "FirmwareStatusNotification":
                self._send(self._firmware)
            case "LogStatusNotification":
                self._send(self._log)
            case "SignChargePointCertificate":
                self._send(CertificateWanted(self.csr))
            case _:
                return None
        return "Accepted"

    # ------------------------------------------------------------------ certificates

    def install_certificate(self, use: str, certificate: str) -> str:
        """InstallCertificate (security white paper §5)."""
        if not certificate.startswith(PEM_BEGIN):
            self._tell("InvalidCentralSystemCertificate")
            return "Rejected"
        digest = hashlib.sha256(certificate.encode()).hexdigest()
        if digest[:40] not in self._certificates and len(self._certificates) >= CERTIFICATES_KEPT:
            return "Failed"
        self._certificates[digest[:40]] = (
            use,
            {
                "hashAlgorithm": "SHA256",
                "issuerNameHash": digest,
                "issuerKeyHash": digest,
                "serialNumber": digest[:40],
            },
        )
        return "Accepted"

    def certificates(self, use: str) -> list[dict[str, Any]]:
        """GetInstalledCertificateIds (security white paper §5)."""
        return [names for of_use, names in self._certificates.values() if of_use == use]

    def delete_certificate(self, serial_number: str) -> str:
        """DeleteCertificate (security white paper §5)."""
        return "NotFound" if self._certificates.pop(serial_number, None) is None else "Accepted"

    def take_certificate(self, chain: str) -> str:
        """CertificateSigned (security white paper §5)."""
        if not chain.startswith(PEM_BEGIN):
            self._tell("InvalidChargePointCertificate")
            return "Rejected"
        self.chain = chain
        return "Accepted"
