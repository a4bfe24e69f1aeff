"""The operator's calls to csms over HTTP: powers in kW, as the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


class ApiError(Exception):
    """A call was refused, or could not be made; says which, and what came back."""


@dataclass(frozen=True, slots=True)
class StationStatus:
    """What a scenario reads of a station's status.

    `allocated_kw` per connector `ID/n`; `ready` whether every charger is connected and under
    control and no limit waits for an answer.
    """

    settled: bool
    ready: bool
    allocated_kw: dict[str, float]


class OperatorApi:
    """The API of one station. `client` is given the API's address as its base_url."""

    def __init__(self, client: httpx.AsyncClient, station_id: str) -> None:
        self._client = client
        self._station_id = station_id

    async def start_session(self, charger_id: str, connector_id: int, max_kw: float) -> str:
        """Start a session; its id once the charger has begun it. Raises ApiError."""
        answer = await self._call(
            "POST",
            f"/stations/{self._station_id}/sessions",
            {
                "connectorId": {"chargerId": charger_id, "idx": connector_id},
                "vehicleMaxPower": max_kw,
            },
        )
        return str(answer["session"]["sessionId"])

    async def stop_session(self, session_id: str) -> None:
        """Stop a session. Raises ApiError."""
        await self._call("DELETE", f"/stations/{self._station_id}/sessions/{session_id}")

    async def configure(self, document: dict[str, Any]) -> None:
        """Give the station another configuration. Raises ApiError."""
        await self._call("POST", "/station/config", document)

    async def status(self) -> StationStatus:
        """The station now. Raises ApiError."""
        answer = await self._call("GET", f"/stations/{self._station_id}/status")
        chargers = answer.get("chargers", [])
        controlled = all(charger.get("condition") == "CONTROLLED" for charger in chargers)
        allocated_kw = {}
        for session in answer["sessions"].values():
            connector = session["connectorId"]
            allocated_kw[f"{connector['chargerId']}/{connector['idx']}"] = session["allocatedPower"]
        settled = bool(answer["settled"])
        return StationStatus(settled, settled and controlled, allocated_kw)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ApiError(f"{method} {path}: {error!r}") from error
        if response.is_error:
            raise ApiError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else {}
