"""A central system to talk to, without a network: answers what charge points send it.

Strings in and strings out, so that it serves queues in unit tests and websockets in others.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosedOK

from simulators.charge_point.client import Dial
from simulators.charge_point.wire import Socket
from simulators.clock import Clock
from simulators.moment import Moment

NOON_S = 1_735_732_800.0  # 2025-01-01T12:00:00Z


class ManualClock(Clock):
    """A clock that stands still until it is told."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__(speed)
        self.elapsed_s = 0.0

    def monotonic(self) -> float:
        return self.elapsed_s

    def moment(self) -> Moment:
        return Moment(NOON_S + self.elapsed_s, self.elapsed_s * self.speed)


class TickingClock(ManualClock):
    """A clock that moves a little at every look, so that whatever waits by it ends."""

    def monotonic(self) -> float:
        self.elapsed_s += 0.001
        return self.elapsed_s


async def until(holds: Callable[[], object]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - anything may hold, not only events
            await asyncio.sleep(0)


class MemorySocket:
    """The charge point's end of a link that is two queues."""

    def __init__(self, central: Central, charger_id: str) -> None:
        self._central = central
        self._charger_id = charger_id
        self._inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False
        self.sent: list[str] = []

    def deliver(self, frame: str) -> None:
        self._inbox.put_nowait(frame)

    def break_off(self) -> None:
        """The other end is gone."""
        self.closed = True
        self._inbox.put_nowait(None)

    async def send(self, message: str) -> None:
        if self.closed:
            raise ConnectionClosedOK(None, None)
        self.sent.append(message)
        self._central.take(self._charger_id, message)

    async def recv(self) -> str | bytes:
        frame = None if self.closed else await self._inbox.get()
        if frame is None:
            raise ConnectionClosedOK(None, None)
        return frame

    async def close(self) -> None:
        self.break_off()
        self._central.gone(self._charger_id, self.deliver)


class Central:
    """Answers every action. `answers` replaces an answer; one that is None is not given at all."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[str, dict[str, Any]], dict[str, Any] | None]] = {}
        self.heard: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self.replies: dict[str, list[Any]] = defaultdict(list)
        self.sockets: dict[str, MemorySocket] = {}
        self.down = False
        self._senders: dict[str, Callable[[str], None]] = {}
        self._transaction_ids = itertools.count(1)
        self._message_ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    # ------------------------------------------------------------------ links

    def dial_for(self, charger_id: str) -> Dial:
        async def dial() -> Socket:
            if self.down:
                raise ConnectionRefusedError
            socket = MemorySocket(self, charger_id)
            self.sockets[charger_id] = socket
            self.connect(charger_id, socket.deliver)
            return socket

        return dial

    def connect(self, charger_id: str, send: Callable[[str], None]) -> None:
        self._senders[charger_id] = send

    def gone(self, charger_id: str, send: Callable[[str], None]) -> None:
        if self._senders.get(charger_id) == send:
            del self._senders[charger_id]

    def stop(self) -> None:
        """Die: every link breaks, and no new one comes about."""
        self.down = True
        for socket in self.sockets.values():
            socket.break_off()

    # ------------------------------------------------------------------ frames

    def actions(self, charger_id: str) -> list[str]:
        return [action for action, _ in self.heard[charger_id]]

    def payloads(self, charger_id: str, action: str) -> list[dict[str, Any]]:
        return [payload for heard, payload in self.heard[charger_id] if heard == action]

    def take(self, charger_id: str, frame: str) -> None:
        kind, message_id, *rest = json.loads(frame)
        if kind != 2:
            waiting = self._waiting.pop(message_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(rest[0])
            return
        action, payload = rest
        self.heard[charger_id].append((action, payload))
        answer = self.answers.get(action, self._usual)(charger_id, {"action": action} | payload)
        if answer is None:
            return
        if "error" in answer:
            self._send(charger_id, [4, message_id, answer["error"], "", {}])
        else:
            self._send(charger_id, [3, message_id, answer])
        self.after(charger_id, action, payload, answer)

    def after(
        self, charger_id: str, action: str, payload: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        """Something was answered."""

    def _send(self, charger_id: str, frame: list[Any]) -> None:
        send = self._senders.get(charger_id)
        if send is not None:
            send(json.dumps(frame))

    def _usual(self, _charger_id: str, payload: dict[str, Any]) -> dict[str, Any]:
        action = payload["action"]
        accepted = {"idTagInfo": {"status": "Accepted"}}
        now = "2025-01-01T12:00:00Z"
        usual: dict[str, dict[str, Any]] = {
            "BootNotification": {"status": "Accepted", "currentTime": now, "interval": 300},
            "Heartbeat": {"currentTime": now},
            "Authorize": accepted,
        }
        if action == "StartTransaction":
            return accepted | {"transactionId": next(self._transaction_ids)}
        return usual.get(action, {})

    # ------------------------------------------------------------------ requests

    def ask(self, charger_id: str, action: str, payload: dict[str, Any]) -> asyncio.Future[Any]:
        """Call a charge point; the payload of its answer, or the code of its error."""
        message_id = f"c{next(self._message_ids)}"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = future
        self._send(charger_id, [2, message_id, action, payload])
        return future

    async def call(self, charger_id: str, action: str, payload: dict[str, Any]) -> Any:
        async with asyncio.timeout(20):
            return await self.ask(charger_id, action, payload)


def profile(
    limit: float,
    *,
    purpose: str = "TxProfile",
    transaction_id: int | None = None,
    unit: str = "W",
    profile_id: int = 1,
) -> dict[str, Any]:
    """A csChargingProfiles object with one limit."""
    payload: dict[str, Any] = {
        "chargingProfileId": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": "2025-01-01T00:00:00Z",
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    }
    if transaction_id is not None:
        payload["transactionId"] = transaction_id
    return payload


class EqualShares(Central):
    """A central system with an API that gives every session the same share of the grid limit.

    Chargers start at nothing, but it lowers before it raises only on one and the same charger, and
    it knows nothing of what chargers can give. `wrong_kw` is added to every limit it sends.
    """

    def __init__(self, grid_kw: float, *, wrong_kw: float = 0.0) -> None:
        super().__init__()
        self.grid_kw = grid_kw
        self.wrong_kw = wrong_kw
        self.most_kw = 150.0
        self.sessions: dict[str, dict[str, Any]] = {}
        self.settled = True
        self.refuses_stops = False
        self.condition = "CONTROLLED"
        self.absent: dict[str, str] = {}
        self.status_code = 200
        self.changes_left = 1_000
        self._declared: dict[str, float] = {}

    def after(
        self, charger_id: str, action: str, payload: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        if action == "BootNotification":
            nothing = profile(0, purpose="TxDefaultProfile", profile_id=100)
            request = {"connectorId": 0, "csChargingProfiles": nothing}
            self.ask(charger_id, "SetChargingProfile", request)
        elif action == "StartTransaction":
            connector = {"chargerId": charger_id, "idx": payload["connectorId"]}
            name = f"{charger_id}/{payload['connectorId']}"
            self.sessions[str(answer["transactionId"])] = {
                "sessionId": str(answer["transactionId"]),
                "transactionId": answer["transactionId"],
                "connectorId": connector,
                "most": self._declared.get(name, self.most_kw),
            }
            self.share()
        elif action == "StopTransaction":
            self.sessions.pop(str(payload["transactionId"]), None)
            self.share()

    def share(self) -> None:
        for session in self.sessions.values():
            each_kw = self.grid_kw / len(self.sessions)
            session["allocatedPower"] = min(session["most"], each_kw)
            connector = session["connectorId"]
            limit_w = round((session["allocatedPower"] + self.wrong_kw) * 1000, 1)
            self.ask(
                connector["chargerId"],
                "SetChargingProfile",
                {
                    "connectorId": connector["idx"],
                    "csChargingProfiles": profile(
                        limit_w,
                        transaction_id=int(session["sessionId"]),
                        profile_id=connector["idx"],
                    ),
                },
            )

    def transport(self) -> httpx.MockTransport:
        """The API, for an httpx client."""
        return httpx.MockTransport(self._serve)

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        if request.url.path.endswith("/status"):
            if self.status_code != 200:
                return httpx.Response(self.status_code)
            return httpx.Response(200, json=self._status())
        if request.method == "DELETE":
            return await self._stop(request.url.path.rpartition("/")[2])
        if request.url.path.endswith("/config"):
            return self._config(request.method, body)
        return await self._start(body)

    def _config(self, method: str, body: dict[str, Any]) -> httpx.Response:
        if method == "GET":
            return httpx.Response(200, json={"stationId": "S", "gridCapacity": self.grid_kw})
        self.changes_left -= 1
        if self.changes_left < 0:
            return httpx.Response(409, text="not now")
        self.grid_kw = body["gridCapacity"]
        self.share()
        return httpx.Response(200, json=body)

    def _status(self) -> dict[str, Any]:
        chargers = [
            {"id": name, "connected": True, "condition": self.condition} for name in self._senders
        ]
        chargers += [
            {"id": name, "condition": condition} for name, condition in self.absent.items()
        ]
        return {"sessions": self.sessions, "chargers": chargers, "settled": self.settled}

    async def _start(self, body: dict[str, Any]) -> httpx.Response:
        connector = body["connectorId"]
        name = f"{connector['chargerId']}/{connector['idx']}"
        self._declared[name] = body["vehicleMaxPower"]
        request = {"idTag": "API", "connectorId": connector["idx"]}
        answer = await self.call(connector["chargerId"], "RemoteStartTransaction", request)
        if answer["status"] != "Accepted":
            return httpx.Response(502, text="refused by the charger")

        def started() -> list[dict[str, Any]]:
            return [s for s in self.sessions.values() if s["connectorId"] == connector]

        await until(started)
        return httpx.Response(201, json={"session": started()[0]})

    async def _stop(self, session_id: str) -> httpx.Response:
        if self.refuses_stops:
            return httpx.Response(409, text="not now")
        charger_id = self.sessions[session_id]["connectorId"]["chargerId"]
        request = {"transactionId": int(session_id)}
        await self.call(charger_id, "RemoteStopTransaction", request)
        await until(lambda: session_id not in self.sessions)
        return httpx.Response(200, json={})
