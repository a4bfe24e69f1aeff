"""What operators look at when a charger does not do what it should, and the list of events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from csms.api import command_schemas, render, schemas
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.strict import StrictRoute
from csms.errors import UnknownChargerError
from csms.ports import Archive, Topic
from csms.station.model import ConnectorKey

FRAMES = 200
MOST_FRAMES = 5_000
QUARANTINED = 200
MOST_QUARANTINED = 1_000

PageSize = Annotated[int, Query(ge=1, le=MOST_FRAMES, description="how many frames at most")]
Quarantined = Annotated[
    int, Query(ge=1, le=MOST_QUARANTINED, description="how many messages at most")
]
After = Annotated[
    int, Query(ge=0, description="`last` of the answer before; 0 gives all that are kept")
]


def router(operations: Operations, archive: Archive) -> APIRouter:
    """The routes of chargers and events."""
    routes = APIRouter(tags=["chargers"], route_class=StrictRoute)

    @routes.get("/chargers/knocked")
    async def list_knocked() -> schemas.Knocks:
        """List the chargers that were refused because no station has them."""
        return schemas.Knocks(chargers=[render.knock(k) for k in operations.knocked()])

    @routes.get("/chargers/{charger_id}", responses=responses(HTTPStatus.NOT_FOUND))
    async def read_charger(charger_id: str) -> command_schemas.ChargerDetailJson:
        """Read a charger, with what it said of its firmware and logs."""
        for station_id in operations.station_ids():
            for charger in operations.status(station_id).chargers:
                if charger.charger_id == charger_id:
                    said = {t: operations.commands().reports(charger_id, t) for t in Topic}
                    return render.charger_detail(station_id, charger, said)
        raise UnknownChargerError(f"no station has a charger {charger_id!r}")

    _add_archive(routes, operations, archive)

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


def _add_archive(routes: APIRouter, operations: Operations, archive: Archive) -> None:
    @routes.get(
        "/chargers/{charger_id}/frames",
        responses=responses(
            HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
        ),
    )
    async def read_frames(charger_id: str, limit: PageSize = FRAMES) -> schemas.Frames:
        """Read the newest OCPP frames of a charger, oldest first."""
        kept = await archive.frames(charger_id, limit=limit)
        if not kept and not _is_known(operations, charger_id):
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        return schemas.Frames(charger_id=charger_id, frames=[render.frame(f) for f in kept])

    @routes.get(
        "/chargers/{charger_id}/quarantine",
        responses=responses(
            HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
        ),
    )
    async def read_quarantine(
        charger_id: str, limit: Quarantined = QUARANTINED
    ) -> schemas.Quarantine:
        """Read the newest messages of a charger that could not be used, oldest first."""
        kept = await archive.quarantined(charger_id, limit=limit)
        if not kept and not _is_known(operations, charger_id):
            raise UnknownChargerError(f"no station has a charger {charger_id!r}")
        return schemas.Quarantine(
            charger_id=charger_id, messages=[render.quarantined(item) for item in kept]
        )


def _is_known(operations: Operations, charger_id: str) -> bool:
    return any(
        operations.station(station_id).charger(charger_id) is not None
        for station_id in operations.station_ids()
    )
