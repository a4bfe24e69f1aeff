"""A21: csms or a charger made to fetch what somebody else names.

csms fetches nothing, so there is no rebinding and no redirect to follow, and no upload to cut at a
cap: files go between the charger and the place an operator names. Which hosts these may be is the
setting `file_hosts`; without it who may send commands may name any place, but for those only the
charger itself can reach. csms makes no upload tokens, as it takes no uploads.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.e2e.dialogue import csms_of, station
from tests.unit.source_tree import modules

CLIENTS = {"httpx", "requests", "aiohttp", "urllib3", "ftplib", "smtplib", "telnetlib"}
ASKED_BY_PEOPLE = {"csms/cli.py", "csms/client.py", "csms/token_import.py", "csms/call.py"} | {
    "csms/commission.py"
}
REFUSED = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:8080/stations",
    "http://[::1]/",
    "http://localhost/",
    "http://2130706433/",
    "file:///etc/passwd",
    "gopher://host:70/_x",
    "http://allowed@evil.example/",
    "ftp://a@b@evil.example/",
    "http://evil.example\\@allowed.example/",
    "https://evil.example/\r\nHost: x",
    "dict://host/x",
    "jar:http://host!/",
]
TAKEN = ["https://files.example/x", "ftp://me:secret@10.0.0.9/logs"]


def requests(location: str) -> list[tuple[str, dict[str, Any]]]:
    """Every request of the API that names a place."""
    at = {"retrieveAt": "2026-12-01T00:00:00Z"}
    signed = {"signingCertificate": "C", "signature": "S"}
    return [
        ("/chargers/A/diagnostics", {"location": location}),
        ("/chargers/A/firmware", {"location": location, **at}),
        ("/chargers/A/firmware", {"location": location, **at, **signed}),
        ("/chargers/A/logs", {"location": location, "type": "security"}),
        ("/chargers/A/commands/GetDiagnostics", {"location": location}),
    ]


async def test_a_charger_is_not_sent_where_only_it_can_go(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.boot()
        for location in REFUSED:
            for path, body in requests(location):
                answer = await csms.api.post(path, json=body)
                assert answer.status_code == 422, (location, path, answer.text)
                assert "ocation" in answer.json()["detail"]
        sent = {"GetDiagnostics", "UpdateFirmware", "SignedUpdateFirmware", "GetLog"}
        assert [action for action, _ in charger.asked if action in sent] == []
        for location in TAKEN:
            for path, body in requests(location):
                answer = await csms.api.post(path, json=body)
                assert answer.status_code == 200, (location, path, answer.text)
        assert {action for action, _ in charger.asked} >= sent
        # The password is the charger's matter, not that of whoever reads the frames.
        assert "secret" not in (await csms.api.get("/chargers/A/frames?limit=5000")).text


async def test_only_listed_hosts_are_named_to_chargers(tmp_path: Path) -> None:
    hosts = ["files.example", "*.below.example"]
    async with (
        csms_of(tmp_path, station("A"), file_hosts=hosts) as csms,
        csms.dial("A") as charger,
    ):
        await charger.boot()
        for location in ("https://evil.example/", "https://10.0.0.9/", "https://below.example/"):
            for path, body in requests(location):
                forced = f"{path}?force=true" if "/commands/" in path else path
                answer = await csms.api.post(forced, json=body)
                assert answer.status_code == 422, (location, path, answer.text)
                assert "ocation" in answer.json()["detail"]
                assert location.split("/")[2] in answer.json()["detail"]
        sent = {"GetDiagnostics", "UpdateFirmware", "SignedUpdateFirmware", "GetLog"}
        assert [action for action, _ in charger.asked if action in sent] == []
        for location in ("https://files.example/x", "https://a.below.example/x"):
            for path, body in requests(location):
                answer = await csms.api.post(path, json=body)
                assert answer.status_code == 200, (location, path, answer.text)
        assert {action for action, _ in charger.asked} >= sent


async def test_csms_fetches_nothing_a_charger_names(tmp_path: Path) -> None:
    knocks: list[bytes] = []

    async def knocked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocks.append(await reader.read(100))
        writer.close()

    canary = await asyncio.start_server(knocked, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{canary.sockets[0].getsockname()[1]}/x"
    async with canary, csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.told("BootNotification", dict.fromkeys(("chargePointVendor", "iccid"), url))
        await charger.told("DataTransfer", {"vendorId": url, "messageId": url, "data": url})
        for action in ("DiagnosticsStatusNotification", "FirmwareStatusNotification"):
            await charger.told(action, {"status": "Uploaded", "fileName": url, "location": url})
        await charger.told("SecurityEventNotification", {"type": url, "techInfo": url})
        await charger.told("StatusNotification", {"connectorId": 1, "info": url, "vendorId": url})
        assert await csms.get("/events")
        await asyncio.sleep(0.2)
    assert knocks == []


def test_no_module_that_serves_can_fetch_anything() -> None:
    found = {
        module.path
        for module in modules("csms")
        if CLIENTS & {name.split(".")[0] for name, _ in module.imports()}
    }
    assert found <= ASKED_BY_PEOPLE
