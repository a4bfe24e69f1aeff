"""Sessions over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from csms import errors
from csms.station.model import ConnectorKey
from tests.unit.csms.api.fakes import ENDED, STARTED_AT, Api

NESTED: dict[str, Any] = {
    "connectorId": {"chargerId": "CP001", "idx": 1},
    "vehicleMaxPower": 150,
}
FLAT: dict[str, Any] = {"charger_id": "CP001", "connector_id": 1, "vehicle_max_power": 150}
KEY = ConnectorKey("CP001", 1)


@pytest.mark.parametrize("path", ["/sessions", "/stations/S1/sessions"])
@pytest.mark.parametrize("body", [NESTED, FLAT])
async def test_a_session_is_started_in_either_form(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    answer = await api.request("POST", path, json=body)
    assert answer.status_code == 201
    session = answer.json()["session"]
    assert (session["sessionId"], session["allocatedPower"]) == ("a1", 133.333)
    assert session["connectorId"] == {"chargerId": "CP001", "idx": 1}
    assert session["vehicleMaxPower"] == 150.0
    assert api.operations.asked == [("start", "S1", KEY, 150_000, None)]


@pytest.mark.parametrize(
    "body",
    [
        {"connectorId": {"chargerId": "CP001", "idx": 1}, "idToken": "CARD"},
        {"charger_id": "CP001", "connector_id": 1, "id_token": "CARD"},
    ],
)
async def test_the_vehicle_may_be_unknown_and_the_driver_known(
    api: Api, body: dict[str, Any]
) -> None:
    assert (await api.request("POST", "/sessions", json=body)).status_code == 201
    assert api.operations.asked == [("start", "S1", KEY, None, "CARD")]


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({**NESTED, "vehicleMaxPower": True}, "vehicleMaxPower", True),
        ({**NESTED, "vehicleMaxPower": "150"}, "vehicleMaxPower", "150"),
        ({**NESTED, "vehicleMaxPower": -1}, "vehicleMaxPower", -1),
        ({**NESTED, "vehicleMaxPower": 0}, "vehicleMaxPower", 0),
        ({**NESTED, "maxPower": 1}, "maxPower", 1),
        ({**NESTED, "idToken": "x" * 21}, "idToken", "x" * 21),
        ({"connectorId": {"chargerId": "CP001", "idx": 0}}, "connectorId.idx", 0),
        ({"connectorId": {"chargerId": "CP001", "idx": 1.0}}, "connectorId.idx", 1.0),
        ({"connectorId": {"chargerId": 7, "idx": 1}}, "connectorId.chargerId", 7),
        ({"connectorId": 1}, "connectorId", 1),
        ({**FLAT, "connector_id": "1"}, "connector_id", "1"),
        ({**FLAT, "vehicleMaxPower": 150}, "vehicleMaxPower", 150),
    ],
)
async def test_a_bad_field_is_named_with_its_value(
    api: Api, body: dict[str, Any], field: str, value: Any
) -> None:
    problem = await api.problem(422, "POST", "/sessions", json=body)
    assert problem["type"] == "urn:csms:bad-field"
    assert [(e["field"], e["value"]) for e in problem["errors"]] == [(field, value)]
    assert problem["detail"].startswith(f"{field}: ")
    assert api.operations.asked == []


async def test_a_missing_field_is_named(api: Api) -> None:
    problem = await api.problem(422, "POST", "/sessions", json={"vehicleMaxPower": 150})
    assert problem["errors"] == [{"field": "connectorId", "detail": "is missing"}]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.UnknownStationError("x"), 404, "unknown-station"),
        (errors.UnknownChargerError("x"), 404, "unknown-charger"),
        (errors.UnknownConnectorError("x"), 404, "unknown-connector"),
        (errors.ConnectorOccupiedError("x"), 409, "connector-occupied"),
        (errors.ChargerOfflineError("x"), 409, "charger-offline"),
        (errors.ChargerRefusedError("x"), 502, "charger-refused"),
        (errors.ChargerSilentError("x"), 504, "charger-silent"),
        (errors.StorageError("x"), 503, "storage-failed"),
    ],
)
async def test_what_cannot_be_done_says_why(
    api: Api, error: Exception, status: int, kind: str
) -> None:
    api.operations.error = error
    problem = await api.problem(status, "POST", "/sessions", json=NESTED)
    assert (problem["type"], problem["detail"]) == (f"urn:csms:{kind}", "x")


@pytest.mark.parametrize(
    "path", ["/sessions/a1/power-update", "/stations/S1/sessions/a1/power-update"]
)
async def test_consumption_is_reported(api: Api, path: str) -> None:
    answer = await api.request("POST", path, json={"consumedPower": 60.5})
    assert answer.status_code == 200
    assert answer.json()["session"]["sessionId"] == "a1"
    assert api.operations.asked[-1] == ("update", "S1", "a1", 60_500, None)


async def test_a_new_maximum_of_the_vehicle_is_reported(api: Api) -> None:
    body = {"consumedPower": 0, "vehicleMaxPower": 80}
    answer = await api.request("POST", "/sessions/a1/power-update", json=body)
    assert answer.status_code == 200
    assert api.operations.asked[-1] == ("update", "S1", "a1", 0, 80_000)


async def test_what_was_declared_of_the_vehicle_is_taken_back(api: Api) -> None:
    body = {"vehicleMaxPower": None}
    answer = await api.request("POST", "/sessions/a1/power-update", json=body)
    assert answer.status_code == 200
    assert api.operations.asked == [("update", "S1", "a1", None, "forgotten")]


async def test_no_more_is_consumed_than_a_connector_gives(api: Api) -> None:
    path = "/sessions/a1/power-update"
    most = await api.request("POST", path, json={"consumedPower": 240})
    assert most.status_code == 200
    problem = await api.problem(422, "POST", path, json={"consumedPower": 240.1})
    assert problem["errors"] == [
        {
            "field": "consumedPower",
            "detail": "must be at most 240, 1.2 times what connector CP001/1 gives",
            "value": 240.1,
        }
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "(body)"),
        ({"consumedPower": None}, "(body)"),
        ({"consumedPower": -1}, "consumedPower"),
        ({"consumed_power": 1}, "consumed_power"),
        ([], "(body)"),
    ],
)
async def test_a_bad_report_is_refused(api: Api, body: Any, field: str) -> None:
    problem = await api.problem(422, "POST", "/sessions/a1/power-update", json=body)
    assert field in [e["field"] for e in problem["errors"]]


async def test_an_unknown_session_is_not_found(api: Api) -> None:
    problem = await api.problem(404, "POST", "/sessions/zz/power-update", json={"consumedPower": 1})
    assert problem["type"] == "urn:csms:unknown-session"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/sessions/b2/stop"), ("DELETE", "/stations/S1/sessions/b2")],
)
async def test_a_session_is_stopped(api: Api, method: str, path: str) -> None:
    answer = await api.request(method, path)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "session": {
                "sessionId": "b2",
                "connectorId": {"chargerId": "CP001", "idx": 2},
                "transactionId": 78,
                "idToken": "CARD",
                "idStatus": "Accepted",
                "vehicleMaxPower": None,
                "energy": 2.5,
                "estimated": False,
                "meterStart": 1.0,
                "meterStop": 3.5,
                "startedAt": "2023-11-14T22:13:20.250000Z",
                "endedAt": "2023-11-14T22:14:20.250000Z",
                "provisional": False,
                "reason": "Remote",
            }
        },
    )
    assert api.operations.asked == [("stop", "S1", "b2")]


async def test_running_sessions_are_listed(api: Api) -> None:
    listed = await api.get("/stations/S1/sessions")
    assert (listed["state"], [s["sessionId"] for s in listed["sessions"]]) == ("running", ["a1"])


async def test_ended_sessions_are_listed_by_page(api: Api) -> None:
    listed = await api.get("/stations/S1/sessions?state=ended&limit=1")
    assert (listed["state"], [s["sessionId"] for s in listed["sessions"]]) == ("ended", ["b2"])
    before = listed["sessions"][-1]["endedAt"]
    await api.get(f"/stations/S1/sessions?state=ended&before={before}")
    assert api.operations.asked == [
        ("ended", "S1", 1, None),
        ("ended", "S1", 100, ENDED.ended_at),
    ]


async def test_a_time_without_a_zone_is_utc(api: Api) -> None:
    await api.get("/stations/S1/sessions?state=ended&before=2023-11-14T22:13:20.25")
    assert api.operations.asked == [("ended", "S1", 100, STARTED_AT)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=past", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("before=x", "before"),
    ],
)
async def test_a_bad_query_is_refused(api: Api, query: str, field: str) -> None:
    problem = await api.problem(422, "GET", f"/stations/S1/sessions?{query}")
    assert [e["field"] for e in problem["errors"]] == [field]
