"""Requests to chargers in OCPP's own words, and the usual ones in plain ones.

The answer is the charger's own. A CALLERROR is an answer too (200, `error` instead of `answer`):
what was asked for has been done. No answer is a problem: 504.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from csms.api import command_schemas, render
from csms.api.operations import Operations
from csms.api.problems import responses
from csms.api.strict import StrictRoute

PROBLEMS = responses(
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)

Payload = Annotated[
    dict[str, Any] | None, Body(description="the payload of the request, as OCPP 1.6 has it")
]
Force = Annotated[bool, Query(description="send also what is not as the standard has it")]

Send = Callable[[str, str, dict[str, Any]], Awaitable[command_schemas.CommandAnswer]]
"""Charger, action and payload to the charger's answer."""

LOG_TYPES = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}


def router(operations: Operations) -> APIRouter:
    """The routes of requests to chargers."""
    routes = APIRouter(tags=["commands"], route_class=StrictRoute, responses=PROBLEMS)

    async def send(
        charger_id: str, action: str, payload: dict[str, Any], *, force: bool = False
    ) -> command_schemas.CommandAnswer:
        exchange = await operations.commands().call(charger_id, action, payload, force=force)
        return render.command_answer(charger_id, action, exchange)

    @routes.post("/chargers/{charger_id}/commands/{action}")
    async def command(
        charger_id: str, action: str, payload: Payload = None, force: Force = False
    ) -> command_schemas.CommandAnswer:
        """Send any request of OCPP 1.6 to a charger and return its answer."""
        return await send(charger_id, action, payload or {}, force=force)

    _add_usual(routes, send)
    _add_files(routes, send, operations)
    return routes


def _add_usual(routes: APIRouter, send: Send) -> None:
    @routes.post("/chargers/{charger_id}/reset")
    async def reset(
        charger_id: str, asked: command_schemas.ResetRequest | None = None
    ) -> command_schemas.CommandAnswer:
        """Restart a charger (Reset)."""
        asked = asked or command_schemas.ResetRequest()
        return await send(charger_id, "Reset", {"type": "Hard" if asked.hard else "Soft"})

    @routes.post("/chargers/{charger_id}/unlock")
    async def unlock(
        charger_id: str, asked: command_schemas.UnlockRequest
    ) -> command_schemas.CommandAnswer:
        """Unlock the plug of a connector (UnlockConnector)."""
        return await send(charger_id, "UnlockConnector", {"connectorId": asked.connector})

    @routes.post("/chargers/{charger_id}/availability")
    async def change_availability(
        charger_id: str, asked: command_schemas.AvailabilityRequest
    ) -> command_schemas.CommandAnswer:
        """Take a connector or a charger into or out of service (ChangeAvailability)."""
        kind = "Operative" if asked.operative else "Inoperative"
        payload = {"connectorId": asked.connector, "type": kind}
        return await send(charger_id, "ChangeAvailability", payload)


def _add_files(routes: APIRouter, send: Send, operations: Operations) -> None:
    @routes.post("/chargers/{charger_id}/diagnostics")
    async def get_diagnostics(
        charger_id: str, asked: command_schemas.DiagnosticsRequest
    ) -> command_schemas.CommandAnswer:
        """Have a charger upload its diagnostics (GetDiagnostics)."""
        return await send(charger_id, "GetDiagnostics", diagnostics(asked))

    @routes.post("/chargers/{charger_id}/firmware")
    async def update_firmware(
        charger_id: str, asked: command_schemas.FirmwareRequest
    ) -> command_schemas.CommandAnswer:
        """Have a charger update its firmware (UpdateFirmware or SignedUpdateFirmware)."""
        if asked.signature is None:
            return await send(charger_id, "UpdateFirmware", firmware(asked))
        request_id = _request_id(operations, asked.request_id)
        return await send(charger_id, "SignedUpdateFirmware", signed_firmware(asked, request_id))

    @routes.post("/chargers/{charger_id}/logs")
    async def get_log(
        charger_id: str, asked: command_schemas.LogRequest
    ) -> command_schemas.CommandAnswer:
        """Have a charger upload a log (GetLog)."""
        request_id = _request_id(operations, asked.request_id)
        return await send(charger_id, "GetLog", log(asked, request_id))


def diagnostics(asked: command_schemas.DiagnosticsRequest) -> dict[str, Any]:
    """GetDiagnostics.req (OCPP 1.6 §6.25)."""
    return _told(
        location=asked.location,
        startTime=_moment(asked.start),
        stopTime=_moment(asked.stop),
        retries=asked.retries,
        retryInterval=asked.retry_interval_s,
    )


def firmware(asked: command_schemas.FirmwareRequest) -> dict[str, Any]:
    """UpdateFirmware.req (§6.55)."""
    return _told(
        location=asked.location,
        retrieveDate=_moment(asked.retrieve_at),
        retries=asked.retries,
        retryInterval=asked.retry_interval_s,
    )


def signed_firmware(asked: command_schemas.FirmwareRequest, request_id: int) -> dict[str, Any]:
    """SignedUpdateFirmware.req (security white paper §5)."""
    image = _told(
        location=asked.location,
        retrieveDateTime=_moment(asked.retrieve_at),
        installDateTime=_moment(asked.install_at),
        signingCertificate=asked.signing_certificate,
        signature=asked.signature,
    )
    return _told(
        requestId=request_id,
        firmware=image,
        retries=asked.retries,
        retryInterval=asked.retry_interval_s,
    )


def log(asked: command_schemas.LogRequest, request_id: int) -> dict[str, Any]:
    """GetLog.req (security white paper §5)."""
    where = _told(
        remoteLocation=asked.location,
        oldestTimestamp=_moment(asked.oldest),
        latestTimestamp=_moment(asked.latest),
    )
    return _told(
        logType=LOG_TYPES[asked.type],
        requestId=request_id,
        log=where,
        retries=asked.retries,
        retryInterval=asked.retry_interval_s,
    )


def _request_id(operations: Operations, asked: int | None) -> int:
    return operations.commands().new_request_id() if asked is None else asked


def _moment(text: str | None) -> str | None:
    """A time as every charger can read it: UTC, whole seconds, Z."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(**given: Any) -> dict[str, Any]:
    """The fields there is something to say in: absent is not null."""
    return {name: value for name, value in given.items() if value is not None}
