"""Certificates for development."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from csms.errors import ConfigError
from csms.make_ca import make_ca, settings_for
from tests.unit.csms.protocol.authorities import NOW


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_ca_the_servers_certificates_and_those_of_chargers(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tls"
    written = make_ca(folder, ["localhost"], ["CP1"], "ACME", NOW)
    names = ["ca", "server_rsa", "server_ecdsa", "charger_CP1"]
    assert written == [folder / f"{name}{end}" for name in names for end in (".pem", ".key")]
    ca = certificate(folder / "ca.pem")
    for name in names[1:]:
        certificate(folder / f"{name}.pem").verify_directly_issued_by(ca)
        assert (folder / f"{name}.key").stat().st_mode & 0o777 == 0o600
    assert isinstance(certificate(folder / "server_rsa.pem").public_key(), rsa.RSAPublicKey)
    ecdsa = certificate(folder / "server_ecdsa.pem").public_key()
    assert isinstance(ecdsa, ec.EllipticCurvePublicKey)
    subject = certificate(folder / "charger_CP1.pem").subject.rfc4514_string()
    assert subject == "O=ACME,CN=CP1"


def test_chargers_are_added_to_a_ca_that_is_there(tmp_path: Path) -> None:
    make_ca(tmp_path, ["localhost"], [], "ACME", NOW)
    ca = certificate(tmp_path / "ca.pem")
    added = make_ca(tmp_path, ["localhost"], ["CP 2"], "ACME", NOW)
    assert [path.name for path in added] == ["charger_CP 2.pem", "charger_CP 2.key"]
    certificate(added[0]).verify_directly_issued_by(ca)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no charger can be called"):
        make_ca(tmp_path, ["localhost"], ["../../x"], "ACME", NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        make_ca(tmp_path / "file", ["localhost"], [], "ACME", NOW)


def test_the_settings_that_use_them() -> None:
    assert tomllib.loads(settings_for(Path("/tls"))) == {
        "ocpp_transport": "tls",
        "tls_certificate_files": ["/tls/server_rsa.pem", "/tls/server_ecdsa.pem"],
        "tls_key_files": ["/tls/server_rsa.key", "/tls/server_ecdsa.key"],
        "tls_client_ca_file": "/tls/ca.pem",
        "tls_client_ca_key_file": "/tls/ca.key",
    }
