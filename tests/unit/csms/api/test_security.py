"""Keys, profiles and security events."""

from __future__ import annotations

import pytest

from csms.errors import ChargerOfflineError, KeyRefusedError, StorageError
from csms.ports import SecurityProfile
from tests.unit.csms.api.fakes import Api

SHOWN = {
    "chargerId": "CP001",
    "profile": 2,
    "hasKey": True,
    "pendingKeys": 1,
    "commonName": None,
    "changedAt": "2023-11-14T22:13:20.250000Z",
}


async def test_what_a_charger_must_show_is_shown_without_its_key(api: Api) -> None:
    assert await api.get("/chargers/CP001/security") == SHOWN


async def test_it_is_changed(api: Api) -> None:
    body = {"profile": 2, "key": "0123456789abcdef", "commonName": "SN-1"}
    answer = await api.request("PUT", "/chargers/CP001/security", json=body)
    assert (answer.status_code, answer.json()) == (200, SHOWN)
    await api.request("PUT", "/chargers/CP001/security", json={"profile": 0})
    assert api.security.asked == [
        ("configure", "CP001", SecurityProfile.TLS_BASIC, "0123456789abcdef", "SN-1"),
        ("configure", "CP001", SecurityProfile.NONE, None, None),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "profile"),
        ({"profile": 4}, "profile"),
        ({"profile": -1}, "profile"),
        ({"profile": "1"}, "profile"),
        ({"profile": 1, "key": "short"}, "key"),
        ({"profile": 1, "key": "x" * 129}, "key"),
        ({"profile": 1, "commonName": ""}, "commonName"),
        ({"profile": 1, "password": "x"}, "password"),
    ],
)
async def test_a_bad_field_is_named(api: Api, body: dict[str, object], field: str) -> None:
    problem = await api.problem(422, "PUT", "/chargers/CP001/security", json=body)
    assert [e["field"] for e in problem["errors"]] == [field]
    assert api.security.asked == []


async def test_a_charger_is_told_a_key(api: Api) -> None:
    answer = await api.request("POST", "/chargers/CP001/security/key")
    assert answer.json() == {"outcome": "accepted", "key": "made up", "security": SHOWN}
    assert answer.headers["cache-control"] == "no-store"
    await api.request("POST", "/chargers/CP001/security/key", json={"key": "0123456789abcdef"})
    assert api.security.asked == [
        ("change_key", "CP001", None),
        ("change_key", "CP001", "0123456789abcdef"),
    ]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (KeyRefusedError("no"), 409, "key-refused"),
        (ChargerOfflineError("away"), 409, "charger-offline"),
        (StorageError("full"), 503, "storage-failed"),
    ],
)
async def test_failures_are_problems(api: Api, error: Exception, status: int, kind: str) -> None:
    api.security.error = error
    for method, path in (("PUT", "security"), ("POST", "security/key")):
        problem = await api.problem(
            status, method, f"/chargers/CP001/{path}", json={"profile": 0} if path[8:] == "" else {}
        )
        assert problem["type"] == f"urn:csms:{kind}"


async def test_security_events_are_listed(api: Api) -> None:
    listed = await api.get("/security/events?charger=CP9&limit=5&before=8")
    assert listed == {
        "events": [
            {
                "number": 7,
                "at": "2023-11-14T22:13:20.250000Z",
                "kind": "authentication_failed",
                "chargerId": "CP9",
                "address": "10.0.0.9",
                "text": "a wrong key\ufffd",
            }
        ]
    }
    await api.get("/security/events")
    assert api.security.asked == [("events", "CP9", 5, 8), ("events", None, 100, None)]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=0", "charger=" + "x" * 49])
async def test_a_bad_parameter_is_named(api: Api, query: str) -> None:
    problem = await api.problem(422, "GET", f"/security/events?{query}")
    assert [e["field"] for e in problem["errors"]] == [query.partition("=")[0]]
