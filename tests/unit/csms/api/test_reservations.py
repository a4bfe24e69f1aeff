from __future__ import annotations

from typing import Any

import pytest

from csms.errors import ReservationRefusedError, UnknownReservationError
from csms.station.model import ConnectorKey
from tests.unit.csms.api.fakes import Api

PATH = "/chargers/CP001/reservations"
ASKED: dict[str, Any] = {"connector": 2, "idToken": "ANNA", "expiresAt": "2026-01-31T17:00:00Z"}
SHOWN = {
    "reservationId": 7,
    "chargerId": "CP001",
    "connector": 0,
    "idToken": "ANNA",
    "parentIdToken": "FAMILY",
    "expiresAt": "2023-11-14T22:13:20.250000Z",
    "state": "active",
    "sessionId": None,
}


async def test_a_reservation_is_made_listed_and_cancelled(api: Api) -> None:
    made = await api.request("POST", PATH, json=ASKED)
    assert (made.status_code, made.json()) == (201, SHOWN)
    assert await api.get(PATH) == {"reservations": [SHOWN]}
    cancelled = await api.request("DELETE", f"{PATH}/7")
    assert (cancelled.status_code, cancelled.json()) == (200, SHOWN)
    assert api.operations.who.reservations.asked == [
        ("reserve", ConnectorKey("CP001", 2), "ANNA", 1_769_878_800.0, None),
        ("of", "CP001"),
        ("cancel", "CP001", 7),
    ]


async def test_without_a_connector_any_one_is_reserved(api: Api) -> None:
    await api.request("POST", PATH, json={**ASKED, "connector": 0, "parentIdToken": "P"})
    asked = api.operations.who.reservations.asked[-1]
    assert asked == ("reserve", ConnectorKey("CP001", 0), "ANNA", 1_769_878_800.0, "P")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**ASKED, "connector": -1}, "connector"),
        ({**ASKED, "idToken": "X" * 21}, "idToken"),
        ({**ASKED, "expiresAt": "tomorrow"}, "expiresAt"),
        ({"idToken": "A"}, "expiresAt"),
    ],
)
async def test_a_bad_field_is_named(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.problem(422, "POST", PATH, json=body)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_what_cannot_be_done_says_why(api: Api) -> None:
    api.operations.who.reservations.error = ReservationRefusedError("in the past")
    assert (await api.problem(409, "POST", PATH, json=ASKED))["detail"] == "in the past"
    api.operations.who.reservations.error = UnknownReservationError("no reservation 9")
    problem = await api.problem(404, "DELETE", f"{PATH}/9")
    assert problem["type"] == "urn:csms:unknown-reservation"
