"""The security profiles with simulated chargers, and a change of keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import ClientConnection

from csms.protocol.certificates import Pair, ec_key
from simulators.charge_point.client import ChargePointClient, websocket_dialler
from simulators.charge_point.credentials import Credentials
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.clock import Clock
from tests.e2e.hostile import until
from tests.e2e.quick import CLIENT
from tests.e2e.secured import (
    KEY,
    UNPROVEN,
    Secured,
    basic,
    boot,
    certificate_of,
    certificates,
    client_tls,
    secured,
)


@asynccontextmanager
async def charger(
    csms: Secured, credentials: Credentials, *, tls: bool = False
) -> AsyncIterator[ChargePointClient]:
    """The simulated charger CP001, running."""
    url = csms.app.ocpp_tls_url if tls else csms.app.ocpp_url
    assert url is not None
    point = ChargePointClient(
        Hardware.uniform("CP001", 200_000, 1, CurrentType.DC),
        websocket_dialler(url, "CP001", CLIENT, credentials=credentials),
        Clock(1.0),
        settings=CLIENT,
        credentials=credentials,
    )
    async with asyncio.TaskGroup() as tasks:
        living = tasks.create_task(point.run())
        try:
            yield point
        finally:
            living.cancel()


@pytest.mark.parametrize("profile", [1, 2, 3])
async def test_a_simulated_charger_of_each_profile_is_controlled(
    tmp_path: Path, profile: int
) -> None:
    ca = certificates() / "ca.pem"
    shown = {
        1: Credentials(KEY.encode()),
        2: Credentials(KEY.encode(), ca_file=ca),
        3: Credentials(None, None, ca, *certificate_of("CP001")),
    }[profile]
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", profile, key=KEY)
        async with charger(csms, shown, tls=profile > 1) as point:
            await asyncio.wait_for(point.booted.wait(), 10)
            async with asyncio.timeout(10):
                while True:
                    status = (await csms.api.get("/station/status")).json()
                    if status["chargers"][0]["condition"] == "CONTROLLED":
                        break
                    await asyncio.sleep(0.05)
        assert await csms.events() == []


async def test_a_simulated_charger_with_a_wrong_key_is_kept_out(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        async with charger(csms, Credentials(b"wrong")) as point:
            await until(lambda: point.refusal)
            assert point.refusal == "HTTP 401 Unauthorized"
            point.credentials.key, point.credentials.origin = KEY.encode(), "https://x"
            await until(lambda: point.refusal == "HTTP 403 Forbidden")
            point.credentials.origin = None
            await asyncio.wait_for(point.booted.wait(), 10)


async def test_a_charger_takes_a_new_key_and_only_that_one_is_good_then(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        async with charger(csms, Credentials(KEY.encode())) as point:
            await asyncio.wait_for(point.booted.wait(), 10)
            answer = (await csms.api.post("/chargers/CP001/security/key", json={})).json()
            assert answer["outcome"] == "accepted"
            new = answer["key"]
            assert point.credentials.key == new.encode()
            await csms.key_used("CP001")
            assert await csms.outcome("CP001", basic("CP001", KEY)) == UNPROVEN
        assert await csms.outcome("CP001", basic("CP001", new)) == (101, b"")
        kinds = [event["kind"] for event in await csms.events()]
        assert kinds == ["key_told", "key_changed", "authentication_failed"]
    async with secured(tmp_path) as csms:
        assert await csms.outcome("CP001", basic("CP001", KEY)) == UNPROVEN
        assert await csms.outcome("CP001", basic("CP001", new)) == (101, b"")


@pytest.mark.parametrize("status", ["Accepted", "RebootRequired", "Rejected", "NotSupported", None])
async def test_both_keys_are_good_until_the_new_one_is_proven(
    tmp_path: Path, status: str | None
) -> None:
    """`status` None: the charger does not answer, and may have taken the key or not."""
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 1, key=KEY)
        async with csms.dial("CP001", basic("CP001", KEY)) as socket:
            await boot(socket)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(csms.api.post("/chargers/CP001/security/key", json={}))
                value = await answered(socket, status)
            new = (await asked).json()["key"]
            assert bytes.fromhex(value).decode() == new
        taken = status not in {"Rejected", "NotSupported"}
        assert (await csms.known("CP001"))["pendingKeys"] == int(taken)
        assert await csms.outcome("CP001", basic("CP001", KEY)) == (101, b"")
        expected = (101, b"") if taken else UNPROVEN
        assert await csms.outcome("CP001", basic("CP001", new)) == expected
        after = UNPROVEN if taken else (101, b"")
        assert await csms.outcome("CP001", basic("CP001", KEY)) == after


async def answered(socket: ClientConnection, status: str | None) -> str:
    """Answer everything until the key is told; the value it was told."""
    while True:
        _, message_id, _, payload = json.loads(await socket.recv())
        told = payload.get("key") == "AuthorizationKey"
        answer = (status if told else None) or "Accepted"
        if not told or status is not None:
            await socket.send(json.dumps([3, message_id, {"status": answer}]))
        if told:
            return str(payload["value"])


def request(key: ec.EllipticCurvePrivateKey) -> str:
    """A signing request of CP001, in PEM."""
    names = [(NameOID.COMMON_NAME, "CP001"), (NameOID.ORGANIZATION_NAME, "TEST")]
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


async def test_a_charger_gets_the_certificate_it_asks_for_and_comes_in_with_it(
    tmp_path: Path,
) -> None:
    key = ec_key()
    ca = {"tls_client_ca_key_file": certificates() / "ca.key", "tls_client_organisation": "TEST"}
    async with secured(tmp_path, **ca) as csms:
        await csms.secure("CP001", 1, key=KEY)
        async with csms.dial(headers=basic("CP001", KEY)) as client, asyncio.timeout(10):
            await boot(client)
            await client.send(json.dumps([2, "s", "SignCertificate", {"csr": request(key)}]))
            chain = ""
            signed = None
            while not chain or signed is None:
                frame = json.loads(await client.recv())
                if frame[:2] == [3, "s"]:
                    signed = frame[2]["status"]
                elif frame[0] == 2:
                    if frame[2] == "CertificateSigned":
                        chain = frame[3]["certificateChain"]
                    answer = [3, frame[1], {"status": "Accepted"}]
                    await client.send(json.dumps(answer))
        assert signed == "Accepted"
        files = tmp_path / "mine.pem", tmp_path / "mine.key"
        files[0].write_text(chain)
        files[1].write_bytes(Pair(x509.load_pem_x509_certificate(chain.encode()), key).key_pem())
        assert await csms.outcome(tls=client_tls(files)) == (101, b"")
        kinds = [event["kind"] for event in await csms.events()]
        assert kinds == ["certificate_sent", "profile_raised"]
        assert await csms.outcome(headers=basic("CP001", KEY)) == UNPROVEN
