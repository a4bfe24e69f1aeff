"""A small certificate authority: for chargers that ask for a certificate, and for development.

OCPP 1.6 security white paper §3.4 and A02: a charger makes a key pair and sends a signing request
(SignCertificate); csms looks at it and signs it (CertificateSigned). The names in the certificate
are those csms knows, not those in the request.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from csms.errors import CertificateRefusedError, ConfigError

LONGEST_REQUEST = 5_500
"""Characters of a signing request (white paper §5.17)."""

SMALLEST_RSA_BITS = 2_048
LARGEST_RSA_BITS = 4_096
CURVES = ("secp256r1", "secp384r1", "secp521r1")
HASHES = ("sha256", "sha384", "sha512")
EARLY = timedelta(days=1)
"""Certificates hold from a day before, for chargers whose clock is behind."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def certificate_pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """The private key in PEM, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate is of, and how long it holds."""

    common_name: str
    organisation: str = ""
    days: int = 365

    def name(self) -> x509.Name:
        """The same as a distinguished name."""
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)]
        if self.organisation:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organisation))
        return x509.Name(parts)


def rsa_key(bits: int = SMALLEST_RSA_BITS) -> rsa.RSAPrivateKey:
    """A new RSA key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """A new key on the curve P-256."""
    return ec.generate_private_key(ec.SECP256R1())


class CertificateAuthority:
    """Signs certificates of chargers and of the server. `now` is UTC epoch seconds."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    @classmethod
    def new(cls, subject: Subject, now: float) -> CertificateAuthority:
        """Make one, with an RSA key: chargers that know no other can follow the chain."""
        key = rsa_key(3_072)
        builder = _builder(subject, key.public_key(), subject.name(), now)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(usage, True)
        return cls(Pair(builder.sign(key, hashes.SHA256()), key))

    @classmethod
    def load(cls, certificate_pem: bytes, key_pem: bytes) -> CertificateAuthority:
        """Take one from PEM. Raises ConfigError when it is none."""
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            key = serialization.load_pem_private_key(key_pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _no_authority(str(error)) from None
        if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            raise _no_authority("its key is neither RSA nor ECDSA")
        if key.public_key() != certificate.public_key():
            raise _no_authority("certificate and key do not belong together")
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        except x509.ExtensionNotFound:
            raise _no_authority("its certificate signs no others") from None
        if not constraints.value.ca:
            raise _no_authority("its certificate signs no others")
        return cls(Pair(certificate, key))

    def issue_server(
        self, key: PrivateKey, subject: Subject, hosts: Sequence[str], now: float
    ) -> Pair:
        """A certificate for a server that is reached by these names and addresses."""
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return self._issue(key, subject, [names, usage], now)

    def issue_charger(self, key: PrivateKey, subject: Subject, now: float) -> Pair:
        """A certificate for a charger whose key is made here too: for development."""
        return self._issue(key, subject, [_client_usage()], now)

    def sign_request(self, request_pem: str, subject: Subject, now: float) -> str:
        """The certificate, in PEM, for a charger's signing request.

        Raises CertificateRefusedError when the request is not of `subject` (common name, and
        organisation if one is given), is not signed with its own key, or has a weak key.
        """
        request = _read(request_pem)
        _require_names(request, subject)
        key = _require_key(request)
        certificate = self._sign(key, subject, [_client_usage()], now)
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _issue(
        self, key: PrivateKey, subject: Subject, extensions: list[x509.ExtensionType], now: float
    ) -> Pair:
        return Pair(self._sign(key.public_key(), subject, extensions, now), key)

    def _sign(
        self, key: PublicKey, subject: Subject, extensions: list[x509.ExtensionType], now: float
    ) -> x509.Certificate:
        issuer = self.pair.certificate
        builder = _builder(subject, key, issuer.subject, now)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        usage = _usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey))
        builder = builder.add_extension(usage, True)
        mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.pair.key.public_key())
        builder = builder.add_extension(mine, False)
        for extension in extensions:
            builder = builder.add_extension(extension, False)
        return builder.sign(self.pair.key, hashes.SHA256())


# ------------------------------------------------------------------------------ requests


def _read(request_pem: str) -> x509.CertificateSigningRequest:
    if len(request_pem) > LONGEST_REQUEST:
        raise CertificateRefusedError(f"the request is longer than {LONGEST_REQUEST} characters")
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        hash_name = request.signature_hash_algorithm
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, UnicodeEncodeError) as error:
        raise CertificateRefusedError(f"the request cannot be read: {error}") from None
    if hash_name is None or hash_name.name not in HASHES:
        raise CertificateRefusedError("the request is signed with a hash that is too weak")
    if not signed:
        raise CertificateRefusedError("the request is not signed with its own key")
    return request


def _require_names(request: x509.CertificateSigningRequest, subject: Subject) -> None:
    wanted = [(NameOID.COMMON_NAME, "common name", subject.common_name)]
    if subject.organisation:
        wanted.append((NameOID.ORGANIZATION_NAME, "organisation", subject.organisation))
    for oid, what, value in wanted:
        found = [str(part.value) for part in request.subject.get_attributes_for_oid(oid)]
        if found != [value]:
            raise CertificateRefusedError(f"its {what} is {', '.join(found) or 'missing'!r}")


def _require_key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
            return key
        raise CertificateRefusedError(f"an RSA key of {key.key_size} bits")
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name in CURVES:
            return key
        raise CertificateRefusedError(f"an ECDSA key on the curve {key.curve.name}")
    raise CertificateRefusedError("its key is neither RSA nor ECDSA")


# ------------------------------------------------------------------------------ inside


def _builder(
    subject: Subject, key: PublicKey, issuer: x509.Name, now: float
) -> x509.CertificateBuilder:
    moment = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject.name())
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - EARLY)
        .not_valid_after(moment + timedelta(days=subject.days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    )


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _client_usage() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _no_authority(why: str) -> ConfigError:
    return ConfigError("the certificate authority", [("", f"cannot be used: {why}")])
