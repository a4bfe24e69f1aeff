"""The grid limit at run time: given, scheduled, kept alive by its source, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends

from csms.api import render, schemas
from csms.api.operations import Operations
from csms.api.problems import BadFieldError, responses
from csms.api.strict import StrictRoute
from csms.station.grid import misplaced, timeout_s
from csms.station.units import kw_to_w

NOT_FOUND = responses(HTTPStatus.NOT_FOUND)
REFUSABLE = responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)


def router(operations: Operations) -> APIRouter:
    """The routes of grid limits. The short form serves the only or default station."""
    routes = APIRouter(tags=["grid limit"], route_class=StrictRoute)

    def only_station() -> str:
        return operations.default_station_id()

    def named_station(station_id: str) -> str:
        return station_id

    _add(routes, operations, "/station", "the only or default station", only_station)
    _add(routes, operations, "/stations/{station_id}", "a station", named_station)
    return routes


def _add(
    routes: APIRouter, operations: Operations, prefix: str, of: str, station: Callable[..., str]
) -> None:
    path = f"{prefix}/grid-limit"
    # As a default: an annotation is read as text, and cannot see what is local here.
    name: Any = Depends(station)

    @routes.get(path, responses=NOT_FOUND, description=f"Read the grid limit in force at {of}.")
    async def read_grid_limit(station_id: str = name) -> schemas.GridLimitJson:
        return render.grid_limit(station_id, operations.grid_limits().status(station_id))

    @routes.put(path, responses=REFUSABLE, description=f"Give {of} a grid limit, at once.")
    async def give_grid_limit(
        asked: schemas.GridLimitRequest, station_id: str = name
    ) -> schemas.GridLimitJson:
        return await _give(operations, station_id, asked)

    @routes.delete(
        path, responses=REFUSABLE, description=f"Return {of} to its configured grid limit."
    )
    async def withdraw_grid_limit(station_id: str = name) -> schemas.GridLimitJson:
        return render.grid_limit(station_id, await operations.grid_limits().withdraw(station_id))

    @routes.post(
        f"{path}/heartbeat",
        responses=NOT_FOUND,
        description=f"Tell {of} that the source of its grid limits is alive.",
    )
    async def hear_grid_source(station_id: str = name) -> schemas.GridLimitJson:
        return render.grid_limit(station_id, await operations.grid_limits().heartbeat(station_id))

    @routes.put(
        f"{path}/schedule",
        responses=REFUSABLE,
        description=f"Schedule the grid limits of {of}, in place of those scheduled before.",
    )
    async def schedule_grid_limits(
        asked: schemas.GridScheduleRequest, station_id: str = name
    ) -> schemas.GridLimitJson:
        return await _schedule(operations, station_id, asked)


async def _give(
    operations: Operations, station_id: str, asked: schemas.GridLimitRequest
) -> schemas.GridLimitJson:
    most_s = timeout_s(operations.station(station_id))
    if asked.heartbeat_s is not None and asked.heartbeat_s > most_s:
        raise BadFieldError(
            "heartbeatS", f"must be at most the time-out of {most_s:g} s", asked.heartbeat_s
        )
    status = await operations.grid_limits().give(
        station_id,
        kw_to_w(asked.limit),
        valid_for_s=asked.valid_for_s,
        heartbeat_s=asked.heartbeat_s,
    )
    return render.grid_limit(station_id, status)


async def _schedule(
    operations: Operations, station_id: str, asked: schemas.GridScheduleRequest
) -> schemas.GridLimitJson:
    steps = [step.step() for step in asked.steps]
    index = misplaced(steps)
    if index is not None:
        raise BadFieldError(
            f"steps.{index}.from",
            "must be later than that of the step before it",
            asked.steps[index].start,
        )
    return render.grid_limit(station_id, await operations.grid_limits().schedule(station_id, steps))
