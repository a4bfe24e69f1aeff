"""Certificates for development: a CA, the server's two certificates, and those of chargers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from csms.errors import ConfigError
from csms.protocol.certificates import CertificateAuthority, Pair, Subject, ec_key, rsa_key
from csms.station.document import is_identity

CA_DAYS = 3_650
DAYS = 364
CA = "ca"


def make_ca(
    folder: Path, hosts: Sequence[str], chargers: Sequence[str], organisation: str, now: float
) -> list[Path]:
    """Write what is not there yet; returns the files written.

    A CA that is in the folder already is used again, so that chargers can be added. Private keys
    can be read by their owner only. Raises ConfigError when the folder cannot be used.
    """
    bad = [name for name in chargers if not is_identity(name)]
    if bad:
        raise ConfigError("make-ca", [("--charger", f"no charger can be called {bad[0]!r}")])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _make(folder, hosts, chargers, organisation, now)
    except OSError as error:
        raise ConfigError("make-ca", [(str(folder), f"cannot be used: {error}")]) from None


def _make(
    folder: Path, hosts: Sequence[str], chargers: Sequence[str], organisation: str, now: float
) -> list[Path]:
    written: list[Path] = []
    if (folder / f"{CA}.pem").exists():
        authority = CertificateAuthority.load(
            (folder / f"{CA}.pem").read_bytes(), (folder / f"{CA}.key").read_bytes()
        )
    else:
        subject = Subject("csms development CA", organisation, CA_DAYS)
        authority = CertificateAuthority.new(subject, now)
        written += _write(folder, CA, authority.pair)
    for name, new_key in (("server_rsa", rsa_key), ("server_ecdsa", ec_key)):
        if not (folder / f"{name}.pem").exists():
            subject = Subject(hosts[0], organisation, DAYS)
            written += _write(folder, name, authority.issue_server(new_key(), subject, hosts, now))
    for charger in chargers:
        name = f"charger_{charger}"
        if not (folder / f"{name}.pem").exists():
            subject = Subject(charger, organisation, DAYS)
            written += _write(folder, name, authority.issue_charger(ec_key(), subject, now))
    return written


def _write(folder: Path, name: str, pair: Pair) -> list[Path]:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    number = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(pair.key_pem())
    certificate.write_bytes(pair.certificate_pem())
    return [certificate, key]


def settings_for(folder: Path) -> str:
    """The settings that serve chargers with these certificates, in TOML."""
    names = ("server_rsa", "server_ecdsa")
    certificates = ", ".join(f'"{folder / name}.pem"' for name in names)
    keys = ", ".join(f'"{folder / name}.key"' for name in names)
    return "\n".join(
        [
            'ocpp_transport = "tls"',
            f"tls_certificate_files = [{certificates}]",
            f"tls_key_files = [{keys}]",
            f'tls_client_ca_file = "{folder / CA}.pem"',
            f'tls_client_ca_key_file = "{folder / CA}.key"',
        ]
    )
