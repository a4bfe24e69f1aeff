"""The HTTP API: people and programs ask, in the seeds' JSON."""

from __future__ import annotations

import html
from http import HTTPStatus

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from csms.api import (
    chargers,
    commands,
    commissioning,
    grid,
    local_lists,
    metrics,
    problems,
    render,
    reservations,
    security,
    sessions,
    stations,
    tokens,
    vitals,
)
from csms.api.operations import Operations, SecurityOperations, VitalsOperations
from csms.api.schemas import Health, Problem
from csms.ports import Archive

LARGEST_BODY_BYTES = 2 * 1024 * 1024
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
}


class SafeHeaders:
    """ASGI middleware: no answer is guessed at, framed, kept or allowed to load anything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the headers added to its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def create_api(
    operations: Operations,
    archive: Archive,
    charger_security: SecurityOperations,
    process: VitalsOperations,
) -> FastAPI:
    """The API on these stations; `archive` is where OCPP frames are kept.

    The page at /docs is plain and loads nothing; /openapi.json describes everything.
    """
    app = FastAPI(
        title="csms",
        summary="EV charging sites under their grid limit, over OCPP 1.6J",
        docs_url=None,
        redoc_url=None,
        max_body_size=LARGEST_BODY_BYTES,
    )
    app.add_middleware(SafeHeaders)
    problems.install(app)

    @app.get("/health", tags=["process"], responses={503: {"model": Health}})
    async def read_health(response: Response) -> Health:
        """Tell whether the stations are being run, and what was lost of their input."""
        well = operations.healthy()
        if not well:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return render.health(
            operations.losses(), well=well, dropped_facts=operations.dropped_facts()
        )

    app.include_router(vitals.router(process))
    app.include_router(stations.router(operations))
    app.include_router(grid.router(operations))
    app.include_router(sessions.router(operations))
    app.include_router(chargers.router(operations, archive))
    app.include_router(commands.router(operations))
    app.include_router(commissioning.router(operations))
    app.include_router(tokens.router(operations))
    app.include_router(local_lists.router(operations))
    app.include_router(reservations.router(operations))
    app.include_router(security.router(charger_security))

    @app.get("/metrics", tags=["process"], response_class=Response)
    async def read_metrics() -> Response:
        """Read the metrics in Prometheus' text format."""
        return Response(metrics.exposition(operations, process), media_type=metrics.MEDIA_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def read_docs() -> HTMLResponse:
        """Read a page that lists every route."""
        return HTMLResponse(_page(app))

    _describe_problems(app)
    return app


def routes(app: FastAPI) -> list[tuple[str, str, str]]:
    """Every documented route as (method, path, what it does), in order."""
    return [
        (method.upper(), path, str(route["description"]))
        for path, methods in app.openapi()["paths"].items()
        for method, route in methods.items()
    ]


def _describe_problems(app: FastAPI) -> None:
    # The error answers refer to this schema; no route returns it, so FastAPI does not know it.
    described = app.openapi()
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    described["components"]["schemas"].update(schema.pop("$defs", {}))
    described["components"]["schemas"]["Problem"] = schema


def _page(app: FastAPI) -> str:
    rows = "\n".join(
        f"<tr><td>{html.escape(method)}</td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(text)}</td></tr>"
        for method, path, text in routes(app)
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>csms API</title>"
        "<style>body{font:16px/1.5 sans-serif;margin:2em}td{padding:.2em 1em .2em 0}</style>"
        "<h1>csms API</h1><p>Described in full in <a href=/openapi.json>/openapi.json</a>.</p>"
        f"<table>{rows}</table>"
    )
