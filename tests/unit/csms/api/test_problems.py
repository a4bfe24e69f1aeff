"""Errors over HTTP, whatever was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from csms.errors import CsmsError
from tests.unit.csms.api.fakes import Api

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": 1} x',
        b"[" * 5_000,
        b'{"consumedPower": ' + b"9" * 5_000 + b"}",
    ],
)
async def test_a_body_that_is_not_json_is_a_bad_field(api: Api, body: bytes) -> None:
    problem = await api.problem(
        422, "POST", "/sessions/a1/power-update", content=body, headers=JSON
    )
    assert [e["field"] for e in problem["errors"]] == ["(body)"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("NaN", "nan"),
        ("1e400", "inf"),
        ("-Infinity", "-inf"),
        ('"\\ud800"', "'\\ud800'"),
        ('"\\u0000"', "'\\x00'"),
        (json.dumps("x" * 200), "'" + "x" * 59 + "…"),
        ("9007199254740993", "9007199254740993"),
        ('{"a": [1]}', "{'a': [1]}"),
        ("0.25", 0.25),
    ],
)
async def test_every_bad_value_can_be_shown(api: Api, text: str, shown: Any) -> None:
    body = f'{{"stationId": "S1", "gridCapacity": 1, "chargers": {text}}}'
    problem = await api.problem(422, "POST", "/station/config", content=body, headers=JSON)
    assert [(e["field"], e["value"]) for e in problem["errors"]] == [("chargers", shown)]


async def test_a_key_of_strange_characters_is_a_bad_field(api: Api) -> None:
    problem = await api.problem(
        422,
        "POST",
        "/sessions/a1/power-update",
        content=b'{"consumedPower": 1, "\\ud800": 1}',
        headers=JSON,
    )
    assert [(e["field"], "unicode" in e["detail"]) for e in problem["errors"]] == [("(body)", True)]


async def test_a_body_without_its_content_type_is_not_read(api: Api) -> None:
    problem = await api.problem(
        422, "POST", "/sessions/a1/power-update", content=b'{"consumedPower": 1}'
    )
    assert "Content-Type: application/json" in problem["errors"][0]["detail"]


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    answer = await api.request("POST", "/station/config", content=b" " * 3_000_000, headers=JSON)
    assert answer.status_code == 413


async def test_many_bad_fields_are_counted_in_the_detail(api: Api) -> None:
    body = {"stationId": "S1", "gridCapacity": 1, "chargers": [1] * 100}
    problem = await api.problem(422, "POST", "/station/config", json=body)
    assert problem["detail"].endswith("; and 97 more")
    assert len(problem["errors"]) == 50


async def test_what_is_not_there_and_what_is_not_allowed(api: Api) -> None:
    assert (await api.problem(404, "GET", "/nothing"))["type"] == "urn:csms:not-found"
    answer = await api.request("PUT", "/sessions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["type"] == "urn:csms:method-not-allowed"


@pytest.mark.parametrize("error", [RuntimeError("secret"), CsmsError("odd")])
async def test_an_unexpected_error_is_a_500(api: Api, error: Exception) -> None:
    api.operations.error = error
    with capture_logs():
        problem = await api.problem(500, "GET", "/station/status")
    assert problem["type"] == "urn:csms:internal-error"
    assert "secret" not in problem["detail"]


async def test_an_unexpected_error_is_logged_and_not_told(api: Api) -> None:
    api.operations.error = RuntimeError("secret")
    with capture_logs() as logged:
        await api.problem(500, "GET", "/station/status")
    assert [(r["event"], r["path"], str(r["exc_info"])) for r in logged] == [
        ("request_failed", "/station/status", "secret")
    ]
