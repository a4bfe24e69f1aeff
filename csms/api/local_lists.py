"""The local authorization lists of chargers."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from csms.api import access_schemas as schemas
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.strict import StrictRoute

NOT_THERE = responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


def router(operations: Operations) -> APIRouter:
    """The routes of local authorization lists."""
    routes = APIRouter(tags=["tokens"], route_class=StrictRoute)

    @routes.get("/chargers/{charger_id}/local-list", responses=NOT_THERE)
    async def read_local_list(charger_id: str) -> schemas.LocalListJson:
        """Read how the local list of a charger was left."""
        return schemas.local_list_json(await operations.access().local_lists.status(charger_id))

    @routes.post(
        "/chargers/{charger_id}/local-list", responses=NOT_THERE | responses(HTTPStatus.CONFLICT)
    )
    async def sync_local_list(charger_id: str) -> schemas.LocalListJson:
        """Bring the local list of a charger up to date with the id tokens, now."""
        return schemas.local_list_json(await operations.access().local_lists.sync(charger_id))

    return routes
