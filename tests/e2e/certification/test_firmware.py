"""Firmware Management: updates and diagnostics."""

from __future__ import annotations

from tests.e2e.certification.played import Case, Csms
from tests.e2e.certification.wiretap import Exchange

FILE = "https://files.example/charger/1.2"


async def update(case: Case) -> None:
    """An operator has the firmware updated."""
    asked = {
        "location": FILE,
        "retrieveAt": "2026-01-31T17:00:00+01:00",
        "retries": 2,
        "retryIntervalS": 60,
    }
    sent = await case.operate("firmware", asked)
    assert sent.action == "UpdateFirmware"
    assert sent.payload == {
        "location": FILE,
        "retrieveDate": "2026-01-31T16:00:00Z",
        "retries": 2,
        "retryInterval": 60,
    }
    assert sent.answer == {}


async def progress(case: Case, action: str, statuses: list[str], shown: str) -> None:
    """The charger told of these statuses, each was answered, and the last one is shown."""
    told: list[Exchange] = await case.until_told(action, len(statuses))
    assert [e.payload["status"] for e in told] == statuses
    assert [e.answer for e in told] == [{}] * len(statuses)
    assert (await case.shown())[shown]["what"] == statuses[-1]


async def test_tc_044_1_firmware_update(csms: Csms) -> None:
    async with csms.case("044_1") as case:
        case.talk.instead["UpdateFirmware"] = {}
        await update(case)
        statuses = ["Downloading", "Downloaded", "Installing", "Installed"]
        for status in statuses[:3]:
            assert await case.say("FirmwareStatusNotification", {"status": status}) == {}
        case.point.reboot(hard=False)
        (boot,) = await case.until_told("BootNotification")
        assert boot.answer is not None
        assert boot.answer["status"] == "Accepted"
        assert (await case.shown())["firmwareStatus"]["what"] == "Installing"
        assert await case.say("FirmwareStatusNotification", {"status": "Installed"}) == {}
        await progress(case, "FirmwareStatusNotification", statuses, "firmwareStatus")


async def test_tc_044_2_firmware_download_fails(csms: Csms) -> None:
    async with csms.case("044_2") as case:
        case.point.errands.failure = "DownloadFailed"
        await update(case)
        statuses = ["Downloading", "DownloadFailed"]
        await progress(case, "FirmwareStatusNotification", statuses, "firmwareStatus")


async def test_tc_044_3_firmware_installation_fails(csms: Csms) -> None:
    async with csms.case("044_3") as case:
        case.point.errands.failure = "InstallationFailed"
        await update(case)
        statuses = ["Downloading", "Downloaded", "Installing", "InstallationFailed"]
        await progress(case, "FirmwareStatusNotification", statuses, "firmwareStatus")
        # Others find out after they have started again.
        case.point.reboot(hard=False)
        await case.until_told("BootNotification")
        assert await case.say("FirmwareStatusNotification", {"status": statuses[-1]}) == {}
        statuses += statuses[-1:]
        await progress(case, "FirmwareStatusNotification", statuses, "firmwareStatus")


async def diagnostics(case: Case) -> Exchange:
    """An operator has diagnostics uploaded."""
    asked = {"location": FILE, "start": "2026-01-31T17:00:00Z", "stop": "2026-01-31T18:00:00Z"}
    sent = await case.operate("diagnostics", asked)
    assert sent.action == "GetDiagnostics"
    assert sent.payload == {
        "location": FILE,
        "startTime": "2026-01-31T17:00:00Z",
        "stopTime": "2026-01-31T18:00:00Z",
    }
    return sent


async def test_tc_045_1_diagnostics(csms: Csms) -> None:
    async with csms.case("045_1") as case:
        sent = await diagnostics(case)
        assert sent.answer == {"fileName": "diagnostics.zip"}
        statuses = ["Uploading", "Uploaded"]
        await progress(case, "DiagnosticsStatusNotification", statuses, "diagnosticsStatus")
        # A charger that has nothing to upload names no file.
        case.talk.instead["GetDiagnostics"] = {}
        assert (await diagnostics(case)).answer == {}


async def test_tc_045_2_diagnostics_upload_fails(csms: Csms) -> None:
    async with csms.case("045_2") as case:
        case.point.errands.failure = "UploadFailed"
        await diagnostics(case)
        statuses = ["Uploading", "UploadFailed"]
        await progress(case, "DiagnosticsStatusNotification", statuses, "diagnosticsStatus")
