"""TLS towards chargers. The handshakes over sockets are in tests/e2e/test_security_tls.py."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from csms.errors import ConfigError
from csms.ports import CertificateNames
from csms.protocol.tls import (
    SUITES,
    TlsSettings,
    certificate_names,
    old_context,
    server_context,
    watch,
)
from tests.unit.csms.protocol.authorities import (
    authority,
    charger,
    development,
    old_client,
    write,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return development(tmp_path_factory.mktemp("tls"))


def settings(folder: Path, *, client_ca: bool = False) -> TlsSettings:
    pairs = [(folder / f"{name}.pem", folder / f"{name}.key") for name in ("server_rsa",)]
    return TlsSettings(pairs, folder / "ca.pem" if client_ca else None)


def test_only_the_suites_of_the_white_paper_and_tls_1_2_at_least(folder: Path) -> None:
    context = server_context(settings(folder))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    offered = [c["name"] for c in context.get_ciphers() if c["protocol"] == "TLSv1.2"]
    assert offered == list(SUITES)
    assert context.verify_mode is ssl.CERT_NONE
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_TICKET):
        assert context.options & option


def test_a_ca_of_chargers_asks_for_certificates(folder: Path) -> None:
    assert server_context(settings(folder, client_ca=True)).verify_mode is ssl.CERT_OPTIONAL


def test_files_that_cannot_be_used_are_named(folder: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    certificate, key = folder / "server_rsa.pem", folder / "server_rsa.key"
    for wrong in ((missing, key), (certificate, missing), (certificate, rubbish)):
        with pytest.raises(ConfigError, match="tls_certificate_files"):
            server_context(TlsSettings([wrong]))
    with pytest.raises(ConfigError, match="tls_certificate_files"):
        server_context(TlsSettings([(certificate, folder / "server_ecdsa.key")]))
    with pytest.raises(ConfigError, match="tls_client_ca_file"):
        server_context(TlsSettings([(certificate, key)], rubbish))


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, None),
        ({}, None),
        (
            {"subject": ((("commonName", "CP1"),), (("organizationName", "ACME"),))},
            CertificateNames("CP1", "ACME"),
        ),
        ({"subject": ((("commonName", "CP1"), ("commonName", "CP2")),)}, CertificateNames("")),
        ({"subject": ((("countryName", "FR"),),)}, CertificateNames("")),
        ({"serialNumber": "1"}, CertificateNames("")),
    ],
)
def test_names_of_a_certificate(
    certificate: dict[str, object] | None, names: CertificateNames | None
) -> None:
    assert certificate_names(certificate) == names


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A TLS handshake in memory; raises what the server raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(10):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("suites", ["ALL", "AES128-SHA"])
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1.1"])
def test_old_tls_is_taken_on_its_own_port_only(folder: Path, version: str, suites: str) -> None:
    client = old_client(folder, version, suites)
    shake_hands(old_context(settings(folder, client_ca=True)), client)
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        shake_hands(server_context(settings(folder)), client)


def test_old_tls_asks_for_no_certificates(folder: Path) -> None:
    context = old_context(settings(folder, client_ca=True))
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_NO_SSLv3
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert not [name for name in names if "AES" not in name and "CHACHA20" not in name]


def test_why_a_handshake_failed_is_told(folder: Path, tmp_path: Path) -> None:
    told: list[str] = []
    server = server_context(settings(folder, client_ca=True))
    watch(server, told.append)
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    shake_hands(server, client)
    assert told == []
    client.load_cert_chain(*write(tmp_path, "foreign", charger("CP1")))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client)
    (why,) = told
    assert why.startswith("the client certificate does not hold: unable to get")
    assert authority().pair.certificate is not None
    plain = ssl.MemoryBIO()
    plain.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        server.wrap_bio(plain, ssl.MemoryBIO(), server_side=True).do_handshake()
    assert told[1:] == ["http request"]
