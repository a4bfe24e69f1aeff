"""Id tokens, local lists and reservations on a running csms, with simulated chargers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from simulators.vehicle.vehicle import ConstantVehicle
from tests.e2e.test_api import Bench, bench, until


async def put(csms: Bench, id_token: str, **properties: Any) -> None:
    answer = await csms.api.put(f"/tokens/{id_token}", json=properties)
    assert answer.status_code == 200, answer.text


async def shown(csms: Bench, connector: int, id_token: str) -> None:
    """A driver plugs in and shows a token at CP001."""
    point = csms.site.points["CP001"]
    point.plug_in(connector, ConstantVehicle(50_000.0))
    point.present_token(connector, id_token)


async def running(csms: Bench, *tokens: str) -> None:
    async def reached() -> bool:
        sessions = (await csms.get("/station/status"))["sessions"].values()
        return sorted(s["idToken"] for s in sessions) == sorted(tokens)

    await until(reached)


async def test_only_those_who_may_charge_do(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001", unknown_id_tokens="reject", id_tokens=["CARD"]) as csms:
        await csms.under_control("CP001")
        text = "idToken,status,concurrency\nANNA,,one_per_token\nLOST,Blocked,\n"
        imported = await csms.api.post("/tokens/import", content=text)
        assert imported.json() == {"imported": 2}
        point = csms.site.points["CP001"]
        await shown(csms, 1, "ANNA")
        await running(csms, "ANNA")
        # The charger asks before it starts: only the start itself is concurrent.
        await shown(csms, 2, "anna")

        async def refused() -> bool:
            ended = (await csms.get("/stations/API/sessions?state=ended"))["sessions"]
            return [(s["idStatus"], s["reason"]) for s in ended] == [
                ("ConcurrentTx", "DeAuthorized")
            ]

        await until(refused)
        for id_token in ("LOST", "NOBODY"):
            point.present_token(2, id_token)
        point.present_token(2, "card")
        await running(csms, "ANNA", "card")


async def test_a_local_list_follows_the_tokens(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        held = csms.site.points["CP001"].behaviour.local_list
        for number in range(25):
            await put(csms, f"TAG{number:02}")
        path = "/chargers/CP001/local-list"
        answer = (await csms.api.post(path)).json()
        assert (answer["state"], answer["version"], answer["entries"]) == ("in_sync", 3, 25)
        assert (held.version, len(held.entries)) == (3, 25)
        await put(csms, "TAG03", status="Blocked", parentIdToken="FAMILY")
        await csms.api.delete("/tokens/TAG04")
        assert (await csms.api.post(path)).json()["version"] == 4
        assert held.entries["tag03"] == {"status": "Blocked", "parentIdTag": "FAMILY"}
        assert "tag04" not in held.entries
        held.version = 77
        answer = (await csms.api.post(path)).json()
        assert (answer["state"], held.version, len(held.entries)) == ("in_sync", 80, 24)
        assert await csms.get(path) == answer


async def test_a_reservation_is_used_up_by_its_group(tmp_path: Path) -> None:
    async with bench(tmp_path, "CP001") as csms:
        await csms.under_control("CP001")
        for id_token in ("ANNA", "BOB"):
            await put(csms, id_token, parentIdToken="FAMILY")
        path = "/chargers/CP001/reservations"
        until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        asked = {"connector": 1, "idToken": "ANNA", "expiresAt": until_then}
        made = await csms.api.post(path, json=asked)
        assert made.status_code == 201, made.text
        assert made.json()["parentIdToken"] == "FAMILY"
        again = await csms.api.post(path, json=asked)
        assert (again.status_code, again.json()["type"]) == (502, "urn:csms:charger-refused")

        async def reserved() -> bool:
            (charger, *_) = (await csms.get("/station/status"))["chargers"]
            return str(charger["connectors"][0]["status"]) == "Reserved"

        await until(reserved)
        await shown(csms, 1, "BOB")
        await running(csms, "BOB")
        (used,) = (await csms.get(path))["reservations"]
        assert used["state"] == "used"
        assert used["sessionId"] in (await csms.get("/station/status"))["sessions"]


async def test_a_reservation_is_cancelled_and_survives_a_restart(tmp_path: Path) -> None:
    path = "/chargers/CP001/reservations"
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with bench(tmp_path, "CP001") as csms:
        for connector in (1, 2):
            asked = {"connector": connector, "idToken": "ANNA", "expiresAt": until_then}
            assert (await csms.api.post(path, json=asked)).status_code == 201
        cancelled = await csms.api.delete(f"{path}/1")
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    async with bench(tmp_path) as csms:
        found = (await csms.get(path))["reservations"]
        assert [(r["reservationId"], r["state"]) for r in found] == [
            (1, "cancelled"),
            (2, "active"),
        ]
