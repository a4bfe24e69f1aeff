"""A small certificate authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from csms.errors import CertificateRefusedError, ConfigError
from csms.protocol.certificates import CertificateAuthority, Subject, ec_key, rsa_key
from tests.unit.csms.protocol.authorities import NOW, authority

CHARGER = Subject("CP1", "ACME", 90)
EC = ec_key()


def request(
    key: CertificateIssuerPrivateKeyTypes = EC,
    names: tuple[tuple[x509.ObjectIdentifier, str], ...] = (
        (NameOID.COMMON_NAME, "CP1"),
        (NameOID.ORGANIZATION_NAME, "ACME"),
    ),
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> str:
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    used = None if isinstance(key, ed25519.Ed25519PrivateKey) else algorithm or hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, used)
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "key", [EC, ec.generate_private_key(ec.SECP384R1()), rsa_key()], ids=["P-256", "P-384", "RSA"]
)
def test_a_good_request_is_signed(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> None:
    ca = authority()
    signed = x509.load_pem_x509_certificate(ca.sign_request(request(key), CHARGER, NOW).encode())
    signed.verify_directly_issued_by(ca.pair.certificate)
    assert signed.public_key() == key.public_key()
    assert signed.subject == CHARGER.name()
    issued = datetime.fromtimestamp(NOW, UTC)
    assert signed.not_valid_before_utc == issued - timedelta(days=1)
    assert signed.not_valid_after_utc == issued + timedelta(days=90)
    usage = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = signed.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.critical) == (False, True)


def test_names_and_extensions_of_the_request_are_not_taken_over() -> None:
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(CHARGER.name())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("csms.example")]), False)
        .sign(EC, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        .decode()
    )
    signed = x509.load_pem_x509_certificate(authority().sign_request(asked, CHARGER, NOW).encode())
    assert not signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        signed.extensions.get_extension_for_class(x509.SubjectAlternativeName)


CN, O = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME  # noqa: E741


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", "read"),
        ("ключ \ud800", "cannot be read"),
        ("x" * 5_501, "longer than"),
        (request(names=((CN, "CP2"), (O, "ACME"))), "its common name is 'CP2'"),
        (request(names=((CN, "CP1"), (CN, "CP2"), (O, "ACME"))), "'CP1, CP2'"),
        (request(names=((O, "ACME"),)), "its common name is 'missing'"),
        (request(names=((CN, "CP1"), (O, "EVIL"))), "its organisation is 'EVIL'"),
        (request(names=((CN, "CP1"),)), "its organisation is 'missing'"),
        (request(rsa_key(1_024)), "an RSA key of 1024 bits"),
        (request(ec.generate_private_key(ec.SECP256K1())), "the curve secp256k1"),
        (request(ed25519.Ed25519PrivateKey.generate()), "too weak"),
    ],
)
def test_other_requests_are_refused(text: str, why: str) -> None:
    with pytest.raises(CertificateRefusedError, match=why):
        authority().sign_request(text, CHARGER, NOW)


def test_a_request_somebody_else_signed_is_refused() -> None:
    pem = request().splitlines()
    middle = pem[2]
    for position, letter in enumerate(middle):
        changed = "A" if letter != "A" else "B"
        pem[2] = middle[:position] + changed + middle[position + 1 :]
        with pytest.raises(CertificateRefusedError):
            authority().sign_request("\n".join(pem), CHARGER, NOW)


def test_without_an_organisation_any_will_do() -> None:
    anybody = request(names=((CN, "CP1"), (O, "EVIL")))
    signed = x509.load_pem_x509_certificate(
        authority().sign_request(anybody, Subject("CP1"), NOW).encode()
    )
    assert signed.subject == Subject("CP1").name()


def test_an_authority_is_loaded_from_its_files() -> None:
    pair = authority().pair
    again = CertificateAuthority.load(pair.certificate_pem(), pair.key_pem())
    assert again.pair.certificate == pair.certificate


def test_what_is_no_authority_is_refused() -> None:
    ca = authority()
    leaf = ca.issue_charger(ec_key(), CHARGER, NOW)
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for certificate, key, why in (
        (b"", ca.pair.key_pem(), "cannot be used"),
        (ca.pair.certificate_pem(), b"", "cannot be used"),
        (ca.pair.certificate_pem(), leaf.key_pem(), "do not belong together"),
        (leaf.certificate_pem(), leaf.key_pem(), "signs no others"),
        (ca.pair.certificate_pem(), edwards, "neither RSA nor ECDSA"),
    ):
        with pytest.raises(ConfigError, match=why):
            CertificateAuthority.load(certificate, key)


def test_a_certificate_of_a_server_names_how_it_is_reached() -> None:
    pair = authority().issue_server(ec_key(), Subject("localhost"), ["localhost", "::1"], NOW)
    names = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["::1"]
