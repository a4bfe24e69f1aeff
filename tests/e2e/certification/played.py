"""One certification case: a csms that runs, and the simulated charger the case is played with."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from csms.app import App, running
from csms.config import Config
from csms.station.document import parse_station
from csms.station.model import Station
from simulators.charge_point.client import ChargePointClient, Dial, websocket_dialler
from simulators.charge_point.credentials import Credentials
from simulators.charge_point.hardware import ConnectorHardware, Hardware
from simulators.clock import Clock
from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e.certification.cases import charger_of
from tests.e2e.certification.wiretap import Conversation, Exchange, tapped
from tests.e2e.quick import CLIENT, CONFIG

PATIENCE_S = 20.0
START_S = 60.0
CONNECTORS = 2
MAX_W = 22_000.0
CARD = "CARD"
"""A token that may charge."""

STATION_ID = "CERTIFICATION"
BESIDE = {"BootNotification", "Heartbeat", "MeterValues"}
"""Not part of a case's story: they come when they come."""
OF_ITSELF = {"SetChargingProfile", "ClearChargingProfile", "TriggerMessage"}
"""What csms sends only by itself, or when an operator sends just that."""


def station(cases: Iterable[str], *, quiet: bool) -> Station:
    """A station with a charger for each case; quiet: csms leaves them to the operator."""
    kw = MAX_W / 1_000
    connectors = [{"id": n, "maxPower": kw, "fallback": 4.0} for n in range(1, 1 + CONNECTORS)]
    whole = {"maxPower": CONNECTORS * kw, "connectors": connectors, "quiet": quiet}
    chargers = [{"id": charger_of(case_id), **whole} for case_id in cases]
    document = {"stationId": STATION_ID, "gridCapacity": 10_000, "chargers": chargers}
    return parse_station(document, "test")


def settings(folder: Path) -> Config:
    """Only tokens that are in the list may charge."""
    changes = {
        "database_url": f"sqlite:///{folder / 'csms.db'}",
        "key_secret_file": folder / "csms.secret",
        "unknown_id_tokens": "reject",
        "id_tokens": [CARD],
        "call_timeout_s": 10.0,
        "remote_start_timeout_s": 10.0,
    }
    return CONFIG.model_copy(update=changes)


