"""The commissioning test of a charger: begun here, followed here."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from csms.api import render, schemas
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.strict import StrictRoute
from csms.station.model import ConnectorKey


def router(operations: Operations) -> APIRouter:
    """The routes of commissioning tests."""
    routes = APIRouter(tags=["commissioning"], route_class=StrictRoute)

    @routes.post(
        "/chargers/{charger_id}/commission",
        status_code=HTTPStatus.ACCEPTED,
        responses=responses(
            HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
        ),
    )
    async def commission(
        charger_id: str, asked: schemas.CommissionRequest
    ) -> schemas.CommissionReportJson:
        """Begin the commissioning test of a charger on which a vehicle is charging."""
        key = ConnectorKey(charger_id, asked.connector)
        return render.commission_report(operations.commissioning().start(key, asked.lease_s))

    @routes.get(
        "/chargers/{charger_id}/commission",
        responses=responses(HTTPStatus.NOT_FOUND),
    )
    async def read_commissioning(charger_id: str) -> schemas.CommissionReportJson:
        """Read the report of the commissioning test of a charger, running or last."""
        return render.commission_report(operations.commissioning().report(charger_id))

    return routes
