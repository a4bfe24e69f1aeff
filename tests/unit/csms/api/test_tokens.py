"""Id tokens by the API."""

from __future__ import annotations

from typing import Any

import pytest

from csms.ports import IdToken
from tests.unit.csms.api.fakes import Api

WHOLE: dict[str, Any] = {
    "idToken": "ANNA",
    "status": "Blocked",
    "expiresAt": "2026-01-31T17:00:00.000000Z",
    "parentIdToken": "FAMILY",
    "concurrency": "one_per_token",
}
PLAIN: dict[str, Any] = {
    "idToken": "BOB",
    "status": "Accepted",
    "expiresAt": None,
    "parentIdToken": None,
    "concurrency": "any",
}


async def test_a_token_is_added_read_replaced_and_deleted(api: Api) -> None:
    added = await api.request("POST", "/tokens", json=WHOLE)
    assert (added.status_code, added.json()) == (201, WHOLE)
    assert await api.get("/tokens/anna") == WHOLE
    replaced = await api.request("PUT", "/tokens/anna", json={})
    assert (replaced.status_code, replaced.json()) == (200, {**PLAIN, "idToken": "anna"})
    assert (await api.request("DELETE", "/tokens/ANNA")).status_code == 204
    for method in ("GET", "DELETE"):
        problem = await api.problem(404, method, "/tokens/ANNA")
        assert problem["type"] == "urn:csms:unknown-token"


async def test_a_token_is_not_added_twice(api: Api) -> None:
    assert (await api.request("POST", "/tokens", json={"idToken": "BOB"})).json() == PLAIN
    problem = await api.problem(409, "POST", "/tokens", json={"idToken": "bob"})
    assert problem["type"] == "urn:csms:token-exists"


async def test_tokens_are_listed_page_by_page(api: Api) -> None:
    await api.operations.who.store.save_tokens([IdToken(name) for name in ("C", "A", "B")])
    page = await api.get("/tokens?limit=2")
    assert [t["idToken"] for t in page["tokens"]] == ["A", "B"]
    page = await api.get("/tokens?after=b")
    assert [t["idToken"] for t in page["tokens"]] == ["C"]


async def test_a_tag_may_have_a_slash_in_it(api: Api) -> None:
    assert (await api.request("PUT", "/tokens/A%2FB", json={})).json()["idToken"] == "A/B"
    assert (await api.get("/tokens/a/b"))["idToken"] == "A/B"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/tokens", {}, "idToken"),
        ("POST", "/tokens", {"idToken": ""}, "idToken"),
        ("POST", "/tokens", {"idToken": "X" * 21}, "idToken"),
        ("POST", "/tokens", {"idToken": "tab\t"}, "idToken"),
        ("POST", "/tokens", {"idToken": "A", "status": "Invalid"}, "status"),
        ("POST", "/tokens", {"idToken": "A", "expiresAt": "2026-01-31T17:00:00"}, "expiresAt"),
        ("POST", "/tokens", {"idToken": "A", "concurrency": "two"}, "concurrency"),
        ("POST", "/tokens", {"idToken": "A", "colour": "red"}, "colour"),
        ("PUT", "/tokens/" + "X" * 21, {}, "id_tag"),
        ("PUT", "/tokens/A", {"idToken": "A"}, "idToken"),
        ("GET", "/tokens?limit=0", None, "limit"),
    ],
)
async def test_a_bad_field_is_named(
    api: Api, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    problem = await api.problem(422, method, path, json=body)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_csv_file_is_imported_whole(api: Api) -> None:
    text = "\ufeffidToken,status\nANNA,Blocked\nBOB,\n"
    answer = await api.request("POST", "/tokens/import", content=text.encode())
    assert (answer.status_code, answer.json()) == (200, {"imported": 2})
    assert (await api.get("/tokens/anna"))["status"] == "Blocked"


async def test_a_csv_file_with_a_bad_line_imports_nothing(api: Api) -> None:
    problem = await api.problem(
        422, "POST", "/tokens/import", content=b"idToken,status\nANNA,\nBOB,Gone\n"
    )
    assert problem["errors"] == [
        {
            "field": "line 3, status",
            "detail": "Input should be 'Accepted', 'Blocked' or 'Expired'",
            "value": "Gone",
        }
    ]
    assert (await api.get("/tokens"))["tokens"] == []


async def test_a_file_that_is_no_text_is_refused(api: Api) -> None:
    problem = await api.problem(422, "POST", "/tokens/import", content=b"idToken\n\xff\n")
    assert problem["errors"][0]["field"] == "(body)"
