"""Stations: their configuration and their status."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from csms.api import render, schemas
from csms.api.operations import Operations
from csms.api.problems import BadFieldError, responses
from csms.api.strict import StrictRoute
from csms.errors import UnknownStationError
from csms.station.document import StationDocument, dump_station

NOT_FOUND = responses(HTTPStatus.NOT_FOUND)
REFUSABLE = responses(
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def router(operations: Operations) -> APIRouter:
    """The routes of stations. The short form serves the only or default station."""
    routes = APIRouter(tags=["stations"], route_class=StrictRoute)
    _add_short_form(routes, operations)
    _add_station_form(routes, operations)
    return routes


def _add_short_form(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/station/config", responses=NOT_FOUND)
    async def read_default_config() -> dict[str, Any]:
        """Read the configuration of the only or default station."""
        return dump_station(operations.station(operations.default_station_id()))

    @routes.post("/station/config", responses=REFUSABLE)
    async def change_default_config(document: StationDocument) -> dict[str, Any]:
        """Change the configuration of the only or default station, as a whole."""
        return await _configure(operations, operations.default_station_id(), document)

    @routes.get("/station/status", responses=NOT_FOUND)
    async def read_default_status() -> schemas.StatusJson:
        """Read the status of the only or default station."""
        return render.status(operations.status(operations.default_station_id()))


def _add_station_form(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/stations")
    async def list_stations() -> schemas.Stations:
        """List every station."""
        default = _default_or_none(operations)
        found = [operations.status(station_id) for station_id in operations.station_ids()]
        return schemas.Stations(
            stations=[render.summary(s, is_default=s.station_id == default) for s in found]
        )

    @routes.delete("/stations/{station_id}", status_code=HTTPStatus.NO_CONTENT, responses=REFUSABLE)
    async def remove_station(station_id: str) -> None:
        """Remove a station that no file has; its past sessions are kept."""
        await operations.remove(station_id)

    @routes.get("/stations/{station_id}/config", responses=NOT_FOUND)
    async def read_config(station_id: str) -> dict[str, Any]:
        """Read the configuration of a station."""
        return dump_station(operations.station(station_id))

    @routes.post("/stations/{station_id}/config", responses=REFUSABLE)
    async def change_config(station_id: str, document: StationDocument) -> dict[str, Any]:
        """Change the configuration of a station, as a whole, or add a station."""
        return await _configure(operations, station_id, document)

    @routes.get("/stations/{station_id}/status", responses=NOT_FOUND)
    async def read_status(station_id: str) -> schemas.StatusJson:
        """Read the status of a station."""
        return render.status(operations.status(station_id))


def _default_or_none(operations: Operations) -> str | None:
    try:
        return operations.default_station_id()
    except UnknownStationError:
        return None


async def _configure(
    operations: Operations, station_id: str, document: StationDocument
) -> dict[str, Any]:
    if document.station_id != station_id:
        raise BadFieldError("stationId", f"must be {station_id!r} here", document.station_id)
    await operations.configure(document.station())
    return dump_station(operations.station(station_id))
