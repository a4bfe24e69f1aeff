"""Reservation: connectors kept for a token."""

from __future__ import annotations

from typing import Any

import httpx

from simulators.moment import instant, timestamp
from tests.e2e.certification.played import CARD, Case, Csms, in_s

HOUR_S = 3_600.0


async def ask(
    case: Case, connector: int = 1, ends_in_s: float = HOUR_S, **more: Any
) -> httpx.Response:
    """An operator asks for a reservation."""
    asked = {"connector": connector, "idToken": CARD, "expiresAt": in_s(ends_in_s), **more}
    return await case.api.post(f"/chargers/{case.charger_id}/reservations", json=asked)


async def reserved(case: Case, connector: int = 1, **more: Any) -> int:
    """A reservation that the charger has accepted; its number."""
    made = await ask(case, connector, **more)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert shown["state"] == "active"
    (sent,) = case.asked("ReserveNow")
    expected = {
        "connectorId": connector,
        "expiryDate": timestamp(instant(shown["expiresAt"])),
        "idTag": shown["idToken"],
        "reservationId": shown["reservationId"],
    }
    if shown["parentIdToken"] is not None:
        expected["parentIdTag"] = shown["parentIdToken"]
    assert sent.payload == expected
    assert sent.answer == {"status": "Accepted"}
    number: int = shown["reservationId"]
    return number


async def kept(case: Case) -> list[tuple[str, str | None]]:
    """State and session of each reservation of the charger."""
    found = (await case.get(f"/chargers/{case.charger_id}/reservations"))["reservations"]
    return [(r["state"], r["sessionId"]) for r in found]


async def refused(case: Case, status: str) -> None:
    """The charger refuses a reservation: the operator is told so, and none is kept."""
    answer = await ask(case)
    assert (answer.status_code, answer.json()["type"]) == (502, "urn:csms:charger-refused")
    assert status in answer.json()["detail"]
    (sent,) = case.asked("ReserveNow")
    assert sent.answer == {"status": status}
    assert await kept(case) == []


async def used(case: Case, number: int, id_tag: str = CARD, connector_id: int = 1) -> None:
    """The reserved connector is used by a token that may: the reservation is used up."""
    await case.charging(id_tag, connector_id)
    (start,) = case.told("StartTransaction")
    assert start.payload["reservationId"] == number
    assert start.answer is not None
    assert start.answer["idTagInfo"]["status"] == "Accepted"
    session = await case.running()
    assert await kept(case) == [("used", session["sessionId"])]


async def test_tc_046_reserved_connector_is_used(csms: Csms) -> None:
    async with csms.case("046") as case:
        number = await reserved(case)
        await case.until_status("Reserved")
        await used(case, number)


async def test_tc_047_reservation_expires(csms: Csms) -> None:
    async with csms.case("047") as case:
        await reserved(case, ends_in_s=2.5)
        await case.until(lambda: case.statuses() == ["Reserved", "Available"])

        async def expired() -> bool:
            return await kept(case) == [("expired", None)]

        await case.until_api(expired)


async def test_tc_048_1_connector_is_faulted(csms: Csms) -> None:
    async with csms.case("048_1") as case:
        case.point.break_down(1, "GroundFailure")
        await case.until_status("Faulted")
        await refused(case, "Faulted")


async def test_tc_048_2_connector_is_occupied(csms: Csms) -> None:
    async with csms.case("048_2") as case:
        await case.charging()
        await refused(case, "Occupied")


async def test_tc_048_3_connector_is_unavailable(csms: Csms) -> None:
    async with csms.case("048_3") as case:
        sent = await case.operate("availability", {"connector": 1, "operative": False})
        assert sent.payload == {"connectorId": 1, "type": "Inoperative"}
        await case.until_status("Unavailable")
        await refused(case, "Unavailable")


async def test_tc_048_4_reservation_rejected(csms: Csms) -> None:
    async with csms.case("048_4") as case:
        case.talk.instead["ReserveNow"] = {"status": "Rejected"}
        await refused(case, "Rejected")


async def test_tc_049_any_connector(csms: Csms) -> None:
    async with csms.case("049") as case:
        number = await reserved(case, connector=0)
        kept_free = {"connectorId": 0, "errorCode": "NoError", "status": "Reserved"}
        assert await case.say("StatusNotification", kept_free) == {}
        await used(case, number, connector_id=2)


async def test_tc_051_reservation_cancelled(csms: Csms) -> None:
    async with csms.case("051") as case:
        number = await reserved(case)
        await case.until_status("Reserved")
        path = f"/chargers/{case.charger_id}/reservations/{number}"
        cancelled = await case.api.delete(path)
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        (sent,) = case.asked("CancelReservation")
        assert sent.payload == {"reservationId": number}
        await case.until_status("Available")
        assert await kept(case) == [("cancelled", None)]


async def test_tc_052_cancellation_rejected(csms: Csms) -> None:
    async with csms.case("052") as case:
        number = await reserved(case)
        case.talk.instead["CancelReservation"] = {"status": "Rejected"}
        path = f"/chargers/{case.charger_id}/reservations/{number}"
        refusal = await case.api.delete(path)
        assert (refusal.status_code, refusal.json()["type"]) == (502, "urn:csms:charger-refused")
        assert await kept(case) == [("active", None)]
        await used(case, number)


async def test_tc_053_reserved_for_a_group(csms: Csms) -> None:
    async with csms.case("053") as case:
        for id_token in ("ANNA", "BOB"):
            await case.api.put(f"/tokens/{id_token}", json={"parentIdToken": "FAMILY"})
        number = await reserved(case, idToken="ANNA", parentIdToken="FAMILY")
        await case.until_status("Reserved")
        await used(case, number, "BOB")
        (shown,) = case.told("Authorize")
        assert shown.payload == {"idTag": "BOB"}
        assert shown.answer == {"idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}
