"""The operator's calls to csms over HTTP: powers in kW, as the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

CONTROLLED = "CONTROLLED"


class ApiError(Exception):
    """A call was refused, or could not be made; says which, and what came back.

    `final` is whether the same call would be refused again: csms is there and said no.
    """

    def __init__(self, what: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class StationStatus:
    """What a scenario reads of a station's status.

    `allocated_kw` and `transactions` are of the running sessions, per connector `ID/n`;
    `conditions` of the chargers by id; `ready` whether every charger is connected and under
    control and no limit waits for an answer.
    """

    settled: bool
    ready: bool
    allocated_kw: dict[str, float]
    transactions: dict[str, int]
    conditions: dict[str, str]


class OperatorApi:
    """The API of one station. `client` is given the API's address as its base_url."""

    def __init__(self, client: httpx.AsyncClient, station_id: str) -> None:
        self._client = client
        self._station_id = station_id

    async def start_session(self, charger_id: str, connector_id: int, max_kw: float) -> str:
        """Start a session; its id once the charger has begun it. Raises ApiError."""
        answer = await self._call(
            "POST",
            self._path("sessions"),
            {
                "connectorId": {"chargerId": charger_id, "idx": connector_id},
                "vehicleMaxPower": max_kw,
            },
        )
        return str(answer["session"]["sessionId"])

    async def stop_session(self, session_id: str) -> None:
        """Stop a session. Raises ApiError."""
        await self._call("DELETE", self._path(f"sessions/{session_id}"))

    async def configuration(self) -> dict[str, Any]:
        """The station's configuration. Raises ApiError."""
        document: dict[str, Any] = await self._call("GET", self._path("config"))
        return document

    async def configure(self, document: dict[str, Any]) -> None:
        """Give the station another configuration. Raises ApiError."""
        await self._call("POST", self._path("config"), document)

    async def status(self) -> StationStatus:
        """The station now. Raises ApiError."""
        answer = await self._call("GET", self._path("status"))
        conditions = {c["id"]: str(c.get("condition")) for c in answer.get("chargers", [])}
        sessions = {_connector(session): session for session in answer["sessions"].values()}
        settled = bool(answer["settled"])
        return StationStatus(
            settled,
            settled and all(condition == CONTROLLED for condition in conditions.values()),
            {name: session["allocatedPower"] for name, session in sessions.items()},
            {name: session["transactionId"] for name, session in sessions.items()},
            conditions,
        )

    def _path(self, rest: str) -> str:
        return f"/stations/{self._station_id}/{rest}"

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ApiError(f"{method} {path}: {error!r}") from error
        if response.is_error:
            raise ApiError(
                f"{method} {path}: {response.status_code} {response.text[:500]}",
                final=response.is_client_error,
            )
        return response.json() if response.content else {}


def _connector(session: dict[str, Any]) -> str:
    connector = session["connectorId"]
    return f"{connector['chargerId']}/{connector['idx']}"
