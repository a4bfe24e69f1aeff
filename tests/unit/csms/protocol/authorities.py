"""Certificates for tests, made once for all tests of a process."""

from __future__ import annotations

import functools
import ssl
import time
import warnings
from pathlib import Path

from csms.make_ca import make_ca
from csms.protocol.certificates import CertificateAuthority, Pair, Subject, ec_key

NOW = 1_700_000_000.0
HOSTS = ["localhost", "127.0.0.1"]
DAY_S = 86_400.0


@functools.cache
def authority(name: str = "test CA") -> CertificateAuthority:
    """A CA of this name, valid now."""
    return CertificateAuthority.new(Subject(name, "TEST", 3_650), wall_clock())


def wall_clock() -> float:
    """Now: a TLS library looks at the real time."""
    return time.time()  # noqa: TID251


def charger(common_name: str, organisation: str = "TEST", *, days: int = 30) -> Pair:
    """A charger's certificate of the test CA; negative `days`: it has expired."""
    subject = Subject(common_name, organisation, abs(days))
    issued_at = wall_clock() if days > 0 else wall_clock() - (1 + abs(days)) * DAY_S
    return authority().issue_charger(ec_key(), subject, issued_at)


def write(folder: Path, name: str, pair: Pair) -> tuple[Path, Path]:
    """Certificate and key as files."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(pair.certificate_pem())
    key.write_bytes(pair.key_pem())
    return certificate, key


def development(folder: Path, *chargers: str) -> Path:
    """What `csms make-ca` writes."""
    make_ca(folder, HOSTS, chargers, "TEST", wall_clock())
    return folder


def old_client(folder: Path, version: str, suites: str = "ALL") -> ssl.SSLContext:
    """A client that knows only these suites and this version: `TLSv1` or `TLSv1.1`."""
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    client.set_ciphers(f"{suites}:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        only = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}[version]
        client.minimum_version = client.maximum_version = only
    return client
