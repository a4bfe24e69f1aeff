"""Nothing that was asked is passed over: unknown parameters and doubled keys are bad fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from csms.api.problems import BadFieldError
from csms.api.render import clean
from csms.station.problems import keys_once

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route that refuses query parameters it does not have, and JSON that says a key twice."""

    def get_route_handler(self) -> Handler:
        """The usual handler behind both checks."""
        handle = super().get_route_handler()
        known = [parameter.alias for parameter in self.dependant.query_params]

        async def handle_strictly(request: Request) -> Response:
            _require_known(request, known)
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def _require_known(request: Request, known: Sequence[str]) -> None:
    for name, value in request.query_params.items():
        if name not in known:
            there = f"there is {', '.join(known)}" if known else "there is none"
            raise BadFieldError(clean(name), f"is not a known parameter; {there}", value)


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body. Raises JSONDecodeError, also when a key is there twice."""
        return json.loads(await self.body(), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    try:
        return keys_once(pairs)
    except ValueError as error:  # the only one of which FastAPI tells the reason
        raise json.JSONDecodeError(str(error), "", 0) from None