@contextmanager
def serving(config: Config, site: Station) -> Iterator[App]:
    """A csms in a thread, with a loop of its own: the tests that share it have one loop each."""
    started: Future[tuple[App, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        enough = asyncio.Event()
        async with running(config, [site]) as app:
            started.set_result((app, asyncio.get_running_loop(), enough))
            await enough.wait()

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(lambda: asyncio.run(serve()))
        either: list[Future[Any]] = [started, ended]
        wait(either, START_S, FIRST_COMPLETED)
        if ended.done():
            ended.result()
        app, loop, enough = started.result(0)
        try:
            yield app
        finally:
            loop.call_soon_threadsafe(enough.set)
            ended.result(START_S)


YES = {"Accepted", "AcceptedCanceled", "RebootRequired", "Unlocked", "Unknown"}
"""Statuses that mean it is done: what is Unknown to ClearChargingProfile is not there."""


@dataclass
class Case:
    """A charger that csms has accepted, what the two say to each other, and an operator's API.

    `quiet`: csms is to send nothing that no operator asked for. `begun` counts what had been said
    before the case began, `sent` are the ids of requests an operator sent.
    """

    charger_id: str
    point: ChargePointClient
    talk: Conversation
    api: httpx.AsyncClient
    station_id: str = STATION_ID
    quiet: bool = False
    begun: int = 0
    sent: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------ waiting

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something at the charger; the case as a whole has a time limit."""
        while not holds():  # noqa: ASYNC110 - anything may hold, not only events
            await asyncio.sleep(0.01)

    async def until_api(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something that the API shows."""
        while not await holds():  # noqa: ASYNC110 - the API tells nobody: it has to be asked
            await asyncio.sleep(0.02)

    async def until_told(self, action: str, times: int = 1) -> list[Exchange]:
        """Wait until csms has answered so many messages of the charger; all of them."""
        await self.until(lambda: len(self.told(action)) >= times)
        return self.told(action)

    async def until_status(self, status: str, connector_id: int = 1) -> None:
        """Wait until the charger's last report of a connector is this one, and answered."""
        await self.until(lambda: self.statuses(connector_id)[-1:] == [status])

    async def next_second(self) -> None:
        """Two starts of one token in the same second are one that was sent twice."""
        second = int(time.time())
        await self.until(lambda: int(time.time()) > second)

    async def at_rest(self) -> None:
        """Wait until charger and csms have said all they say when a charger comes."""
        await self.until_told("StatusNotification", 1 + CONNECTORS)

        async def reached() -> bool:
            return str((await self.shown())["condition"]) == "CONTROLLED"

        if not self.quiet:
            await self.until_api(reached)

    # ------------------------------------------------------------------ looking

    def told(self, action: str) -> list[Exchange]:
        """What the charger told since the case began, with csms's answers."""
        return [e for e in self.talk.of(action, by_csms=False) if self._is_since(e)]

    def asked(self, action: str) -> list[Exchange]:
        """What csms asked since the case began, with the charger's answers."""
        return [e for e in self.talk.of(action, by_csms=True) if self._is_since(e)]

    def statuses(self, connector_id: int = 1) -> list[str]:
        """What the charger has reported of a connector."""
        told = [e.payload for e in self.told("StatusNotification")]
        return [p["status"] for p in told if p["connectorId"] == connector_id]

    def story(self) -> list[str]:
        """In short what the charger told since the case began: actions, and statuses by name."""
        told = (e for e in self.talk.exchanges[self.begun :] if not e.by_csms)
        return [
            str(e.payload["status"]) if e.action == "StatusNotification" else e.action
            for e in told
            if e.action not in BESIDE
        ]

    def unasked(self) -> list[Exchange]:
        """What csms sent though no operator asked for it."""
        asked = (e for e in self.talk.exchanges if e.by_csms and e.message_id not in self.sent)
        return [e for e in asked if e.action in OF_ITSELF]

    async def shown(self) -> Any:
        """What the API shows of the charger."""
        return await self.get(f"/chargers/{self.charger_id}")

    async def sessions(self, state: str = "running") -> list[dict[str, Any]]:
        """The sessions on this charger, running or ended."""
        path = f"/stations/{self.station_id}/sessions?limit=1000&state={state}"
        found = (await self.get(path))["sessions"]
        return [s for s in found if s["connectorId"]["chargerId"] == self.charger_id]

    async def no_session(self) -> None:
        """There is none and there was none."""
        assert await self.sessions() == []
        assert await self.sessions("ended") == []

    async def ended(self, reason: str) -> dict[str, Any]:
        """The one session there was, once the charger has said why it ended."""

        async def over() -> bool:
            found = await self.sessions("ended")
            return [(s["reason"], s["provisional"]) for s in found] == [(reason, False)]

        await self.until_api(over)
        assert await self.sessions() == []
        (session,) = await self.sessions("ended")
        return session

    async def until_event(self, kind: str, text: str) -> None:
        """Wait until this security event of the charger is listed, once."""

        async def listed() -> bool:
            events = (await self.get(f"/security/events?charger={self.charger_id}"))["events"]
            return [e["text"][: len(text)] for e in events if e["kind"] == kind] == [text]

        await self.until_api(listed)

    async def running(self) -> dict[str, Any]:
        """The one session that runs."""

        async def runs() -> bool:
            return len(await self.sessions()) == 1

        await self.until_api(runs)
        (session,) = await self.sessions()
        return session

    # ------------------------------------------------------------------ doing

    async def get(self, path: str) -> Any:
        """Ask the API."""
        answer = await self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, action: str, payload: dict[str, Any] | None = None) -> Exchange:
        """An operator sends a request; what went over the wire, and was shown to the operator."""
        path = f"/chargers/{self.charger_id}/commands/{action}"
        return self._seen(await self.api.post(path, json=payload or {}))

    async def operate(self, what: str, asked: dict[str, Any]) -> Exchange:
        """The same with one of the calls that have plain words."""
        return self._seen(await self.api.post(f"/chargers/{self.charger_id}/{what}", json=asked))

    def _seen(self, answer: httpx.Response) -> Exchange:
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        exchange = self.talk.by_id(shown["messageId"])
        self.sent.add(exchange.message_id)
        assert shown["answer"] == exchange.answer
        status = (exchange.answer or {}).get("status", "Accepted")
        assert (shown["outcome"] == "accepted") is (status in YES), shown
        return exchange

    async def configure(self, key: str, value: str) -> None:
        """An operator sets a configuration key."""
        sent = await self.send("ChangeConfiguration", {"key": key, "value": value})
        assert sent.answer == {"status": "Accepted"}

    async def start(self, id_token: str = CARD, connector_id: int = 1) -> httpx.Response:
        """An operator starts a session."""
        connector = {"chargerId": self.charger_id, "idx": connector_id}
        asked = {"connectorId": connector, "idToken": id_token}
        return await self.api.post(f"/stations/{self.station_id}/sessions", json=asked)

    async def say(self, action: str, payload: dict[str, Any]) -> Any:
        """The charger says something by hand; csms's answer."""
        assert self.talk.line is not None
        said = await self.talk.line.say(action, payload)
        assert said.error == ""
        return said.answer

    def plug_in(self, connector_id: int = 1) -> ConstantVehicle:
        """A vehicle is plugged in."""
        vehicle = ConstantVehicle(MAX_W)
        self.point.plug_in(connector_id, vehicle)
        return vehicle

    async def charging(self, id_tag: str = CARD, connector_id: int = 1) -> int:
        """A driver comes and charges; the number of the transaction."""
        self.plug_in(connector_id)
        self.point.present_token(connector_id, id_tag)
        await self.until_status("Charging", connector_id)
        transaction = self.point.behaviour.connector(connector_id).transaction
        assert transaction is not None
        await self.until(lambda: transaction.transaction_id is not None)
        assert transaction.transaction_id is not None
        await self.running()
        return transaction.transaction_id

    def _is_since(self, exchange: Exchange) -> bool:
        return any(e is exchange for e in self.talk.exchanges[self.begun :])


@asynccontextmanager
async def played(case: Case, *, whole: bool = False) -> AsyncIterator[Case]:
    """Play a case: its charger lives inside this block. `whole`: its first boot is part of it."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        life = group.create_task(case.point.run())
        try:
            await case.at_rest()
            case.begun = 0 if whole else len(case.talk.exchanges)
            yield case
            assert case.talk.refused() == []
            assert list(case.point.complaints) == []
            assert not case.quiet or case.unasked() == []
        finally:
            life.cancel()


def hardware(charger_id: str) -> Hardware:
    """A charger that can give all its connectors all they take."""
    connectors = tuple(ConnectorHardware(n, MAX_W) for n in range(1, 1 + CONNECTORS))
    return Hardware(charger_id, CONNECTORS * MAX_W, connectors)


def charge_point(
    charger_id: str,
    dial: Dial,
    credentials: Credentials | None = None,
) -> tuple[ChargePointClient, Conversation]:
    """A simulated charger that is listened to."""
    talk = Conversation()
    point = ChargePointClient(
        hardware(charger_id),
        tapped(dial, talk),
        Clock(),
        settings=CLIENT,
        credentials=credentials,
    )
    return point, talk


class Csms:
    """A csms that the cases of a module share: each has a charger of its own."""

    def __init__(self, app: App, *, quiet: bool) -> None:
        self.app = app
        self.quiet = quiet

    @asynccontextmanager
    async def case(self, case_id: str, *, whole: bool = False) -> AsyncIterator[Case]:
        """Play a case with its charger."""
        charger_id = charger_of(case_id)
        dial = websocket_dialler(self.app.ocpp_url, charger_id, CLIENT)
        api = api_client(self.app)
        ready = Case(charger_id, *charge_point(charger_id, dial), api, quiet=self.quiet)
        async with api, played(ready, whole=whole) as case:
            yield case


def in_s(seconds: float) -> str:
    """So long from now, as the API takes it."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def api_client(app: App) -> httpx.AsyncClient:
    """An operator's way in. There is no TLS: reading all CAs there are would only cost time."""
    return httpx.AsyncClient(
        base_url=app.api_url,
        timeout=PATIENCE_S,
        trust_env=False,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
