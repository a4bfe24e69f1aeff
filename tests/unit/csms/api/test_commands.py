"""Requests to chargers by the API."""

from __future__ import annotations

from typing import Any

import pytest

from csms.errors import (
    ChargerOfflineError,
    ChargerSilentError,
    LimitRefusedError,
    NotPardonedError,
    PayloadRefusedError,
    UnknownActionError,
    UnknownChargerError,
)
from csms.ports import ChargerReport, Exchange, Outcome, Topic
from tests.unit.csms.api.fakes import STARTED_AT, Api

PATH = "/chargers/CP001/commands/GetLog"


async def test_a_request_brings_back_the_answer(api: Api) -> None:
    answer = await api.request("POST", PATH, json={"logType": "SecurityLog"})
    assert answer.status_code == 200
    assert api.operations.orders.asked == [("CP001", "GetLog", {"logType": "SecurityLog"}, False)]
    assert answer.json() == {
        "chargerId": "CP001",
        "action": "GetLog",
        "messageId": "m7",
        "askedAt": "2023-11-14T22:13:20.250000Z",
        "answeredAt": "2023-11-14T22:13:20.750000Z",
        "outcome": "accepted",
        "answer": {"status": "Accepted"},
        "error": None,
    }


async def test_force_and_no_payload_at_all(api: Api) -> None:
    answer = await api.request("POST", f"{PATH}?force=true")
    assert answer.status_code == 200
    assert api.operations.orders.asked == [("CP001", "GetLog", {}, True)]


async def test_a_callerror_is_an_answer(api: Api) -> None:
    api.operations.orders.exchange = Exchange(
        "m1", STARTED_AT, STARTED_AT, Outcome.UNSUPPORTED, None, "NotSupported", "no\x00logs"
    )
    answer = await api.request("POST", PATH, json={})
    assert answer.status_code == 200
    assert answer.json()["answer"] is None
    assert answer.json()["error"] == {"code": "NotSupported", "description": "no\ufffdlogs"}
    assert answer.json()["outcome"] == "unsupported"


async def test_what_a_charger_wrote_is_cleaned_to_the_bottom(api: Api) -> None:
    api.operations.orders.exchange = Exchange(
        "m1",
        STARTED_AT,
        STARTED_AT,
        Outcome.ACCEPTED,
        {"configurationKey": [{"k\x1b": "a\ud800", "n": 1.5, "b": None}]},
    )
    answer = await api.request("POST", PATH, json={})
    assert answer.json()["answer"] == {
        "configurationKey": [{"k\ufffd": "a\ufffd", "n": 1.5, "b": None}]
    }


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UnknownChargerError("no charger"), 404, "unknown-charger"),
        (UnknownActionError("no action"), 404, "unknown-action"),
        (ChargerOfflineError("offline"), 409, "charger-offline"),
        (LimitRefusedError("no room"), 409, "limit-refused"),
        (NotPardonedError("pardon it first"), 409, "not-pardoned"),
        (ChargerSilentError("silent"), 504, "charger-silent"),
    ],
)
async def test_what_cannot_be_is_a_problem(
    api: Api, error: Exception, status: int, kind: str
) -> None:
    api.operations.orders.error = error
    problem = await api.problem(status, "POST", PATH, json={})
    assert (problem["type"], problem["detail"]) == (f"urn:csms:{kind}", str(error))


async def test_a_refused_payload_names_field_and_value(api: Api) -> None:
    faults = [("type", "'Warm' is not one of them", "Warm"), ("payload", "extra", {"a": 1})]
    api.operations.orders.error = PayloadRefusedError("Reset", faults)
    problem = await api.problem(422, "POST", PATH, json={})
    assert problem["errors"][0] == {
        "field": "type",
        "detail": "'Warm' is not one of them",
        "value": "Warm",
    }
    assert problem["errors"][1]["field"] == "payload"


