"""Stations over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.errors import ConfigurationRefusedError
from csms.station.document import parse_station
from tests.unit.csms.api.fakes import DOCUMENT, Api

NEW: dict[str, Any] = {**DOCUMENT, "gridCapacity": 300.0}
SHOWN: dict[str, Any] = {
    "stationId": "S1",
    "at": "2023-11-14T22:13:22.250000Z",
    "gridCapacity": 400.0,
    "staticLoad": 3.0,
    "reserve": 0.0,
    "maxRampKwPerMin": 30.0,
    "available": 397.0,
    "sumAllocated": 133.333,
    "sumMeasured": 131.0,
    "sumWorstCase": 150.0,
    "condition": "CONTROLLED",
    "overcommitted": False,
    "settled": True,
    "sessions": {
        "a1": {
            "sessionId": "a1",
            "connectorId": {"chargerId": "CP001", "idx": 1},
            "allocatedPower": 133.333,
            "allocatedSource": "grid",
            "vehicleMaxPower": 150.0,
            "measuredPower": 131.0,
            "demandedPower": 150.0,
            "energy": 1.234,
            "soc": 45.5,
            "transactionId": 77,
            "idToken": "CSMS",
            "startedAt": "2023-11-14T22:13:20.250000Z",
            "limit": {
                "value": 133.333,
                "source": "grid",
                "state": "confirmed",
                "sentAt": "2023-11-14T22:13:21.250000Z",
            },
        }
    },
    "chargers": [
        {
            "id": "CP001",
            "connected": True,
            "condition": "CONTROLLED",
            "vendor": "Acme",
            "model": "X",
            "firmware": "1.0",
            "lastSeenAt": "2023-11-14T22:13:20.250000Z",
            "maxPower": 200.0,
            "awaitingReboot": [],
            "unconfiguredConnectors": [],
            "connectors": [
                {
                    "idx": 1,
                    "type": "DC",
                    "maxPower": 200.0,
                    "status": "Charging",
                    "errorCode": "NoError",
                    "reason": None,
                    "occupancy": "charging",
                    "condition": "CONTROLLED",
                    "worstCase": 150.0,
                    "sessionId": "a1",
                },
                {
                    "idx": 2,
                    "type": "DC",
                    "maxPower": 200.0,
                    "status": "Available",
                    "errorCode": "NoError",
                    "reason": None,
                    "occupancy": "free",
                    "condition": "CONTROLLED",
                    "worstCase": 0.0,
                    "sessionId": None,
                },
            ],
        }
    ],
}


@pytest.mark.parametrize("path", ["/station/config", "/stations/S1/config"])
async def test_the_configuration_is_the_document_it_came_from(api: Api, path: str) -> None:
    assert await api.get(path) == DOCUMENT


@pytest.mark.parametrize("path", ["/station/config", "/stations/S1/config"])
async def test_a_new_configuration_is_put_in_force_and_given_back(api: Api, path: str) -> None:
    answer = await api.request("POST", path, json=NEW)
    assert (answer.status_code, answer.json()) == (200, NEW)
    assert ("configure", parse_station(NEW, "test")) in api.operations.asked


async def test_a_station_is_added_under_its_own_name(api: Api) -> None:
    document = {**DOCUMENT, "stationId": "S2"}
    answer = await api.request("POST", "/stations/S2/config", json=document)
    assert (answer.status_code, answer.json()) == (200, document)


@pytest.mark.parametrize("path", ["/station/config", "/stations/S1/config"])
async def test_a_station_is_not_renamed(api: Api, path: str) -> None:
    problem = await api.problem(422, "POST", path, json={**NEW, "stationId": "S2"})
    assert problem["errors"] == [
        {"field": "stationId", "detail": "must be 'S1' here", "value": "S2"}
    ]
    assert api.operations.asked == []


async def test_a_configuration_that_cannot_hold_is_refused_with_reasons(api: Api) -> None:
    api.operations.error = ConfigurationRefusedError(["too much", "in use"])
    problem = await api.problem(409, "POST", "/station/config", json=NEW)
    assert problem["type"] == "urn:csms:configuration-refused"
    assert problem["reasons"] == ["too much", "in use"]
    assert problem["detail"] == "too much; in use"


async def test_a_malformed_configuration_names_every_field(api: Api) -> None:
    body = {
        "stationId": "S1",
        "gridCapacity": True,
        "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 0}],
    }
    problem = await api.problem(422, "POST", "/station/config", json=body)
    assert [(e["field"], e["value"]) for e in problem["errors"]] == [
        ("gridCapacity", True),
        ("chargers.0.connectors", 0),
    ]


@pytest.mark.parametrize("path", ["/station/status", "/stations/S1/status"])
async def test_the_status_says_who_may_draw_what(api: Api, path: str) -> None:
    assert await api.get(path) == SHOWN


async def test_text_of_a_charger_cannot_break_the_status(api: Api) -> None:
    hostile = replace(
        api.operations.snapshot.chargers[0], vendor="\ud800\x1b[2J", model="<b>", last_seen_at=None
    )
    api.operations.snapshot = replace(api.operations.snapshot, chargers=(hostile,))
    shown = (await api.get("/station/status"))["chargers"][0]
    assert (shown["vendor"], shown["model"], shown["lastSeenAt"]) == ("��[2J", "<b>", None)


async def test_stations_are_listed(api: Api) -> None:
    assert await api.get("/stations") == {
        "stations": [
            {
                "stationId": "S1",
                "isDefault": True,
                "gridCapacity": 400.0,
                "sumAllocated": 133.333,
                "sumWorstCase": 150.0,
                "sessions": 1,
                "chargers": 1,
                "chargersConnected": 1,
            }
        ]
    }


async def test_without_a_default_station_the_short_form_says_so(api: Api) -> None:
    api.operations.default = None
    assert (await api.get("/stations"))["stations"][0]["isDefault"] is False
    problem = await api.problem(404, "GET", "/station/status")
    assert problem["detail"] == "there are 2 stations and none is the default"


@pytest.mark.parametrize("what", ["config", "status", "sessions"])
async def test_an_unknown_station_is_not_found(api: Api, what: str) -> None:
    problem = await api.problem(404, "GET", f"/stations/S9/{what}")
    assert problem["type"] == "urn:csms:unknown-station"


async def test_a_station_is_removed(api: Api) -> None:
    answer = await api.request("DELETE", "/stations/S1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.operations.asked == [("remove", "S1")]


async def test_a_station_that_must_stay_is_not_removed(api: Api) -> None:
    api.operations.error = ConfigurationRefusedError(["station S1 is in a file"])
    problem = await api.problem(409, "DELETE", "/stations/S1")
    assert problem["reasons"] == ["station S1 is in a file"]
