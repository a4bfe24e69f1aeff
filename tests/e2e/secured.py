"""csms with every security profile, and clients that show whatever they like."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from csms.app import App, running
from csms.config import Config
from csms.control.doorkeeper import TELL_S
from csms.station.document import parse_station
from tests.e2e.quick import CONFIG
from tests.unit.csms.protocol.authorities import development

KEY = "0123456789abcdefghij"
OTHER_KEY = "jihgfedcba9876543210"
CHARGERS = ("CP001", "CP002")
BOOT = [2, "b", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]
UNPROVEN = (401, b"Not authenticated.\n")
ALERT = "TLS alert"
"""What `outcome` gives when TLS itself refuses."""

STATION = parse_station(
    {
        "stationId": "S1",
        "gridCapacity": 400,
        "chargers": [{"id": name, "maxPower": 200, "connectors": 1} for name in CHARGERS],
    },
    "test",
)


@functools.cache
def certificates() -> Path:
    """A folder with a CA, the server's certificates and those of both chargers."""
    return development(Path(tempfile.mkdtemp(prefix="csms-test-tls-")), *CHARGERS)


def config(folder: Path, **changes: Any) -> Config:
    """Both listeners, and nobody without proof."""
    made = certificates()
    values = CONFIG.model_dump() | {
        "database_url": f"sqlite:///{folder / 'csms.db'}",
        "key_secret_file": folder / "csms.secret",
        "ocpp_transport": "both",
        "ocpp_tls_port": 0,
        "tls_certificate_files": [made / "server_rsa.pem", made / "server_ecdsa.pem"],
        "tls_key_files": [made / "server_rsa.key", made / "server_ecdsa.key"],
        "tls_client_ca_file": made / "ca.pem",
        "anonymous_chargers": "refuse",
        "failures_per_source_per_min": 10_000,
        "failures_per_charger_per_min": 10_000,
    }
    return Config(**(values | changes))


def client_tls(pair: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """TLS as a charger does it, with a certificate to show or without."""
    context = ssl.create_default_context(cafile=str(certificates() / "ca.pem"))
    if pair is not None:
        context.load_cert_chain(*pair)
    return context


def certificate_of(charger_id: str) -> tuple[Path, Path]:
    """The certificate csms's CA made for a charger, and its key."""
    name = certificates() / f"charger_{charger_id}"
    return name.with_name(name.name + ".pem"), name.with_name(name.name + ".key")


def basic(user: str, password: str | bytes) -> dict[str, str]:
    """An HTTP Basic header."""
    text = password.encode() if isinstance(password, str) else password
    token = base64.b64encode(user.encode() + b":" + text).decode()
    return {"Authorization": f"Basic {token}"}


@dataclass
class Secured:
    """A running csms, its API, and ways in."""

    app: App
    api: httpx.AsyncClient

    def dial(
        self,
        identity: str = "CP001",
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> connect:
        url = self.app.ocpp_url if tls is None else self.app.ocpp_tls_url
        return connect(
            f"{url}/{identity}",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers=headers,
            ssl=tls,
            compression=None,
            proxy=None,
            open_timeout=10,
            **options,
        )

    async def outcome(self, *args: Any, **options: Any) -> tuple[int, bytes] | str:
        """What becomes of somebody: status and body of a refusal, 101, or a TLS alert."""
        try:
            async with self.dial(*args, **options) as charger:
                await boot(charger)
                return 101, b""
        except InvalidStatus as refused:
            return refused.response.status_code, bytes(refused.response.body)
        except (ssl.SSLError, ConnectionClosed, InvalidMessage, ConnectionError):
            return ALERT

    async def secure(self, charger_id: str, profile: int, **more: Any) -> None:
        """Say what a charger must show."""
        answer = await self.api.put(
            f"/chargers/{charger_id}/security", json={"profile": profile, **more}
        )
        answer.raise_for_status()

    async def known(self, charger_id: str) -> dict[str, Any]:
        """What a charger must show."""
        answer = await self.api.get(f"/chargers/{charger_id}/security")
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def key_used(self, charger_id: str) -> None:
        """Wait until a charger has come in with the key it was told."""
        async with asyncio.timeout(10):
            while (await self.known(charger_id))["pendingKeys"]:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.05)

    async def events(self) -> list[dict[str, Any]]:
        """Security events, oldest first, but for those of our own setting up."""
        await asyncio.sleep(2 * TELL_S)
        answer = await self.api.get("/security/events?limit=1000")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["events"]
        return [event for event in reversed(found) if event["kind"] != "credential_set"]

    async def frames(self, charger_id: str) -> list[dict[str, Any]]:
        """The frames kept of a charger."""
        answer = await self.api.get(f"/chargers/{charger_id}/frames")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["frames"]
        return found


async def boot(charger: ClientConnection) -> None:
    """BootNotification, accepted."""
    await charger.send(json.dumps(BOOT))
    async with asyncio.timeout(5):
        while True:
            answer = json.loads(await charger.recv())
            if answer[0] == 3:
                assert answer[2]["status"] == "Accepted"
                return


@asynccontextmanager
async def secured(folder: Path, **changes: Any) -> AsyncIterator[Secured]:
    """A csms in this process, with its database in `folder`."""
    async with (
        running(config(folder, **changes), [STATION]) as app,
        httpx.AsyncClient(base_url=app.api_url, timeout=30.0, trust_env=False) as api,
    ):
        yield Secured(app, api)
