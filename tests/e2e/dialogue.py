"""A charger made by hand: it says what a test wants, and answers as a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from csms.app import App, running
from csms.station.document import parse_station
from tests.e2e.quick import CONFIG

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
UNHURRIED: dict[str, Any] = {"charger_messages_per_s": 1e5, "charger_bytes_per_s": 2**30}
"""Settings for tests of what a charger sends, not of how fast: nothing is left unread."""

Answers = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]


def accepts(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of a charger that has no settings and does all it is told."""
    if action == "GetConfiguration":
        return {"configurationKey": [], "unknownKey": payload.get("key", [])}
    return {"status": "Accepted"}


@dataclass
class Dialogue:
    """One websocket of a charger.

    `asked` is what csms asked, in order; `closed` the code the socket was closed with.
    """

    socket: ClientConnection
    answers: Answers = accepts
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    closed: int | None = None
    _waiting: dict[str, asyncio.Future[list[Any]]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    async def say(self, action: str, payload: Any, message_id: str | None = None) -> list[Any]:
        """Send a CALL and wait for the frame that answers it."""
        message_id = f"m{next(self._ids)}" if message_id is None else message_id
        return await self.raw(json.dumps([2, message_id, action, payload]), message_id)

    async def raw(self, text: str, message_id: str) -> list[Any]:
        """Send any text and wait for the frame that answers this message id."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = answer
        await self.socket.send(text)
        async with asyncio.timeout(10):
            found: list[Any] = await answer
        return found

    async def told(self, action: str, payload: Any) -> dict[str, Any]:
        """The payload of the CALLRESULT to a CALL."""
        frame = await self.say(action, payload)
        assert frame[0] == 3, frame
        found: dict[str, Any] = frame[2]
        return found

    async def boot(self) -> None:
        """BootNotification, accepted."""
        assert (await self.told("BootNotification", BOOT))["status"] == "Accepted"

    async def start(self, connector_id: int = 1, **changes: Any) -> dict[str, Any]:
        """StartTransaction; its answer."""
        return await self.told("StartTransaction", start(connector_id, **changes))

    async def hear(self) -> None:
        """Read until the socket ends; whoever waits for an answer then gets a ConnectionError."""
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                await self._heard(json.loads(text))
        self.closed = self.socket.close_code
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(ConnectionError(f"closed with {self.closed}"))

    async def _heard(self, frame: list[Any]) -> None:
        if frame[0] == 2:
            self.asked.append((frame[2], frame[3]))
            answer = self.answers(frame[2], frame[3])
            if answer is not None:
                await self.socket.send(json.dumps([3, frame[1], answer]))
        elif (waiter := self._waiting.pop(frame[1], None)) is not None and not waiter.done():
            waiter.set_result(frame)

    def named(self, action: str) -> list[dict[str, Any]]:
        """The payloads of every request of csms of this name."""
        return [payload for name, payload in self.asked if name == action]


def start(connector_id: int = 1, **changes: Any) -> dict[str, Any]:
    """A StartTransaction.req."""
    return {
        "connectorId": connector_id,
        "idTag": "TAG",
        "meterStart": 100,
        "timestamp": "2026-01-01T10:00:00Z",
    } | changes


def stop(transaction_id: object, **changes: Any) -> dict[str, Any]:
    """A StopTransaction.req."""
    return {
        "transactionId": transaction_id,
        "meterStop": 1_100,
        "timestamp": "2026-01-01T11:00:00Z",
    } | changes


def sample(transaction_id: int | None = None, **watts: Any) -> dict[str, Any]:
    """A MeterValues.req with one sampled value; `watts` overlays it."""
    value = {"value": "5000", "measurand": "Power.Active.Import", "unit": "W"} | watts
    element = {"timestamp": "2026-01-01T10:30:00Z", "sampledValue": [value]}
    named = {} if transaction_id is None else {"transactionId": transaction_id}
    return {"connectorId": 1, "meterValue": [element]} | named


@dataclass
class Csms:
    """A running csms and its API."""

    app: App
    api: httpx.AsyncClient

    @asynccontextmanager
    async def dial(self, identity: str, answers: Answers = accepts) -> AsyncIterator[Dialogue]:
        """A charger's connection, read in the background."""
        url = f"{self.app.ocpp_url}/{identity}"
        protocols = [Subprotocol("ocpp1.6")]
        async with (
            connect(url, subprotocols=protocols, compression=None, proxy=None) as socket,
            asyncio.TaskGroup() as tasks,
        ):
            dialogue = Dialogue(socket, answers)
            hearing = tasks.create_task(dialogue.hear())
            try:
                yield dialogue
            finally:
                hearing.cancel()

    async def get(self, path: str) -> Any:
        """What the API answers, which must be 200 and JSON."""
        answer = await self.api.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def sessions(self, state: str) -> list[dict[str, Any]]:
        """The sessions the API lists."""
        found: list[dict[str, Any]] = (await self.get(f"/stations/S/sessions?state={state}"))[
            "sessions"
        ]
        return found

    async def quarantined(self, charger_id: str) -> list[dict[str, Any]]:
        """What a charger said that could not be used."""
        answer = await self.get(f"/chargers/{charger_id}/quarantine")
        found: list[dict[str, Any]] = answer["messages"]
        return found

    def events(self, kind: str) -> list[str]:
        """The texts of all events of a kind."""
        return [e.text for e in self.app.supervisor.events() if e.kind == kind]

    async def healthy(self, charger_id: str) -> None:
        """All that lists anything can be read, and every charger's page."""
        for path in PAGES:
            await self.get(path.format(charger_id=charger_id))
        assert (await self.api.get("/metrics")).status_code == 200


PAGES = (
    "/health",
    "/stations",
    "/stations/S/status",
    "/stations/S/sessions?state=running",
    "/stations/S/sessions?state=ended",
    "/stations/S/config",
    "/chargers/knocked",
    "/chargers/{charger_id}",
    "/chargers/{charger_id}/frames?limit=5000",
    "/chargers/{charger_id}/quarantine",
    "/events",
    "/security/events",
    "/tokens",
)


def station(
    *charger_ids: str, connectors: int = 1, grid_kw: float = 400, power_kw: float = 100
) -> dict[str, Any]:
    """A station document."""
    return {
        "stationId": "S",
        "gridCapacity": grid_kw,
        "chargers": [
            {"id": name, "maxPower": power_kw, "connectors": connectors} for name in charger_ids
        ],
    }


@asynccontextmanager
async def csms_of(folder: Path, document: dict[str, Any], **changes: Any) -> AsyncIterator[Csms]:
    """A csms in this process, with its database in `folder`."""
    values = CONFIG.model_dump() | {"database_url": f"sqlite:///{folder / 'csms.db'}"} | changes
    config = type(CONFIG)(**values)
    async with (
        running(config, [parse_station(document, "test")]) as app,
        httpx.AsyncClient(base_url=app.api_url, timeout=30.0, trust_env=False) as api,
    ):
        yield Csms(app, api)


async def until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait, for a while at most, until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
