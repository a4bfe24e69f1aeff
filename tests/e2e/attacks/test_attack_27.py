"""A27, of TLS: no version before 1.2, and only the suites of the security white paper."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from csms.protocol.tls import SUITES
from tests.e2e.secured import KEY, Secured, basic, certificates, client_tls, secured


def address(csms: Secured) -> tuple[str, int]:
    assert csms.app.ocpp_tls_url is not None
    host, _, port = csms.app.ocpp_tls_url.split("/")[2].rpartition(":")
    return host, int(port)


async def agreed(csms: Secured, context: ssl.SSLContext) -> tuple[str, str] | None:
    """Version and suite of a TLS handshake, None when there was none."""
    try:
        _, writer = await asyncio.open_connection(*address(csms), ssl=context)
    except (ssl.SSLError, ConnectionError):
        return None
    found: ssl.SSLObject = writer.get_extra_info("ssl_object")
    suite, version = found.cipher() or ("", "", 0), found.version()
    writer.transport.abort()
    return version or "", suite[0]


def weak_client() -> ssl.SSLContext:
    """A client that would take anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return context


def only(suite: str) -> ssl.SSLContext | None:
    """A client of TLS 1.2 with this suite alone; None when OpenSSL has it not."""
    context = weak_client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
    except ssl.SSLError:
        return None
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with secured(tmp_path) as csms:
        context = weak_client()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
        assert await agreed(csms, context) is None
        assert [event["kind"] for event in await csms.events()] == ["tls_failed"]


async def test_only_the_suites_of_the_white_paper_are_agreed_on(tmp_path: Path) -> None:
    every = {c["name"] for c in weak_client().get_ciphers() if c["protocol"] != "TLSv1.3"}
    assert len(every) > 60
    async with secured(tmp_path) as csms:
        taken = set()
        for suite in sorted(every):
            context = only(suite)
            if context is not None and (found := await agreed(csms, context)) is not None:
                assert found == ("TLSv1.2", suite)
                taken.add(suite)
        assert taken == set(SUITES)


async def test_the_best_is_agreed_on_when_a_client_takes_anything(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        version, suite = await agreed(csms, weak_client()) or ("", "")
        assert version == "TLSv1.3"
        assert suite.startswith("TLS_")
        context = weak_client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await agreed(csms, context) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")


@pytest.mark.parametrize(
    ("suite", "kind"),
    [
        ("ECDHE-RSA-AES256-GCM-SHA384", rsa.RSAPublicKey),
        ("AES128-GCM-SHA256", rsa.RSAPublicKey),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", ec.EllipticCurvePublicKey),
    ],
)
async def test_a_client_gets_the_certificate_it_can_use(
    tmp_path: Path, suite: str, kind: type
) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 2, key=KEY)
        context = client_tls()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        async with csms.dial("CP001", basic("CP001", KEY), context) as charger:
            certificate = charger.transport.get_extra_info("ssl_object").getpeercert(True)
            assert isinstance(x509.load_der_x509_certificate(certificate).public_key(), kind)


async def test_a_client_that_does_not_know_the_ca_does_not_connect(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        assert await agreed(csms, ssl.create_default_context()) is None
        assert (certificates() / "ca.pem").exists()


async def test_ws_on_the_tls_port_and_wss_on_the_other_are_refused(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        reader, writer = await asyncio.open_connection(*address(csms))
        writer.write(b"GET /ocpp/CP001 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not (await reader.read()).startswith(b"HTTP/1.1 101")
        writer.close()
        plain = csms.app.ocpp_url.split("/")[2].rpartition(":")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(plain[0], int(plain[2]), ssl=weak_client())
