"""The database takes nothing: nobody is lied to, and what needs no database is answered."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from csms.app import App, running
from csms.config import Config
from csms.control.clock import SystemClock
from csms.station.document import parse_station
from csms.storage import SqlSettings, SqlStore

STATION = parse_station(
    {
        "stationId": "S1",
        "gridCapacity": 400,
        "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
    },
    "test",
)
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
START = {
    "connectorId": 1,
    "idTag": "TAG",
    "meterStart": 0,
    "timestamp": "2026-01-01T00:00:00Z",
}


@asynccontextmanager
async def csms(folder: Path) -> AsyncIterator[App]:
    config = Config(ocpp_port=0, api_port=0, boot_quiet_s=60.0)
    settings = SqlSettings(busy_timeout_s=0.1)
    store = SqlStore(f"sqlite:///{folder}/csms.db", clock=SystemClock(), settings=settings)
    async with running(config, [STATION], store=store) as app:
        yield app


async def ask(charger: ClientConnection, action: str, payload: dict[str, Any]) -> Any:
    """The answer's type and payload."""
    await charger.send(json.dumps([2, action, action, payload]))
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await charger.recv())
            if message[0] != 2:
                assert message[1] == action
                return message[0], message[2]


def dial(app: App) -> connect:
    return connect(f"{app.ocpp_url}/CP001", subprotocols=[Subprotocol("ocpp1.6")])


async def test_a_start_is_not_answered_until_it_is_kept_and_all_else_is(tmp_path: Path) -> None:
    async with csms(tmp_path) as app, dial(app) as charger:
        assert (await ask(charger, "BootNotification", BOOT))[1]["status"] == "Accepted"
        with closing(sqlite3.connect(tmp_path / "csms.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await ask(charger, "StartTransaction", START)
            assert (await ask(charger, "Heartbeat", {}))[0] == 3
            assert (await ask(charger, "Authorize", {"idTag": "TAG"}))[0] == 3
            assert (await ask(charger, "BootNotification", BOOT))[1]["status"] == "Accepted"
            other.execute("ROLLBACK")
        kind, answer = await ask(charger, "StartTransaction", START)
        assert kind == 3
        assert answer["transactionId"] > 0
        # The same again is the same session: what was held back was never begun twice.
        assert (await ask(charger, "StartTransaction", START))[1] == answer
        assert len(await app.store.running()) == 1
