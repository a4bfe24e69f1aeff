"""Security: root certificates, logs and signed firmware (white paper §5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.certification.played import Case, Csms
from tests.e2e.certification.wiretap import Exchange
from tests.unit.csms.protocol.authorities import authority

FILE = "https://files.example/charger"
MANUFACTURER, CENTRAL = "ManufacturerRootCertificate", "CentralSystemRootCertificate"
UNREADABLE = "no certificate at all"


def root() -> str:
    """A root certificate, in PEM."""
    return authority().pair.certificate_pem().decode()


async def install(case: Case, use: str) -> dict[str, Any]:
    """An operator installs a root certificate and looks for it; its hash data."""
    asked = {"certificateType": use, "certificate": root()}
    assert len(asked["certificate"]) <= 5_500
    sent = await case.send("InstallCertificate", asked)
    assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
    found = await case.send("GetInstalledCertificateIds", {"certificateType": use})
    assert found.payload == {"certificateType": use}
    assert found.answer is not None
    assert found.answer["status"] == "Accepted"
    (names,) = found.answer["certificateHashData"]
    assert list(names) == ["hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber"]
    kept: dict[str, Any] = names
    return kept


async def test_tc_075_1_root_certificate_of_the_manufacturer(csms: Csms) -> None:
    async with csms.case("075_1") as case:
        await install(case, MANUFACTURER)
        none = await case.send("GetInstalledCertificateIds", {"certificateType": CENTRAL})
        assert none.answer == {"status": "NotFound"}


async def test_tc_075_2_root_certificate_of_the_central_system(csms: Csms) -> None:
    async with csms.case("075_2") as case:
        await install(case, CENTRAL)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
async def test_tc_076_certificate_deleted(csms: Csms, algorithm: str) -> None:
    async with csms.case("076") as case:
        names = await install(case, CENTRAL)
        asked = {"certificateHashData": {**names, "hashAlgorithm": algorithm}}
        sent = await case.send("DeleteCertificate", asked)
        assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
        gone = await case.send("GetInstalledCertificateIds", {"certificateType": CENTRAL})
        assert gone.answer == {"status": "NotFound"}


async def reported(case: Case, kind: str) -> None:
    """The charger told of a security event: it was answered, and is kept for the operator."""
    (told,) = await case.until_told("SecurityEventNotification")
    assert (told.payload["type"], told.answer) == (kind, {})
    await case.until_event("charger_reported", kind)


async def test_tc_078_certificate_of_the_central_system_is_invalid(csms: Csms) -> None:
    async with csms.case("078") as case:
        asked = {"certificateType": CENTRAL, "certificate": UNREADABLE}
        sent = await case.send("InstallCertificate", asked)
        assert (sent.payload, sent.answer) == (asked, {"status": "Rejected"})
        await reported(case, "InvalidCentralSystemCertificate")


async def progress(case: Case, action: str, statuses: list[str], request_id: int) -> None:
    """The charger told of these statuses of a request, and each was answered."""
    told: list[Exchange] = await case.until_told(action, len(statuses))
    seen = [(e.payload["status"], e.payload["requestId"], e.answer) for e in told]
    assert seen == [(status, request_id, {}) for status in statuses]


async def test_tc_079_security_log(csms: Csms) -> None:
    async with csms.case("079") as case:
        asked = {"location": FILE, "type": "security", "oldest": "2026-01-31T17:00:00Z"}
        sent = await case.operate("logs", asked)
        assert sent.action == "GetLog"
        request_id = sent.payload.pop("requestId")
        assert sent.payload == {
            "logType": "SecurityLog",
            "log": {"remoteLocation": FILE, "oldestTimestamp": "2026-01-31T17:00:00Z"},
        }
        assert sent.answer == {"status": "Accepted", "filename": "SecurityLog.txt"}
        await progress(case, "LogStatusNotification", ["Uploading", "Uploaded"], request_id)
        shown = (await case.shown())["logStatus"]
        assert (shown["what"], shown["requestId"]) == ("Uploaded", request_id)


async def update(case: Case) -> int:
    """An operator has signed firmware installed; the number of the request."""
    asked = {
        "location": FILE,
        "retrieveAt": "2026-01-31T17:00:00Z",
        "installAt": "2026-01-31T18:00:00Z",
        "signingCertificate": root(),
        "signature": "c2lnbmVk",
    }
    sent = await case.operate("firmware", asked)
    assert sent.action == "SignedUpdateFirmware"
    assert sent.answer == {"status": "Accepted"}
    assert sent.payload["firmware"] == {
        "location": FILE,
        "retrieveDateTime": "2026-01-31T17:00:00Z",
        "installDateTime": "2026-01-31T18:00:00Z",
        "signingCertificate": root(),
        "signature": "c2lnbmVk",
    }
    request_id: int = sent.payload["requestId"]
    return request_id


async def firmware_shown(case: Case, status: str, request_id: int) -> None:
    """What the operator sees of the update."""
    shown = (await case.shown())["firmwareStatus"]
    assert (shown["what"], shown["requestId"]) == (status, request_id)


async def test_tc_080_signed_firmware(csms: Csms) -> None:
    async with csms.case("080") as case:
        case.talk.instead["SignedUpdateFirmware"] = {"status": "Accepted"}
        request_id = await update(case)
        action = "SignedFirmwareStatusNotification"
        statuses = ["Downloading", "Downloaded", "SignatureVerified", "Installing"]
        statuses += ["InstallRebooting", "Installed"]
        for status in statuses[:-1]:
            assert await case.say(action, {"status": status, "requestId": request_id}) == {}
        await firmware_shown(case, "InstallRebooting", request_id)
        case.point.reboot(hard=False)
        await case.until_told("BootNotification")
        assert await case.say(action, {"status": "Installed", "requestId": request_id}) == {}
        event = {"type": "FirmwareUpdated", "timestamp": "2026-01-31T18:00:00Z"}
        assert await case.say("SecurityEventNotification", event) == {}
        await progress(case, action, statuses, request_id)
        await firmware_shown(case, "Installed", request_id)
        await reported(case, "FirmwareUpdated")


async def test_tc_081_signature_of_the_firmware_is_invalid(csms: Csms) -> None:
    async with csms.case("081") as case:
        case.point.errands.failure = "InvalidSignature"
        request_id = await update(case)
        statuses = ["Downloading", "Downloaded", "InvalidSignature"]
        await progress(case, "SignedFirmwareStatusNotification", statuses, request_id)
        await firmware_shown(case, "InvalidSignature", request_id)
        await reported(case, "InvalidFirmwareSignature")
