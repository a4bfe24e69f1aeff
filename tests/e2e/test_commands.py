"""Every request a central system may send, sent by hand over real sockets, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from typer.testing import CliRunner

from csms import cli
from csms.app import App, running
from csms.config import Config
from csms.protocol.ocpp16 import requests
from csms.station.document import parse_station
from csms.storage.memory import MemoryStore
from simulators.charge_point.client import ChargePointClient, ClientSettings
from simulators.charge_point.hardware import Hardware
from simulators.charge_point.quirks import Quirks
from simulators.clock import Clock
from simulators.site import Site, networked
from simulators.vehicle.vehicle import ConstantVehicle

PATIENCE_S = 15.0
CONFIG = Config(
    ocpp_port=0,
    api_port=0,
    boot_quiet_s=0.0,
    no_boot_wait_s=0.1,
    registration_grace_s=1.0,
    meter_interval_s=1,
    call_timeout_s=1.0,
)
SETTINGS = ClientSettings(
    tick_s=0.02,
    redial_first_s=0.05,
    redial_most_s=0.2,
    boot_retry_s=0.1,
    meter_interval_s=1,
    close_timeout_s=0.2,
)
STATION = {
    "stationId": "SITE",
    "gridCapacity": 200,
    "chargers": [
        {"id": "CP1", "maxPower": 100, "connectors": 1},
        {"id": "CP2", "maxPower": 100, "connectors": 1},
        {"id": "DEAF", "maxPower": 10, "connectors": 1},
    ],
}
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
NAMES = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "a",
    "issuerKeyHash": "b",
    "serialNumber": "1",
}
YEAR_END = "2026-12-31T23:00:00Z"
FILE = "https://files.example/one"


def profile(limit_w: int, profile_id: int = 1_001, **changes: Any) -> dict[str, Any]:
    return {
        "chargingProfileId": profile_id,
        "stackLevel": 5,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2026-01-01T00:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_w}],
        },
        **changes,
    }


ACCEPTED = {"status": "Accepted"}
EVERY_ACTION: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}, ACCEPTED),
    ("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "90"}, ACCEPTED),
    ("ClearCache", {}, ACCEPTED),
    ("DataTransfer", {"vendorId": "Nobody"}, {"status": "UnknownVendorId"}),
    (
        "GetConfiguration",
        {"key": ["ConnectionTimeOut"]},
        {
            "configurationKey": [{"key": "ConnectionTimeOut", "readonly": False, "value": "90"}],
            "unknownKey": [],
        },
    ),
    ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}),
    ("GetDiagnostics", {"location": FILE}, {"fileName": "diagnostics.zip"}),
    ("UpdateFirmware", {"location": FILE, "retrieveDate": YEAR_END}, {}),
    ("SendLocalList", {"listVersion": 3, "updateType": "Full"}, ACCEPTED),
    ("GetLocalListVersion", {}, {"listVersion": 3}),
    (
        "ReserveNow",
        {"connectorId": 1, "expiryDate": YEAR_END, "idTag": "TAG", "reservationId": 4},
        ACCEPTED,
    ),
    ("CancelReservation", {"reservationId": 4}, ACCEPTED),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile(50_000)}, ACCEPTED),
    ("ClearChargingProfile", {}, ACCEPTED),
    (
        "GetCompositeSchedule",
        {"connectorId": 1, "duration": 60, "chargingRateUnit": "W"},
        {"status": "Accepted"},
    ),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, ACCEPTED),
    ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, ACCEPTED),
    (
        "GetLog",
        {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": FILE}},
        {"status": "Accepted", "filename": "SecurityLog.txt"},
    ),
    (
        "SignedUpdateFirmware",
        {
            "requestId": 10,
            "firmware": {
                "location": FILE,
                "retrieveDateTime": YEAR_END,
                "signingCertificate": PEM,
                "signature": "c2ln",
            },
        },
        ACCEPTED,
    ),
    (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": PEM},
        ACCEPTED,
    ),
    (
        "GetInstalledCertificateIds",
        {"certificateType": "ManufacturerRootCertificate"},
        {"status": "NotFound"},
    ),
    ("DeleteCertificate", {"certificateHashData": NAMES}, {"status": "NotFound"}),
    ("CertificateSigned", {"certificateChain": PEM}, ACCEPTED),
    ("RemoteStopTransaction", {"transactionId": 5}, {"status": "Rejected"}),
    ("RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG"}, ACCEPTED),
    ("Reset", {"type": "Soft"}, ACCEPTED),
]


class Operator:
    """A person at the API of a csms with the chargers CP1, CP2 and DEAF."""

    def __init__(self, csms: App, site: Site, api: httpx.AsyncClient) -> None:
        self.csms = csms
        self.site = site
        self.api = api

    def point(self, charger_id: str) -> ChargePointClient:
        return self.site.points[charger_id]

    async def send(
        self, action: str, payload: Any, charger_id: str = "CP1", **parameters: str
    ) -> httpx.Response:
        path = f"/chargers/{charger_id}/commands/{action}"
        return await self.api.post(path, json=payload, params=parameters)

    async def worst_w(self) -> dict[str, float]:
        status = (await self.api.get("/station/status")).json()
        return {c["id"]: 1_000 * c["connectors"][0]["worstCase"] for c in status["chargers"]}

    async def until_worst_w(self, charger_id: str, watts: float) -> None:
        while True:
            if (await self.worst_w())[charger_id] == watts:
                return
            await asyncio.sleep(0.02)

    async def security_events(self, count: int) -> list[tuple[str, str]]:
        """The newest security events of the charger CP1, oldest first, once there are so many."""
        while True:
            found = (await self.api.get("/security/events", params={"charger": "CP1"})).json()
            if len(found["events"]) >= count:
                return [(e["kind"], e["text"]) for e in reversed(found["events"])]
            await asyncio.sleep(0.02)


@asynccontextmanager
async def operator() -> AsyncIterator[Operator]:
    station = parse_station(STATION, "SITE")
    async with running(CONFIG, [station], store=MemoryStore()) as csms:
        async with asyncio.timeout(PATIENCE_S):
            site = Site(
                [Hardware.uniform(c["id"], 1e5, 1) for c in STATION["chargers"]],  # type: ignore[attr-defined]
                networked(csms.ocpp_url, SETTINGS),
                Clock(),
                settings=SETTINGS,
                quirks={"DEAF": Quirks(deaf=True)},
            )
            async with (
                httpx.AsyncClient(base_url=csms.api_url, timeout=10, trust_env=False) as api,
                site.running(),
            ):
                await site.all_booted()
                at = Operator(csms, site, api)
                await at.until_worst_w("CP1", 0.0)
                await at.until_worst_w("CP2", 0.0)
                yield at


def test_every_action_is_tried() -> None:
    assert {action for action, _, _ in EVERY_ACTION} == requests.SENT


async def test_every_action_brings_back_the_chargers_own_answer() -> None:
    async with operator() as at:
        for action, payload, expected in EVERY_ACTION:
            sent = await at.send(action, payload)
            assert sent.status_code == 200, (action, sent.text, at.point("CP1").complaints)
            answer = sent.json()
            told = answer["answer"]
            assert told | expected == told, action
            assert (answer["action"], answer["error"]) == (action, None)
            assert answer["askedAt"] <= answer["answeredAt"]
            frames = (await at.api.get("/chargers/CP1/frames")).json()["frames"]
            texts = [f["text"] for f in frames if answer["messageId"] in f["text"]]
            assert len(texts) == 2, action
        refused, told = await at.security_events(2)
        assert told[0] == "charger_reported"
        assert told[1].startswith("FirmwareUpdated")
        assert refused == ("certificate_refused", "there is no CA to sign it")
        seen = (await at.api.get("/chargers/CP1")).json()
        assert seen["diagnosticsStatus"]["what"] == "Uploaded"
        assert (seen["logStatus"]["what"], seen["logStatus"]["requestId"]) == ("Uploaded", 9)
        firmware = seen["firmwareStatus"]
        assert (firmware["what"], firmware["requestId"]) == ("Installed", 10)


async def test_a_profile_sent_by_hand_counts_and_must_fit() -> None:
    async with operator() as at:
        limit = {"connectorId": 1, "csChargingProfiles": profile(60_000)}
        sent = await at.send("SetChargingProfile", limit)
        assert sent.status_code == 200, sent.text
        assert (await at.worst_w())["CP1"] == 60_000
        at.point("CP1").plug_in(1, ConstantVehicle(100_000.0))
        at.point("CP1").present_token(1, "TAG")
        whole = {"connectorId": 1, "csChargingProfiles": profile(100_000)}
        small = await at.api.put("/station/grid-limit", json={"limit": 100})
        assert small.status_code == 200, small.text
        refused = await at.send("SetChargingProfile", whole, "CP2", force="true")
        assert refused.status_code == 409, refused.text
        assert refused.json()["type"] == "urn:csms:limit-refused"
        assert (await at.worst_w())["CP2"] == 0
        own_id = {"connectorId": 1, "csChargingProfiles": profile(1, profile_id=3)}
        assert (await at.send("SetChargingProfile", own_id)).status_code == 409


async def test_what_is_not_an_answer_is_a_problem() -> None:
    async with operator() as at:
        for action, payload, charger_id, status in [
            ("Reset", {"type": "Hard"}, "NOBODY", 404),
            ("BootNotification", {}, "CP1", 404),
            ("Reset", {"type": "Warm"}, "CP1", 422),
            ("Reset", {"type": "Hard"}, "DEAF", 504),
        ]:
            sent = await at.send(action, payload, charger_id)
            assert sent.status_code == status, sent.text
        bad = (await at.send("Reset", {"type": "Warm"})).json()
        assert (bad["errors"][0]["field"], bad["errors"][0]["value"]) == ("type", "Warm")
        forced = (await at.send("Reset", {"type": "Warm"}, force="true")).json()
        assert forced["answer"] is None
        assert forced["error"]["code"]
        assert forced["outcome"] in {"invalid", "rejected"}


async def test_requests_from_the_command_line() -> None:
    async with operator() as at:
        for payload, code in (('{"type": "Soft"}', 0), ('{"type": "Warm"}', 1)):
            words = ["call", "CP1", "Reset", payload, "--api", at.csms.api_url]
            ended = await asyncio.to_thread(CliRunner().invoke, cli.app, words)
            assert ended.exit_code == code, ended.output
            assert ('"status": "Accepted"' in ended.stdout) == (code == 0)
            assert ("'Warm' is not one of" in ended.stderr) == (code == 1)
