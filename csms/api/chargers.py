"""What operators look at when a charger does not do what it should, and the list of events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from csms.api import render, schemas
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.strict import StrictRoute
from csms.errors import UnknownChargerError
from csms.ports import FrameLog
from csms.station.model import ConnectorKey

FRAMES = 200
MOST_FRAMES = 5_000

PageSize = Annotated[int, Query(ge=1, le=MOST_FRAMES, description="how many frames at most")]
After = Annotated[
    int, Query(ge=0, description="`last` of the answer before; 0 gives all that are kept")
]


def router(operations: Operations, frames: FrameLog) -> APIRouter:
    """The routes of chargers and events."""
    routes = APIRouter(tags=["chargers"], route_class=StrictRoute)

    @routes.get("/chargers/knocked")
    async def list_knocked() -> schemas.Knocks:
        """List the chargers that were refused because no station has them."""
        return schemas.Knocks(chargers=[render.knock(k) for k in operations.knocked()])

    @routes.get(
        "/chargers/{charger_id}/frames",
        responses=responses(
            HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
        ),
    )
    async def read_frames(charger_id: str, limit: PageSize = FRAMES) -> schemas.Frames:
        """Read the newest OCPP frames of a charger, oldest first."""
        kept = await frames.frames(charger_id, limit=limit)
        if not kept and not _is_known(operations, charger_id):
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        return schemas.Frames(charger_id=charger_id, frames=[render.frame(f) for f in kept])

    @routes.post(
        "/chargers/{charger_id}/pardon",
        responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    )
    async def pardon(charger_id: str, asked: schemas.PardonRequest) -> schemas.ConnectorJson:
        """Begin anew with a connector that did not obey its limits, and put it into service."""
        key = ConnectorKey(charger_id, asked.connector)
        return render.connector(await operations.pardon(key))

    @routes.get("/events", responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY))
    async def list_events(after: After = 0) -> schemas.Events:
        """List what happened since the event of this number, oldest first."""
        happened = [render.event(e) for e in operations.events(after)]
        return schemas.Events(last=operations.last_event(), events=happened)

    return routes


def _is_known(operations: Operations, charger_id: str) -> bool:
    return any(
        operations.station(station_id).charger(charger_id) is not None
        for station_id in operations.station_ids()
    )
