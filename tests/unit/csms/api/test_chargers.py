"""What operators look at."""

from __future__ import annotations

from csms.control.admission import Knock
from csms.control.events import Event
from csms.errors import UnknownChargerError
from csms.ports import Frame, Quarantined
from csms.station.model import ConnectorKey
from tests.unit.csms.api.fakes import STARTED_AT, Api


async def test_refused_chargers_are_listed(api: Api) -> None:
    api.operations.knocks = [Knock("CP9", "10.0.0.9", STARTED_AT, STARTED_AT + 5, 3)]
    assert await api.get("/chargers/knocked") == {
        "chargers": [
            {
                "chargerId": "CP9",
                "address": "10.0.0.9",
                "firstAt": "2023-11-14T22:13:20.250000Z",
                "lastAt": "2023-11-14T22:13:25.250000Z",
                "count": 3,
            }
        ]
    }


async def test_frames_of_a_charger_are_shown(api: Api) -> None:
    for number, inbound in ((1, True), (2, False), (3, True)):
        api.archive.frame(Frame("CP001", STARTED_AT + number, inbound, f"[{number}]\x00"))
    assert await api.get("/chargers/CP001/frames?limit=2") == {
        "chargerId": "CP001",
        "frames": [
            {"at": "2023-11-14T22:13:22.250000Z", "direction": "out", "text": "[2]�"},
            {"at": "2023-11-14T22:13:23.250000Z", "direction": "in", "text": "[3]�"},
        ],
    }


async def test_a_known_charger_without_frames_is_no_error(api: Api) -> None:
    assert (await api.get("/chargers/CP001/frames"))["frames"] == []


async def test_a_charger_nobody_knows_is_not_found(api: Api) -> None:
    problem = await api.problem(404, "GET", "/chargers/CP9/frames")
    assert problem["type"] == "urn:csms:unknown-charger"


async def test_messages_that_could_not_be_used_are_shown(api: Api) -> None:
    for number in (1, 2, 3):
        await api.archive.quarantine(
            Quarantined("CP001", STARTED_AT + number, "StopTransaction", "why", f"{number}\x07")
        )
    assert await api.get("/chargers/CP001/quarantine?limit=1") == {
        "chargerId": "CP001",
        "messages": [
            {
                "at": "2023-11-14T22:13:23.250000Z",
                "action": "StopTransaction",
                "reason": "why",
                "payload": "3�",
            }
        ],
    }


async def test_the_quarantine_of_a_charger_nobody_knows_is_not_found(api: Api) -> None:
    problem = await api.problem(404, "GET", "/chargers/CP9/quarantine")
    assert problem["type"] == "urn:csms:unknown-charger"
    await api.archive.quarantine(Quarantined("CP9", STARTED_AT, "StopTransaction", "why", "{}"))
    assert len((await api.get("/chargers/CP9/quarantine"))["messages"]) == 1


async def test_events_are_read_on_from_a_number(api: Api) -> None:
    api.operations.journal = [
        Event(n, STARTED_AT, "S1", "session_started", f"event {n}") for n in (1, 2, 3)
    ]
    listed = await api.get("/events?after=1")
    assert (listed["last"], [e["number"] for e in listed["events"]]) == (3, [2, 3])
    assert listed["events"][0] == {
        "number": 2,
        "at": "2023-11-14T22:13:20.250000Z",
        "stationId": "S1",
        "kind": "session_started",
        "text": "event 2",
    }
    assert await api.get("/events?after=3") == {"last": 3, "events": []}


async def test_the_last_number_is_one_that_was_given(api: Api) -> None:
    assert await api.get("/events?after=9999999") == {"last": 1_000, "events": []}


async def test_a_bad_event_number_is_refused(api: Api) -> None:
    problem = await api.problem(422, "GET", "/events?after=-1")
    assert [e["field"] for e in problem["errors"]] == ["after"]


async def test_a_pardon_reaches_the_core_and_answers_how_the_connector_stands(api: Api) -> None:
    answer = await api.request("POST", "/chargers/CP001/pardon", json={"connector": 2})
    shown = answer.json()
    assert answer.status_code == 200
    assert api.operations.asked[0] == ("pardon", ConnectorKey("CP001", 2))
    assert (shown["idx"], shown["condition"], shown["reason"]) == (2, "CONTROLLED", None)


async def test_a_stranger_is_not_pardoned(api: Api) -> None:
    api.operations.error = UnknownChargerError("no station has a charger 'CP9'")
    problem = await api.problem(404, "POST", "/chargers/CP9/pardon", json={"connector": 1})
    assert problem["type"] == "urn:csms:unknown-charger"
