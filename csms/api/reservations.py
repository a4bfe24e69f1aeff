"""Reservations: connectors kept for a token."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from csms.api import access_schemas as schemas
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.sessions import CHARGER_ASKED
from csms.api.strict import StrictRoute
from csms.station.model import ConnectorKey


def router(operations: Operations) -> APIRouter:
    """The routes of reservations."""
    routes = APIRouter(tags=["reservations"], route_class=StrictRoute)

    @routes.get(
        "/chargers/{charger_id}/reservations",
        responses=responses(HTTPStatus.NOT_FOUND),
    )
    async def list_reservations(charger_id: str) -> schemas.ReservationsJson:
        """List the reservations of a charger, oldest first."""
        found = operations.access().reservations.of(charger_id)
        return schemas.ReservationsJson(
            reservations=[schemas.reservation_json(each) for each in found]
        )

    @routes.post(
        "/chargers/{charger_id}/reservations",
        status_code=HTTPStatus.CREATED,
        responses=CHARGER_ASKED,
    )
    async def reserve(
        charger_id: str, asked: schemas.ReservationRequest
    ) -> schemas.ReservationJson:
        """Keep a connector of a charger for an id token."""
        made = await operations.access().reservations.reserve(
            ConnectorKey(charger_id, asked.connector),
            asked.id_token,
            schemas.epoch(asked.expires_at),
            asked.parent_id_token,
        )
        return schemas.reservation_json(made)

    @routes.delete("/chargers/{charger_id}/reservations/{reservation_id}", responses=CHARGER_ASKED)
    async def cancel_reservation(charger_id: str, reservation_id: int) -> schemas.ReservationJson:
        """Cancel a reservation; one that has ended stays as it is."""
        return schemas.reservation_json(
            await operations.access().reservations.cancel(charger_id, reservation_id)
        )

    return routes
