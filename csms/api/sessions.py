"""Sessions: start, watch, report and stop them.

Starting asks the charger (RemoteStartTransaction) and waits until it has started the session;
stopping likewise. Both waits are bounded.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from csms.api import render, schemas
from csms.api.operations import Operations
from csms.api.problems import BadFieldError, responses
from csms.api.strict import StrictRoute
from csms.ports import StoredSession
from csms.station.units import kw_to_w, w_to_kw

PAGE = 100
LARGEST_PAGE = 1_000
MEASURING_MARGIN = 1.2
"""A reading may be so much above what a connector gives: meters err, and vehicles overshoot."""

BAD_FIELD = responses(
    HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
)
CHARGER_ASKED = responses(
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)

State = Literal["running", "ended"]
PageSize = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="how many at most")]
Before = Annotated[
    datetime | None,
    Query(description="ended before this time: `endedAt` of the last session of the page before"),
]


def router(operations: Operations) -> APIRouter:
    """The routes of sessions."""
    routes = APIRouter(tags=["sessions"], route_class=StrictRoute)
    _add_short_form(routes, operations)
    _add_station_form(routes, operations)
    return routes


def _add_short_form(routes: APIRouter, operations: Operations) -> None:
    @routes.post("/sessions", status_code=HTTPStatus.CREATED, responses=CHARGER_ASKED)
    async def start_default_session(body: schemas.StartBody) -> schemas.SessionAnswer:
        """Start a session at the only or default station."""
        return await _start(operations, operations.default_station_id(), body)

    @routes.post("/sessions/{session_id}/power-update", responses=BAD_FIELD)
    async def update_default_power(
        session_id: str, body: schemas.PowerUpdate
    ) -> schemas.SessionAnswer:
        """Report what a session consumes, at the only or default station."""
        return await _update(operations, operations.default_station_id(), session_id, body)

    @routes.post("/sessions/{session_id}/stop", responses=CHARGER_ASKED)
    async def stop_default_session(session_id: str) -> schemas.EndedSessionAnswer:
        """Stop a session at the only or default station."""
        return await _stop(operations, operations.default_station_id(), session_id)


def _add_station_form(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/stations/{station_id}/sessions", responses=BAD_FIELD)
    async def list_sessions(
        station_id: str, state: State = "running", limit: PageSize = PAGE, before: Before = None
    ) -> schemas.RunningSessions | schemas.EndedSessions:
        """List the running or the ended sessions of a station."""
        if state == "running":
            running = operations.status(station_id).sessions()
            return schemas.RunningSessions(sessions=[render.session(s) for s in running[:limit]])
        ended: list[StoredSession] = await operations.sessions().ended(
            station_id, limit=limit, before=_epoch(before)
        )
        return schemas.EndedSessions(sessions=[render.ended_session(s) for s in ended])

    @routes.post(
        "/stations/{station_id}/sessions",
        status_code=HTTPStatus.CREATED,
        responses=CHARGER_ASKED,
    )
    async def start_session(station_id: str, body: schemas.StartBody) -> schemas.SessionAnswer:
        """Start a session."""
        return await _start(operations, station_id, body)

    @routes.post("/stations/{station_id}/sessions/{session_id}/power-update", responses=BAD_FIELD)
    async def update_power(
        station_id: str, session_id: str, body: schemas.PowerUpdate
    ) -> schemas.SessionAnswer:
        """Report what a session consumes."""
        return await _update(operations, station_id, session_id, body)

    @routes.delete("/stations/{station_id}/sessions/{session_id}", responses=CHARGER_ASKED)
    async def stop_session(station_id: str, session_id: str) -> schemas.EndedSessionAnswer:
        """Stop a session."""
        return await _stop(operations, station_id, session_id)


async def _start(
    operations: Operations, station_id: str, body: schemas.StartBody
) -> schemas.SessionAnswer:
    started = await operations.sessions().start(
        station_id,
        body.connector(),
        vehicle_max_w=_watts(body.vehicle_max_power),
        id_token=body.id_token,
    )
    return schemas.SessionAnswer(session=render.session(started))


async def _update(
    operations: Operations, station_id: str, session_id: str, body: schemas.PowerUpdate
) -> schemas.SessionAnswer:
    _require_plausible(operations, station_id, session_id, body.consumed_power)
    updated = await operations.sessions().update_power(
        station_id,
        session_id,
        consumed_w=_watts(body.consumed_power),
        vehicle_max_w=_watts(body.vehicle_max_power),
        forget_vehicle_max=body.forgets_vehicle_max,
    )
    return schemas.SessionAnswer(session=render.session(updated))


def _require_plausible(
    operations: Operations, station_id: str, session_id: str, consumed_kw: float | None
) -> None:
    """Raise BadFieldError for more than the session's connector can give."""
    if consumed_kw is None:
        return
    for charger in operations.status(station_id).chargers:
        for connector in charger.connectors:
            if connector.session is None or connector.session.session_id != session_id:
                continue
            most_w = MEASURING_MARGIN * connector.max_power_w
            if kw_to_w(consumed_kw) > most_w:
                raise BadFieldError(
                    "consumedPower",
                    f"must be at most {w_to_kw(round(most_w)):g}, {MEASURING_MARGIN:g} times what "
                    f"connector {connector.key} gives",
                    consumed_kw,
                )


async def _stop(
    operations: Operations, station_id: str, session_id: str
) -> schemas.EndedSessionAnswer:
    stopped = await operations.sessions().stop(station_id, session_id)
    return schemas.EndedSessionAnswer(session=render.ended_session(stopped))


def _watts(power_kw: float | None) -> int | None:
    return None if power_kw is None else kw_to_w(power_kw)


def _epoch(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    # A time without a zone is UTC, as everywhere in csms.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
