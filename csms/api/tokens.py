"""Id tokens: who may charge."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from csms.api import access_schemas as schemas
from csms.api.operations import Operations
from csms.api.problems import BadFieldError, responses
from csms.api.strict import StrictRoute
from csms.api.token_csv import read_tokens

PAGE = 100
LARGEST_PAGE = 1_000
CSV_BODY = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {}}}}}

PageSize = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="how many at most")]
After = Annotated[
    str, Query(max_length=20, description="`idToken` of the last one of the page before")
]
NOT_THERE = responses(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
BAD = responses(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


def router(operations: Operations) -> APIRouter:
    """The routes of id tokens."""
    routes = APIRouter(tags=["tokens"], route_class=StrictRoute)
    _add_list(routes, operations)
    _add_single(routes, operations)
    return routes


def _add_list(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/tokens", responses=BAD)
    async def list_tokens(limit: PageSize = PAGE, after: After = "") -> schemas.TokensJson:
        """List id tokens in the order of their names."""
        found = await operations.access().tokens.page(limit, after)
        return schemas.TokensJson(tokens=[schemas.token_json(token) for token in found])

    @routes.post(
        "/tokens",
        status_code=HTTPStatus.CREATED,
        responses=BAD | responses(HTTPStatus.CONFLICT),
    )
    async def add_token(body: schemas.TokenRequest) -> schemas.TokenJson:
        """Add an id token."""
        await operations.access().tokens.add(body.token())
        return schemas.token_json(body.token())

    @routes.post("/tokens/import", responses=BAD, openapi_extra=CSV_BODY)
    async def import_tokens(request: Request) -> schemas.ImportedJson:
        """Import id tokens as CSV, replacing those of the same names: all of them or none."""
        try:
            text = (await request.body()).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadFieldError("(body)", f"is not UTF-8: {error.reason}", None) from None
        tokens = read_tokens(text)
        await operations.access().tokens.put(tokens)
        return schemas.ImportedJson(imported=len(tokens))


def _add_single(routes: APIRouter, operations: Operations) -> None:
    # A tag may have a slash in it, hence the path.
    @routes.get("/tokens/{id_tag:path}", responses=NOT_THERE)
    async def read_token(id_tag: str) -> schemas.TokenJson:
        """Read an id token; the case of its letters does not count."""
        return schemas.token_json(await operations.access().tokens.find(id_tag))

    @routes.put("/tokens/{id_tag:path}", responses=BAD)
    async def put_token(
        id_tag: schemas.TagText, body: schemas.TokenProperties
    ) -> schemas.TokenJson:
        """Add or replace an id token, as a whole."""
        token = body.named(id_tag)
        await operations.access().tokens.put([token])
        return schemas.token_json(token)

    @routes.delete("/tokens/{id_tag:path}", status_code=HTTPStatus.NO_CONTENT, responses=NOT_THERE)
    async def remove_token(id_tag: str) -> Response:
        """Delete an id token: it is answered like any unknown one from now on."""
        await operations.access().tokens.remove(id_tag)
        return Response(status_code=HTTPStatus.NO_CONTENT)
