"""Security: keys, certificates of chargers, TLS and handshakes.

The white paper is "Improved security for OCPP 1.6-J", edition 2.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from csms.app import App
from csms.protocol.certificates import CertificateAuthority, Pair, Subject, ec_key, rsa_key
from simulators.charge_point.client import Dial, websocket_dialler
from simulators.charge_point.credentials import Credentials
from simulators.charge_point.wire import Socket
from tests.e2e.certification.cases import case_of, charger_of
from tests.e2e.certification.played import (
    Case,
    api_client,
    charge_point,
    played,
    serving,
    station,
)
from tests.e2e.certification.wiretap import Exchange, Payload
from tests.e2e.quick import CLIENT
from tests.e2e.secured import (
    ALERT,
    KEY,
    OTHER_KEY,
    UNPROVEN,
    Secured,
    basic,
    certificates,
    client_tls,
    config,
)
from tests.unit.csms.protocol.authorities import authority, wall_clock, write

IN = (101, b"")
SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
"""Those that the white paper asks for (A00.FR.317), as OpenSSL names them."""


@pytest.fixture(scope="module")
def locked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """A csms with TLS and without, that lets in nobody without proof, and has a CA."""
    cases = [case for case in map(case_of, vars(request.module)) if case is not None]
    settings = config(
        tmp_path_factory.mktemp("csms"),
        tls_client_ca_key_file=certificates() / "ca.key",
        tls_client_organisation="TEST",
    )
    with serving(settings, station(cases, quiet=True)) as app:
        yield app


@dataclass
class Guarded:
    """The charger of a case at a csms that wants proof."""

    app: App
    door: Secured
    charger_id: str

    async def outcome(self, *args: Any, **options: Any) -> tuple[int, bytes] | str:
        """What becomes of somebody who comes as this charger."""
        async with asyncio.timeout(10):
            return await self.door.outcome(self.charger_id, *args, **options)

    async def basic(self, key: str | bytes, **options: Any) -> tuple[int, bytes] | str:
        """The same with a key."""
        return await self.outcome(basic(self.charger_id, key), **options)

    @asynccontextmanager
    async def case(self, credentials: Credentials, dial: Dial | None = None) -> AsyncIterator[Case]:
        """Play the case with a simulated charger that shows this."""
        if dial is None:
            url = self.app.ocpp_url if credentials.ca_file is None else self.app.ocpp_tls_url
            assert url is not None
            dial = websocket_dialler(url, self.charger_id, CLIENT, credentials=credentials)
        point, talk = charge_point(self.charger_id, dial, credentials)
        async with played(Case(self.charger_id, point, talk, self.door.api, quiet=True)) as case:
            yield case


@asynccontextmanager
async def guarded(app: App, case_id: str, profile: int) -> AsyncIterator[Guarded]:
    """The charger of this case, which must show what this profile asks for."""
    async with api_client(app) as api:
        door = Secured(app, api)
        charger_id = charger_of(case_id)
        await door.secure(charger_id, profile, key=KEY)
        yield Guarded(app, door, charger_id)


def our_ca() -> CertificateAuthority:
    """The CA that csms trusts."""
    folder = certificates()
    return CertificateAuthority.load(
        (folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()
    )


async def test_tc_073_key_changed(locked: App) -> None:
    async with guarded(locked, "073", 1) as it:
        async with it.case(Credentials(KEY.encode())) as case:
            case.talk.instead["ChangeConfiguration"] = {"status": "Rejected"}
            path = f"/chargers/{case.charger_id}/security/key"
            refused = (await case.api.post(path, json={})).json()
            assert refused["outcome"] == "rejected"
            case.talk.instead.clear()
            changed = (await case.api.post(path, json={})).json()
            assert changed["outcome"] == "accepted"
            told = case.asked("ChangeConfiguration")[-1].payload
            assert told == {
                "key": "AuthorizationKey",
                "value": changed["key"].encode().hex().upper(),
            }
            # It comes in again with the key it was told.
            await it.door.key_used(case.charger_id)
            assert await it.basic(KEY) == UNPROVEN
            assert await it.basic(refused["key"]) == UNPROVEN
        assert await it.basic(changed["key"]) == IN


def signing_request(key: Any, common_name: str) -> str:
    """What a charger wants signed, in PEM."""
    names = [(NameOID.COMMON_NAME, common_name), (NameOID.ORGANIZATION_NAME, "TEST")]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def certificate(
    folder: Path, charger_id: str, ca: CertificateAuthority | None = None
) -> tuple[Path, Path]:
    """A certificate in this name, of the CA that csms trusts or of another one, and its key."""
    subject = Subject(charger_id, "TEST", 30)
    pair = (ca or our_ca()).issue_charger(ec_key(), subject, wall_clock())
    return write(folder, charger_id, pair)


def with_certificate(files: tuple[Path, Path]) -> Credentials:
    """What a charger of profile 3 shows."""
    return Credentials(None, None, certificates() / "ca.pem", *files)


async def renewal(case: Case, csr: str) -> Exchange:
    """An operator has a certificate renewed; the end of it, as csms sent the certificate."""
    answered: list[bool] = []
    own = case.talk.instead.get("CertificateSigned")

    def signed(_: Payload) -> Payload | None:
        answered.append(len(case.told("SignCertificate")) == 1)
        return None if callable(own) else own

    case.talk.instead["CertificateSigned"] = signed
    case.point.errands.csr = csr
    asked = {"requestedMessage": "SignChargePointCertificate"}
    sent = await case.send("ExtendedTriggerMessage", asked)
    assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
    (request,) = await case.until_told("SignCertificate")
    assert request.payload == {"csr": csr}
    assert request.answer == {"status": "Accepted"}
    await case.until(lambda: case.asked("CertificateSigned"))
    # The question was answered before the certificate came.
    assert answered == [True]
    return case.asked("CertificateSigned")[0]


async def test_tc_074_certificate_renewed(locked: App, tmp_path: Path) -> None:
    async with guarded(locked, "074", 3) as it:
        key = ec_key()
        old = certificate(tmp_path, it.charger_id)
        async with it.case(with_certificate(old)) as case:
            sent = await renewal(case, signing_request(key, it.charger_id))
            assert sent.answer == {"status": "Accepted"}
            chain = sent.payload["certificateChain"]
            made = x509.load_pem_x509_certificate(chain.encode())
            assert made.public_key() == key.public_key()
            (name,) = made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            assert name.value == it.charger_id
            # What is not in the charger's name, or has a weak key, is not signed.
            weak = signing_request(rsa_key(1_024), it.charger_id)
            for bad in (signing_request(key, "OTHER"), weak):
                assert await case.say("SignCertificate", {"csr": bad}) == {"status": "Rejected"}
        new = write(tmp_path, "new", Pair(made, key))
        async with it.case(with_certificate(new)) as case:
            assert case.point.refusal == ""


async def test_tc_077_certificate_of_the_charger_is_invalid(locked: App, tmp_path: Path) -> None:
    async with guarded(locked, "077", 3) as it:
        files = certificate(tmp_path, it.charger_id)
        async with it.case(with_certificate(files)) as case:
            case.talk.instead["CertificateSigned"] = {"status": "Rejected"}
            sent = await renewal(case, signing_request(ec_key(), it.charger_id))
            assert sent.answer == {"status": "Rejected"}
            event = {"type": "InvalidChargePointCertificate", "timestamp": "2026-01-31T18:00:00Z"}
            assert await case.say("SecurityEventNotification", event) == {}
            await case.until_event("charger_reported", "InvalidChargePointCertificate")
            await case.until_event("certificate_sent", "rejected")


async def test_tc_083_security_profile_raised(locked: App) -> None:
    shown = Credentials(KEY.encode(), ca_file=certificates() / "ca.pem")
    async with guarded(locked, "083", 1) as it:
        profile = "0"

        async def dial() -> Socket:
            url = it.app.ocpp_tls_url if profile == "2" else it.app.ocpp_url
            assert url is not None
            return await websocket_dialler(url, it.charger_id, CLIENT, credentials=shown)()

        async with it.case(shown, dial) as case:
            await case.configure("SecurityProfile", "2")
            profile = case.point.configuration.text("SecurityProfile")
            reset = await case.operate("reset", {"hard": True})
            assert reset.answer == {"status": "Accepted"}
            (boot,) = await case.until_told("BootNotification")
            assert boot.answer is not None
            assert boot.answer["status"] == "Accepted"
            assert (await it.door.known(it.charger_id))["profile"] == 2
        assert await it.basic(KEY) == UNPROVEN
        assert await it.basic(KEY, tls=client_tls()) == IN


async def test_tc_085_basic_authentication(locked: App) -> None:
    async with guarded(locked, "085", 1) as it:
        assert await it.outcome() == UNPROVEN
        assert await it.basic(OTHER_KEY) == UNPROVEN
        assert await it.outcome(basic("TC_073", KEY)) == UNPROVEN
        assert await it.basic(KEY) == IN
        binary = bytes(range(0xF0, 0x100)) + b"\x00\x80"
        await it.door.secure(it.charger_id, 1, key=binary.hex())
        assert await it.basic(KEY) == UNPROVEN
        async with it.case(Credentials(binary)) as case:
            assert case.talk.exchanges[0].action == "BootNotification"


def only(suite: str) -> ssl.SSLContext:
    """TLS 1.2 with one suite."""
    context = client_tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    return context


async def test_tc_086_certificate_of_the_server(locked: App) -> None:
    async with guarded(locked, "086", 2) as it:
        assert await it.basic(KEY) == UNPROVEN
        assert await it.outcome(tls=client_tls()) == UNPROVEN
        for suite in SUITES:
            assert await it.basic(KEY, tls=only(suite)) == IN
        assert await it.basic(KEY, tls=only("ECDHE-RSA-AES256-SHA384")) == ALERT
        stranger = ssl.create_default_context(cadata=authority().pair.certificate_pem().decode())
        assert await it.basic(KEY, tls=stranger) == ALERT
        async with it.case(Credentials(KEY.encode(), ca_file=certificates() / "ca.pem")) as case:
            assert case.point.refusal == ""


async def test_tc_087_certificate_of_the_client(locked: App, tmp_path: Path) -> None:
    async with guarded(locked, "087", 3) as it:
        assert await it.basic(KEY) == UNPROVEN
        assert await it.basic(KEY, tls=client_tls()) == UNPROVEN
        others = certificate(tmp_path, "TC_086")
        assert await it.outcome(tls=client_tls(others)) == UNPROVEN
        strangers = certificate(tmp_path, it.charger_id, authority("stranger"))
        assert await it.outcome(tls=client_tls(strangers)) == ALERT
        async with it.case(with_certificate(certificate(tmp_path, it.charger_id))) as case:
            assert case.point.refusal == ""


async def test_tc_088_subprotocol(locked: App) -> None:
    async with guarded(locked, "088", 1) as it:
        url, headers = f"{locked.ocpp_url}/{it.charger_id}", basic(it.charger_id, KEY)

        def offering(*names: str) -> connect:
            offers = [Subprotocol(name) for name in names]
            return connect(
                url,
                subprotocols=offers,
                additional_headers=headers,
                compression=None,
                proxy=None,
                close_timeout=1,
            )

        async with asyncio.timeout(10), offering("ocpp0.1") as socket:
            assert socket.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1002
        async with offering("ocpp0.1", "ocpp1.6") as socket:
            assert socket.subprotocol == "ocpp1.6"
            async with it.case(Credentials(KEY.encode())):
                pass
