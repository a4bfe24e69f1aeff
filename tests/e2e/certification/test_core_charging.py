"""Core: charging, from cold boot to the end of a session, started locally or from afar."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import datetime

from tests.e2e.certification.played import CARD, Case, Csms
from tests.e2e.quick import CONFIG

OVER = ["StopTransaction", "Finishing"]
FREE = [*OVER, "Available"]


def accepted(case: Case, transaction_id: int) -> None:
    """Both the question and the start were answered as for a token that may charge."""
    assert [e.answer for e in case.told("Authorize")] == [{"idTagInfo": {"status": "Accepted"}}]
    (start,) = case.told("StartTransaction")
    assert start.answer == {
        "transactionId": transaction_id,
        "idTagInfo": {"status": "Accepted"},
    }
    assert transaction_id > 0


async def leave(case: Case, reason: str) -> None:
    """The vehicle leaves; the session has ended once, for this reason."""
    case.point.unplug(1)
    await case.until_status("Available")
    (stop,) = case.told("StopTransaction")
    assert stop.payload.get("reason") == reason
    session = await case.ended(reason)
    assert session["transactionId"] == stop.payload["transactionId"]


async def test_tc_001_cold_boot(csms: Csms) -> None:
    async with csms.case("001", whole=True) as case:
        (boot,) = case.told("BootNotification")
        assert boot.answer is not None
        now = datetime.fromisoformat(boot.answer.pop("currentTime"))
        assert abs(now.timestamp() - time.time()) < 60
        assert boot.answer == {"status": "Accepted", "interval": CONFIG.heartbeat_interval_s}
        reports = case.told("StatusNotification")
        told = [(e.payload["connectorId"], e.payload["status"], e.answer) for e in reports]
        assert told == [(number, "Available", {}) for number in range(3)]
        case.point.trigger("Heartbeat")
        (beat,) = await case.until_told("Heartbeat")
        assert beat.answer is not None
        assert re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", beat.answer["currentTime"])
        assert list(beat.answer) == ["currentTime"]


async def test_tc_003_plug_in_first(csms: Csms) -> None:
    async with csms.case("003") as case:
        transaction_id = await case.charging()
        accepted(case, transaction_id)
        case.point.trigger("MeterValues", 1)
        values = (await case.until_told("MeterValues"))[0]
        assert (values.payload["transactionId"], values.answer) == (transaction_id, {})
        case.point.present_token(1, CARD)
        await case.until_status("Finishing")
        (stop,) = await case.until_told("StopTransaction")
        assert stop.payload["idTag"] == CARD
        assert stop.answer == {"idTagInfo": {"status": "Accepted"}}
        assert [e.answer for e in case.told("Authorize")] == 2 * [
            {"idTagInfo": {"status": "Accepted"}}
        ]
        await leave(case, "Local")
        begun = ["Preparing", "Authorize", "StartTransaction", "Charging"]
        assert case.story() == [*begun, "Authorize", *FREE]


async def test_tc_004_1_token_first(csms: Csms) -> None:
    async with csms.case("004_1") as case:
        case.point.present_token(1, CARD)
        await case.until_status("Preparing")
        assert await case.sessions() == []
        case.plug_in()
        await case.until_status("Charging")
        accepted(case, (await case.running())["transactionId"])
        await leave(case, "EVDisconnected")
        assert case.story() == ["Authorize", "Preparing", "StartTransaction", "Charging", *FREE]


async def test_tc_004_2_token_first_and_no_vehicle_comes(csms: Csms) -> None:
    async with csms.case("004_2") as case:
        await case.configure("ConnectionTimeOut", "1")
        case.point.present_token(1, CARD)
        await case.until_status("Preparing")
        await case.until_status("Available")
        assert case.story() == ["Authorize", "Preparing", "Available"]
        await case.no_session()


async def test_tc_005_1_vehicle_disconnects(csms: Csms) -> None:
    async with csms.case("005_1") as case:
        vehicle = case.plug_in()
        case.point.present_token(1, CARD)
        await case.until_status("Charging")
        vehicle.want(0.0)
        await case.until_status("SuspendedEV")
        assert len(await case.sessions()) == 1
        await leave(case, "EVDisconnected")
        assert case.story()[-4:] == ["SuspendedEV", *FREE]


async def test_tc_007_token_known_to_the_charger(csms: Csms) -> None:
    async with csms.case("007") as case:
        card = "CACHED"
        put = await case.api.put(f"/tokens/{card}", json={})
        assert put.status_code == 200
        await case.configure("LocalPreAuthorize", "true")
        await case.charging(card)
        await leave(case, "EVDisconnected")
        await case.next_second()
        case.begun = len(case.talk.exchanges)
        transaction_id = await case.charging(card)
        assert case.story() == ["Preparing", "StartTransaction", "Charging"]
        (start,) = case.told("StartTransaction")
        assert start.answer == {
            "transactionId": transaction_id,
            "idTagInfo": {"status": "Accepted"},
        }
        case.point.unplug(1)
        await case.until_status("Available")
        await case.next_second()
        # The charger still believes in the token: csms must not.
        await case.api.put(f"/tokens/{card}", json={"status": "Blocked"})
        case.plug_in()
        case.point.present_token(1, card)
        _, start = await case.until_told("StartTransaction", 2)
        assert start.answer is not None
        assert start.answer["idTagInfo"] == {"status": "Blocked"}
        assert start.answer["transactionId"] not in {0, transaction_id}
        assert case.told("Authorize") == []


async def test_tc_010_remote_start_vehicle_first(csms: Csms) -> None:
    async with csms.case("010") as case:
        await case.configure("AuthorizeRemoteTxRequests", "true")
        case.plug_in()
        await case.until_status("Preparing")
        begun = await case.start()
        assert begun.status_code == 201, begun.text
        (asked,) = case.asked("RemoteStartTransaction")
        assert asked.payload == {"connectorId": 1, "idTag": CARD}
        session = begun.json()["session"]
        accepted(case, session["transactionId"])
        assert (session["idToken"], session["connectorId"]["idx"]) == (CARD, 1)
        await case.until_status("Charging")
        assert case.story() == ["Preparing", "Authorize", "StartTransaction", "Charging"]


async def test_tc_011_1_remote_start_before_the_vehicle(csms: Csms) -> None:
    async with csms.case("011_1") as case, asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(case.start())
        await case.until_status("Preparing")
        assert await case.sessions() == []
        case.plug_in()
        begun = await starting
        assert begun.status_code == 201, begun.text
        (start,) = case.told("StartTransaction")
        assert start.answer is not None
        assert begun.json()["session"]["transactionId"] == start.answer["transactionId"]
        await case.until_status("Charging")
        assert case.story() == ["Preparing", "StartTransaction", "Charging"]


async def test_tc_011_2_remote_start_and_no_vehicle_comes(csms: Csms) -> None:
    async with csms.case("011_2") as case:
        await case.configure("ConnectionTimeOut", "1")
        sent = await case.send("RemoteStartTransaction", {"connectorId": 1, "idTag": CARD})
        assert sent.answer == {"status": "Accepted"}
        await case.until_status("Preparing")
        await case.until_status("Available")
        assert case.story() == ["Preparing", "Available"]
        await case.no_session()


async def test_tc_012_remote_stop(csms: Csms) -> None:
    async with csms.case("012") as case:
        transaction_id = await case.charging()
        session = await case.running()
        stopped = await case.api.delete(
            f"/stations/{case.station_id}/sessions/{session['sessionId']}"
        )
        assert stopped.status_code == 200, stopped.text
        assert stopped.json()["session"]["reason"] == "Remote"
        (asked,) = case.asked("RemoteStopTransaction")
        assert asked.payload == {"transactionId": transaction_id}
        await leave(case, "Remote")
        assert case.story()[-3:] == FREE


async def test_tc_026_remote_start_rejected(csms: Csms) -> None:
    async with csms.case("026") as case:
        case.talk.instead["RemoteStartTransaction"] = {"status": "Rejected"}
        refused = await case.start()
        assert (refused.status_code, refused.json()["type"]) == (502, "urn:csms:charger-refused")
        sent = await case.send("RemoteStartTransaction", {"idTag": CARD})
        assert sent.payload == {"idTag": CARD}
        assert sent.answer == {"status": "Rejected"}
        await case.no_session()


async def test_tc_028_remote_stop_rejected(csms: Csms) -> None:
    async with csms.case("028") as case:
        transaction_id = await case.charging()
        session = await case.running()
        # No charger knows this number.
        sent = await case.send("RemoteStopTransaction", {"transactionId": 2**31 - 1})
        assert sent.answer == {"status": "Rejected"}
        case.talk.instead["RemoteStopTransaction"] = {"status": "Rejected"}
        path = f"/stations/{case.station_id}/sessions/{session['sessionId']}"
        refused = await case.api.delete(path)
        assert (refused.status_code, refused.json()["type"]) == (502, "urn:csms:charger-refused")
        assert case.asked("RemoteStopTransaction")[-1].payload == {"transactionId": transaction_id}
        assert (await case.running())["sessionId"] == session["sessionId"]
        assert await case.sessions("ended") == []
