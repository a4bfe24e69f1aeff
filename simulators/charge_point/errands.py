"""What a charge point is asked that has nothing to do with charging (pure but for the moment).

It plays its part as far as can be seen on the wire: nothing is uploaded, installed or looked into.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
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
CERTIFICATES_KEPT = 16
PEM_BEGIN = "-----BEGIN CERTIFICATE-----"
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nsimulated\n-----END CERTIFICATE REQUEST-----\n"


class Errands:
    """One method per request. `send` takes messages to csms; `connectors` are its connectors."""

    def __init__(
        self,
        connectors: Collection[int],
        *,
        moment: Callable[[], Moment],
        send: Callable[[Report], None],
    ) -> None:
        self._connectors = connectors
        self._moment = moment
        self._send = send
        self._certificates: dict[str, tuple[str, dict[str, Any]]] = {}
        self._diagnostics, self._firmware = "Idle", FirmwareProgress("Idle")
        self._log = LogProgress("Idle")

    def clear_cache(self) -> str:
        """ClearCache (§5.4)."""
        return "Accepted"

    def unlock(self, connector_id: int) -> str:
        """UnlockConnector (§5.18)."""
        return "Unlocked" if connector_id in self._connectors else "NotSupported"

    # ------------------------------------------------------------------ files

    def upload_diagnostics(self) -> str:
        """GetDiagnostics (§5.9); returns the name of the file."""
        for self._diagnostics in UPLOAD:
            self._send(DiagnosticsProgress(self._diagnostics))
        return "diagnostics.zip"

    def upload_log(self, log_type: str, request_id: int) -> str:
        """GetLog (security white paper §5); returns the name of the file."""
        for status in UPLOAD:
            self._log = LogProgress(status, request_id)
            self._send(self._log)
        return f"{log_type}.txt"

    def update_firmware(self, request_id: int | None) -> None:
        """UpdateFirmware (§5.19), signed when there is a request id."""
        for status in UPDATE if request_id is None else SIGNED_UPDATE:
            self._firmware = FirmwareProgress(status, request_id)
            self._send(self._firmware)
        if request_id is not None:
            self._send(SecurityEvent("FirmwareUpdated", self._moment().utc_s))

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
                self._send(CertificateWanted(CSR))
            case _:
                return None
        return "Accepted"

    # ------------------------------------------------------------------ certificates

    def install_certificate(self, use: str, certificate: str) -> str:
        """InstallCertificate (security white paper §5)."""
        if not certificate.startswith(PEM_BEGIN):
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
        return "Accepted" if chain.startswith(PEM_BEGIN) else "Rejected"