@pytest.mark.parametrize("body", ["[]", "7", '{"a": 1, "a": 2}', "{"])
async def test_a_payload_is_a_json_object(api: Api, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    await api.problem(422, "POST", PATH, content=body, headers=headers)
    assert api.operations.orders.asked == []


WHEN = "2026-01-31T17:00:00+01:00"
AT = "2026-01-31T16:00:00Z"
URL = "https://files.example/one"


@pytest.mark.parametrize(
    ("path", "asked", "action", "payload"),
    [
        ("reset", None, "Reset", {"type": "Soft"}),
        ("reset", {}, "Reset", {"type": "Soft"}),
        ("reset", {"hard": True}, "Reset", {"type": "Hard"}),
        ("unlock", {"connector": 2}, "UnlockConnector", {"connectorId": 2}),
        (
            "availability",
            {"operative": False},
            "ChangeAvailability",
            {"connectorId": 0, "type": "Inoperative"},
        ),
        (
            "availability",
            {"connector": 1, "operative": True},
            "ChangeAvailability",
            {"connectorId": 1, "type": "Operative"},
        ),
        ("diagnostics", {"location": URL}, "GetDiagnostics", {"location": URL}),
        (
            "diagnostics",
            {"location": URL, "start": WHEN, "stop": WHEN, "retries": 0, "retryIntervalS": 9},
            "GetDiagnostics",
            {"location": URL, "startTime": AT, "stopTime": AT, "retries": 0, "retryInterval": 9},
        ),
        (
            "firmware",
            {"location": URL, "retrieveAt": WHEN},
            "UpdateFirmware",
            {"location": URL, "retrieveDate": AT},
        ),
        (
            "firmware",
            {
                "location": URL,
                "retrieveAt": WHEN,
                "installAt": WHEN,
                "signature": "s",
                "signingCertificate": "c",
            },
            "SignedUpdateFirmware",
            {
                "requestId": 501,
                "firmware": {
                    "location": URL,
                    "retrieveDateTime": AT,
                    "installDateTime": AT,
                    "signature": "s",
                    "signingCertificate": "c",
                },
            },
        ),
        (
            "logs",
            {"location": URL, "oldest": WHEN},
            "GetLog",
            {
                "logType": "DiagnosticsLog",
                "requestId": 501,
                "log": {"remoteLocation": URL, "oldestTimestamp": AT},
            },
        ),
        (
            "logs",
            {"location": URL, "type": "security", "requestId": 4},
            "GetLog",
            {"logType": "SecurityLog", "requestId": 4, "log": {"remoteLocation": URL}},
        ),
    ],
)
async def test_the_usual_requests_in_plain_words(
    api: Api, path: str, asked: dict[str, Any], action: str, payload: dict[str, Any]
) -> None:
    answer = await api.request("POST", f"/chargers/CP001/{path}", json=asked)
    assert answer.status_code == 200, answer.text
    assert api.operations.orders.asked == [("CP001", action, payload, False)]
    assert answer.json()["action"] == action


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        ("unlock", {"connector": 0}, "connector"),
        ("availability", {}, "operative"),
        ("diagnostics", {"location": ""}, "location"),
        ("logs", {"location": URL, "type": "all"}, "type"),
        ("reset", {"hard": 1}, "hard"),
    ],
)
async def test_a_bad_field_is_named(api: Api, path: str, asked: dict[str, Any], field: str) -> None:
    problem = await api.problem(422, "POST", f"/chargers/CP001/{path}", json=asked)
    assert [e["field"] for e in problem["errors"]] == [field]


async def test_a_charger_is_shown_with_what_it_said(api: Api) -> None:
    api.operations.orders.said = [
        ChargerReport("CP001", Topic.LOG, "Uploaded", STARTED_AT, request_id=7),
        ChargerReport(
            "CP001", Topic.FIRMWARE, "Installed", STARTED_AT, info="l\x00d", told_at=STARTED_AT
        ),
    ]
    found = await api.get("/chargers/CP001")
    assert (found["id"], found["stationId"], found["connected"]) == ("CP001", "S1", True)
    assert found["connectors"][0]["sessionId"] == "a1"
    assert found["logStatus"] == {
        "what": "Uploaded",
        "at": "2023-11-14T22:13:20.250000Z",
        "toldAt": None,
        "requestId": 7,
        "info": "",
    }
    assert found["diagnosticsStatus"] is None
    firmware = found["firmwareStatus"]
    assert (firmware["what"], firmware["info"]) == ("Installed", "l\ufffdd")
    assert firmware["toldAt"] == firmware["at"]


async def test_a_charger_nobody_has_is_a_problem(api: Api) -> None:
    assert (await api.problem(404, "GET", "/chargers/CP9"))["type"] == "urn:csms:unknown-charger"
