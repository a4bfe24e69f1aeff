"""What is not understood is refused."""

from __future__ import annotations

import pytest

from tests.unit.csms.api.fakes import Api


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/stations/S1/sessions?limti=3", "there is limit, state, before"),
        ("/stations/S1/status?limti=3", "there is none"),
        ("/events?limti=3", "there is after"),
    ],
)
async def test_an_unknown_parameter_is_refused(api: Api, path: str, there: str) -> None:
    problem = await api.problem(422, "GET", path)
    (error,) = problem["errors"]
    assert (error["field"], error["value"]) == ("limti", "3")
    assert error["detail"].startswith("is not a known parameter; there is ")
    assert set(error["detail"].replace(",", "").split()) >= set(there.replace(",", "").split())


async def test_known_parameters_are_taken(api: Api) -> None:
    assert (await api.get("/stations/S1/sessions?limit=3&state=running"))["state"] == "running"


@pytest.mark.parametrize(
    "body",
    [
        '{"consumedPower": 1, "consumedPower": 2}',
        '{"consumedPower": {"a": 1, "a": 2}}',
    ],
)
async def test_a_key_that_is_there_twice_is_refused(api: Api, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    path = "/sessions/a1/power-update"
    problem = await api.problem(422, "POST", path, content=body, headers=headers)
    (error,) = problem["errors"]
    assert error["field"] == "(body)"
    assert error["detail"].startswith("is not JSON: the key '")
    assert error["detail"].endswith("' is there twice")


async def test_the_parameters_of_a_request_with_a_body_are_checked_too(api: Api) -> None:
    body = {"consumedPower": 1}
    problem = await api.problem(422, "POST", "/sessions/a1/power-update?x=1", json=body)
    assert [e["field"] for e in problem["errors"]] == ["x"]
    assert api.operations.asked == []
