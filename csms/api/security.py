"""Who may connect as which charger, and what happened at the door."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from csms.api import security_schemas as schemas
from csms.api.operations import SecurityOperations
from csms.api.problems import responses
from csms.api.strict import StrictRoute
from csms.ports import SecurityProfile

EVENTS = 100
MOST_EVENTS = 1_000

PageSize = Annotated[int, Query(ge=1, le=MOST_EVENTS, description="how many events at most")]
Before = Annotated[int | None, Query(ge=1, description="only events with a smaller number")]
OfCharger = Annotated[str | None, Query(max_length=48, description="only events of this charger")]
FAILURES = responses(
    HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)


def router(operations: SecurityOperations) -> APIRouter:
    """The routes of keys, profiles and security events."""
    routes = APIRouter(tags=["security"], route_class=StrictRoute)

    @routes.get("/chargers/{charger_id}/security", responses=responses(HTTPStatus.CONFLICT))
    async def read_security(charger_id: str) -> schemas.SecurityJson:
        """Read what a charger must show to be let in; never its key."""
        return schemas.security(operations.of(charger_id))

    @routes.put("/chargers/{charger_id}/security", responses=FAILURES)
    async def configure_security(
        charger_id: str, asked: schemas.SecurityRequest
    ) -> schemas.SecurityJson:
        """Say what a charger must show from now on, as it is set in the charger itself."""
        return schemas.security(
            await operations.configure(
                charger_id,
                SecurityProfile(asked.profile),
                key=asked.key,
                common_name=asked.common_name,
            )
        )

    @routes.post("/chargers/{charger_id}/security/key", responses=FAILURES)
    async def change_key(
        charger_id: str, asked: schemas.KeyRequest | None = None
    ) -> schemas.KeyChangeJson:
        """Tell a connected charger a new key; the old one is good until it has used the new one."""
        key = None if asked is None else asked.key
        return schemas.key_change(await operations.change_key(charger_id, key))

    @routes.get(
        "/security/events",
        responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def list_security_events(
        charger: OfCharger = None, limit: PageSize = EVENTS, before: Before = None
    ) -> schemas.SecurityEvents:
        """List security events, newest first."""
        found = await operations.events(charger_id=charger, limit=limit, before=before)
        return schemas.SecurityEvents(events=[schemas.event(e) for e in found])

    return routes
