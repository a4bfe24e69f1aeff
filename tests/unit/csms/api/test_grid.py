"""Grid limits over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.errors import GridFailSafeError, StorageError, UnknownStationError
from csms.station.grid import GridStep, Sign
from csms.station.model import GridSource
from tests.unit.csms.api.fakes import Api

SHOWN: dict[str, Any] = {
    "stationId": "S1",
    "limit": 100.0,
    "source": "given",
    "since": "2023-11-14T22:13:20.250000Z",
    "nextChangeAt": "2023-11-14T22:13:50.250000Z",
    "configured": 400.0,
    "failsafe": 50.0,
    "given": {
        "limit": 100.0,
        "givenAt": "2023-11-14T22:13:20.250000Z",
        "validUntil": "2023-11-14T22:14:20.250000Z",
    },
    "awaited": [],
    "lastSignAt": "2023-11-14T22:13:20.250000Z",
    "silentAt": "2023-11-14T22:15:20.250000Z",
    "steps": [{"from": "2023-11-14T22:13:50.250000Z", "limit": 80.5}],
    "warnings": ["too little"],
}
NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
PATHS = pytest.mark.parametrize("path", ["/station/grid-limit", "/stations/S1/grid-limit"])


@PATHS
async def test_the_grid_limit_in_force(api: Api, path: str) -> None:
    assert await api.get(path) == SHOWN


async def test_what_is_not_there_is_null(api: Api) -> None:
    api.operations.grid.snapshot = replace(
        api.operations.grid.snapshot,
        given=None,
        next_change_at=None,
        awaited=(Sign.HEARTBEAT, Sign.LIMIT),
        last_sign_at=None,
        silent_at=None,
        schedule=(),
        warnings=(),
    )
    assert await api.get("/station/grid-limit") == {
        **SHOWN,
        "given": None,
        "nextChangeAt": None,
        "awaited": ["heartbeat", "limit"],
        "lastSignAt": None,
        "silentAt": None,
        "steps": [],
        "warnings": [],
    }


@PATHS
@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"limit": 60.5}, (60_500, None, None)),
        ({"limit": 0}, (0, None, None)),
        ({"limit": 60, "validForS": 900, "heartbeatS": 60}, (60_000, 900, 60)),
        ({"limit": 60, "validForS": None, "heartbeatS": 120}, (60_000, None, 120)),
    ],
)
async def test_a_limit_is_given(
    api: Api, path: str, body: dict[str, Any], asked: tuple[Any, ...]
) -> None:
    answer = await api.request("PUT", path, json=body)
    assert (answer.status_code, answer.json()) == (200, SHOWN)
    assert api.operations.grid.asked == [("give", "S1", *asked)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": "60"}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 100_001}, "limit"),
        ({"limit": 60, "validForS": 0}, "validForS"),
        ({"limit": 60, "validForS": 31_622_401}, "validForS"),
        ({"limit": 60, "heartbeatS": 0.5}, "heartbeatS"),
        ({"limit": 60, "heartbeatS": 121}, "heartbeatS"),
        ({"limit": 60, "valid_for_s": 9}, "valid_for_s"),
    ],
)
async def test_a_bad_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.problem(422, "PUT", "/station/grid-limit", json=body)
    assert [e["field"] for e in problem["errors"]] == [field]
    assert api.operations.grid.asked == []


async def test_a_promise_fits_the_time_out_of_the_station(api: Api) -> None:
    api.operations.stations["S1"] = replace(
        api.operations.stations["S1"], grid_source=GridSource(50_000, 30.0)
    )
    body = {"limit": 60, "heartbeatS": 31}
    problem = await api.problem(422, "PUT", "/station/grid-limit", json=body)
    assert problem["errors"] == [
        {"field": "heartbeatS", "detail": "must be at most the time-out of 30 s", "value": 31.0}
    ]


@PATHS
async def test_a_heartbeat(api: Api, path: str) -> None:
    answer = await api.request("POST", f"{path}/heartbeat")
    assert (answer.status_code, answer.json()) == (200, SHOWN)
    assert api.operations.grid.asked == [("heartbeat", "S1")]


@PATHS
async def test_back_to_the_configured_limit(api: Api, path: str) -> None:
    answer = await api.request("DELETE", path)
    assert (answer.status_code, answer.json()) == (200, SHOWN)
    assert api.operations.grid.asked == [("withdraw", "S1")]


async def test_a_failsafe_is_not_withdrawn(api: Api) -> None:
    api.operations.grid.error = GridFailSafeError("the station is in fail-safe")
    problem = await api.problem(409, "DELETE", "/station/grid-limit")
    assert (problem["type"], problem["detail"]) == (
        "urn:csms:grid-failsafe",
        "the station is in fail-safe",
    )


@PATHS
async def test_a_schedule_is_given(api: Api, path: str) -> None:
    steps = [
        {"from": "2026-01-01T12:00:00Z", "limit": 60},
        {"from": "2026-01-01T13:30:00.5+01:00", "limit": 0},
    ]
    answer = await api.request("PUT", f"{path}/schedule", json={"steps": steps})
    assert (answer.status_code, answer.json()) == (200, SHOWN)
    assert api.operations.grid.asked == [
        ("schedule", "S1", GridStep(NOON, 60_000), GridStep(NOON + 1_800.5, 0))
    ]


async def test_a_schedule_is_ended_by_an_empty_one(api: Api) -> None:
    answer = await api.request("PUT", "/station/grid-limit/schedule", json={"steps": []})
    assert answer.status_code == 200
    assert api.operations.grid.asked == [("schedule", "S1")]


@pytest.mark.parametrize("second", ["2026-01-01T12:00:00Z", "2026-01-01T12:30:00+01:00"])
async def test_steps_that_are_out_of_order_or_overlap_are_named(api: Api, second: str) -> None:
    steps = [{"from": "2026-01-01T12:00:00Z", "limit": 60}, {"from": second, "limit": 70}]
    problem = await api.problem(422, "PUT", "/station/grid-limit/schedule", json={"steps": steps})
    assert problem["errors"] == [
        {
            "field": "steps.1.from",
            "detail": "must be later than that of the step before it",
            "value": second,
        }
    ]
    assert api.operations.grid.asked == []


@pytest.mark.parametrize(
    ("moment", "detail"),
    [
        ("2026-01-01T12:00:00", "must name its time zone: add Z for UTC"),
        ("noon", "must be a time, as in 2026-01-31T17:00:00Z"),
        ("1999-12-31T23:59:59Z", "must be in the years 2000 to 2199"),
        ("2200-01-01T00:00:00Z", "must be in the years 2000 to 2199"),
        (NOON, "Input should be a valid string"),
    ],
)
async def test_a_time_is_named_that_is_none(api: Api, moment: object, detail: str) -> None:
    body = {"steps": [{"from": moment, "limit": 60}]}
    problem = await api.problem(422, "PUT", "/station/grid-limit/schedule", json=body)
    (error,) = problem["errors"]
    assert (error["field"], error["detail"]) == ("steps.0.from", detail)


async def test_a_schedule_is_not_endless(api: Api) -> None:
    steps = [{"from": "2026-01-01T12:00:00Z", "limit": 60}] * 3_001
    problem = await api.problem(422, "PUT", "/station/grid-limit/schedule", json={"steps": steps})
    assert problem["errors"][0]["field"] == "steps"


async def test_what_could_not_be_kept_is_said_so(api: Api) -> None:
    api.operations.grid.error = StorageError("disk full")
    problem = await api.problem(503, "PUT", "/station/grid-limit", json={"limit": 60})
    assert (problem["type"], problem["detail"]) == ("urn:csms:storage-failed", "disk full")


async def test_an_unknown_station(api: Api) -> None:
    api.operations.grid.error = UnknownStationError("no station 'S9'")
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"limit": 1}),
        ("DELETE", "", None),
        ("POST", "/heartbeat", None),
        ("PUT", "/schedule", {"steps": []}),
    ):
        where = f"/stations/S9/grid-limit{path}"
        problem = await api.problem(404, method, where, json=body)
        assert problem["type"] == "urn:csms:unknown-station"


async def test_without_a_default_station_the_short_form_says_so(api: Api) -> None:
    api.operations.default = None
    problem = await api.problem(404, "GET", "/station/grid-limit")
    assert problem["detail"] == "there are 2 stations and none is the default"
