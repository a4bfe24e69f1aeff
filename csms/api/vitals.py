"""How the process is, for what runs it: two questions, and a gauge for each figure."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from csms.api.operations import VitalsOperations
from csms.api.render import clean
from csms.api.schemas import Alive, Readiness


def router(vitals: VitalsOperations) -> APIRouter:
    """The calls that ask whether csms lives, and whether it is ready."""
    calls = APIRouter(tags=["process"])

    @calls.get("/livez")
    async def read_alive() -> Alive:
        """Tell that the process lives; never asks the database. Restart it when this is silent."""
        return Alive(status="ok")

    @calls.get("/readyz", responses={503: {"model": Readiness}})
    async def read_readiness(response: Response) -> Readiness:
        """Tell whether chargers may be sent here, after a write to the database, and why not."""
        reasons = [clean(reason) for reason in await vitals.unready()]
        if reasons:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(ready=not reasons, reasons=reasons)

    return calls
