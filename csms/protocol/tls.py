"""TLS towards chargers, as the OCPP 1.6 security white paper wants it (A00.FR.312 to .324).

TLS 1.2 and later. Of TLS 1.2 the four suites of A00.FR.317 and their ECDHE-RSA forms, no others,
and the server's order counts: forward secrecy first. An RSA and an ECDSA certificate may be served
at once: the charger gets the one it can use. No compression, no renegotiation, and no tickets:
every connection shows its certificate anew.

Chargers that know no TLS newer than 1.0 or 1.1 can have a port of their own (`old_context`). To
the white paper that is no TLS, and to csms neither.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csms.errors import ConfigError
from csms.ports import CertificateNames

SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",  # TLS_RSA_WITH_AES_128_GCM_SHA256: A00.FR.317 wants it served
    "AES256-GCM-SHA384",
)
OLD_SUITES = (
    *SUITES,
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-SHA",
    "AES256-SHA",
)
LEAST_SECURITY = "@SECLEVEL=0"
"""OpenSSL's word for what TLS 1.0 needs: signatures with SHA-1 and MD5."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificate chains with their keys, in PEM; `client_ca` is who signs chargers' certificates.

    Without `client_ca` no certificate is asked for.
    """

    certificates: Sequence[tuple[Path, Path]]
    client_ca: Path | None = None


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of the charger port. Raises ConfigError when a file cannot be used."""
    context = _context(SUITES, settings.certificates)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ValueError) as error:
            raise _unusable("tls_client_ca_file", str(settings.client_ca), error) from None
        # Optional: a charger of profile 2 has none. A certificate that is shown must hold.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def old_context(settings: TlsSettings) -> ssl.SSLContext:
    """The context of the port for TLS 1.0 and later; it asks for no certificates.

    Raises ConfigError when a file cannot be used.
    """
    context = _context((*OLD_SUITES, LEAST_SECURITY), settings.certificates)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def _context(suites: Sequence[str], certificates: Sequence[tuple[Path, Path]]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(":".join(suites))
    context.options |= (
        ssl.OP_CIPHER_SERVER_PREFERENCE
        | ssl.OP_NO_COMPRESSION
        | ssl.OP_NO_RENEGOTIATION
        | ssl.OP_NO_TICKET
    )
    context.num_tickets = 0
    for certificate, key in certificates:
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise _unusable("tls_certificate_files", f"{certificate}, {key}", error) from None
    return context


def watch(context: ssl.SSLContext, on_failure: Callable[[str], None]) -> None:
    """Let `on_failure` hear why a TLS handshake failed: asyncio keeps that to itself."""
    context.sslobject_class = _watched(on_failure)


def certificate_names(certificate: Mapping[str, Any] | None) -> CertificateNames | None:
    """The names in a verified client certificate, as `ssl` gives it; None for none.

    A name that is there twice says nothing.
    """
    if not certificate:
        return None
    named: dict[str, list[str]] = {}
    for part in certificate.get("subject", ()):
        for name, value in part:
            named.setdefault(name, []).append(value)

    def only(name: str) -> str:
        found = named.get(name, [])
        return found[0] if len(found) == 1 else ""

    return CertificateNames(only("commonName"), only("organizationName"))


def _no_password() -> str:
    """Nobody is there to type one."""
    return ""


def _unusable(setting: str, what: str, error: Exception) -> ConfigError:
    return ConfigError("csms", [(setting, f"cannot use {what}: {error}")])


def _watched(on_failure: Callable[[str], None]) -> type[ssl.SSLObject]:
    """An SSLObject that tells why its handshake failed."""

    class Watched(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                on_failure(_reason(error))
                raise

    return Watched


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the client certificate does not hold: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()
