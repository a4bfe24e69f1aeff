"""Errors as RFC 9457 problem details (`application/problem+json`): what was wrong, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from csms import errors
from csms.api.render import clean
from csms.api.schemas import START_FORMS, FieldProblem, Problem
from csms.station.problems import message_of, shown

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
ERRORS_SHOWN = 50
LONGEST_VALUE = 100
SECRETS = frozenset({"key"})
"""Fields whose values are told to nobody, right or wrong."""

# The statuses of issue 2, item 9.
STATUS: dict[type[errors.CsmsError], tuple[HTTPStatus, str]] = {
    errors.UnknownStationError: (HTTPStatus.NOT_FOUND, "unknown-station"),
    errors.UnknownChargerError: (HTTPStatus.NOT_FOUND, "unknown-charger"),
    errors.UnknownConnectorError: (HTTPStatus.NOT_FOUND, "unknown-connector"),
    errors.UnknownSessionError: (HTTPStatus.NOT_FOUND, "unknown-session"),
    errors.ConnectorOccupiedError: (HTTPStatus.CONFLICT, "connector-occupied"),
    errors.IdTokenRefusedError: (HTTPStatus.CONFLICT, "id-token-refused"),
    errors.UnknownTokenError: (HTTPStatus.NOT_FOUND, "unknown-token"),
    errors.UnknownReservationError: (HTTPStatus.NOT_FOUND, "unknown-reservation"),
    errors.ReservationRefusedError: (HTTPStatus.CONFLICT, "reservation-refused"),
    errors.TokenExistsError: (HTTPStatus.CONFLICT, "token-exists"),
    errors.ChargerOfflineError: (HTTPStatus.CONFLICT, "charger-offline"),
    errors.GridFailSafeError: (HTTPStatus.CONFLICT, "grid-failsafe"),
    errors.NeverCommissionedError: (HTTPStatus.NOT_FOUND, "never-commissioned"),
    errors.CommissioningRefusedError: (HTTPStatus.CONFLICT, "commissioning-refused"),
    errors.UnknownActionError: (HTTPStatus.NOT_FOUND, "unknown-action"),
    errors.LimitRefusedError: (HTTPStatus.CONFLICT, "limit-refused"),
    errors.NotPardonedError: (HTTPStatus.CONFLICT, "not-pardoned"),
    errors.KeyRefusedError: (HTTPStatus.CONFLICT, "key-refused"),
    errors.ConfigurationRefusedError: (HTTPStatus.CONFLICT, "configuration-refused"),
    errors.ChargerRefusedError: (HTTPStatus.BAD_GATEWAY, "charger-refused"),
    errors.ChargerSilentError: (HTTPStatus.GATEWAY_TIMEOUT, "charger-silent"),
    errors.StorageError: (HTTPStatus.SERVICE_UNAVAILABLE, "storage-failed"),
}


class BadFieldError(Exception):
    """A field is well-formed and yet wrong, for instance against the path. Becomes 422."""

    def __init__(self, field: str, detail: str, value: object) -> None:
        self.field = field
        self.detail = detail
        self.value = value
        super().__init__(f"{field}: {detail}")


class BadFieldsError(Exception):
    """Several fields of a body that is no JSON are wrong. Becomes 422."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.field}: {p.detail}" for p in self.problems))


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(errors.CsmsError, _on_csms_error)
    app.add_exception_handler(errors.PayloadRefusedError, _on_refused_payload)
    app.add_exception_handler(BadFieldError, _on_bad_field)
    app.add_exception_handler(BadFieldsError, _on_bad_fields)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_crash)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What a route's OpenAPI entry says of these errors."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def _answer(
    status: HTTPStatus,
    kind: str,
    detail: str,
    *,
    bad_fields: Iterable[FieldProblem] = (),
    reasons: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = Problem(
        type=f"urn:csms:{kind}",
        title=status.phrase,
        status=int(status),
        detail=clean(detail),
        errors=list(bad_fields)[:ERRORS_SHOWN] or None,
        reasons=[clean(reason) for reason in reasons] or None,
    )
    return JSONResponse(
        problem.model_dump(mode="json", by_alias=True, exclude_none=True),
        status_code=int(status),
        media_type=MEDIA_TYPE,
        headers=headers,
    )


async def _on_csms_error(_request: Request, error: Exception) -> JSONResponse:
    status, kind = next(
        (found for cls, found in STATUS.items() if isinstance(error, cls)),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"),
    )
    reasons = error.reasons if isinstance(error, errors.ConfigurationRefusedError) else ()
    return _answer(status, kind, str(error), reasons=reasons)


async def _on_bad_field(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadFieldError)
    bad = FieldProblem(field=error.field, detail=error.detail, value=_value(error.value))
    return _bad_fields([bad])


async def _on_bad_fields(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadFieldsError)
    return _bad_fields(error.problems)


async def _on_refused_payload(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.PayloadRefusedError)
    return _bad_fields(
        [
            FieldProblem(field=clean(field), detail=clean(what), value=_value(value))
            for field, what, value in error.faults
        ]
    )


async def _on_bad_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _bad_fields([_field_problem(e) for e in error.errors()])


def _bad_fields(bad: list[FieldProblem]) -> JSONResponse:
    named = "; ".join(_named(b) for b in bad[:3])
    more = "" if len(bad) <= 3 else f"; and {len(bad) - 3} more"
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, "bad-field", named + more, bad_fields=bad)


def _named(bad: FieldProblem) -> str:
    told = bad.value is None or shown(bad.value) in bad.detail
    got = "" if told else f" (got {shown(bad.value)})"
    return f"{bad.field}: {bad.detail}{got}"


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    kind = status.phrase.lower().replace(" ", "-")
    if status is HTTPStatus.BAD_REQUEST:
        # Only a body that no JSON reader takes gets here: to the caller, a bad field like others.
        bad = FieldProblem(field="(body)", detail="cannot be read as JSON")
        return _bad_fields([bad])
    return _answer(status, kind, str(error.detail), headers=error.headers)


async def _on_crash(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, exc_info=error)
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "an unexpected error; see the log"
    )


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    place, *path = (str(part) for part in error["loc"])
    if error["type"] == "json_invalid":
        reason = error.get("ctx", {}).get("error", "")
        return FieldProblem(field="(body)", detail=f"is not JSON: {reason}")
    if place == "body" and isinstance(error["input"], bytes):
        return FieldProblem(
            field="(body)", detail="is not read: send it with Content-Type: application/json"
        )
    if place == "body" and path and path[0] in START_FORMS:
        path = path[1:]
    return problem_of(error, path)


def problem_of(
    error: Mapping[str, Any], path: Iterable[int | str], *, before: str = ""
) -> FieldProblem:
    """What pydantic found wrong with a field. `before` says what the path starts from."""
    names = [clean(str(part)) for part in path]
    field = ".".join(names)
    place = f"{before}{field}" if field else "(body)"
    if error["type"] == "missing":
        return FieldProblem(field=place, detail="is missing")
    detail = message_of(error)
    if error["type"] == "extra_forbidden":
        detail = "is not a known key"
    if names and names[-1] in SECRETS:
        return FieldProblem(field=place, detail=detail)
    return FieldProblem(field=place, detail=detail, value=_value(error["input"]))


def _value(value: object) -> str | float | int | bool | None:
    # As given when it is short and plain, else its escaped text: every JSON writer can write it.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, str) and len(value) <= LONGEST_VALUE and value == clean(value):
        return value
    return shown(value)
