"""Remote Trigger: messages that an operator asks a charger for."""

from __future__ import annotations

from tests.e2e.certification.played import Csms

IDLE = [
    ("DiagnosticsStatusNotification", {"status": "Idle"}),
    ("FirmwareStatusNotification", {"status": "Idle"}),
]


async def test_tc_054_triggered_messages(csms: Csms) -> None:
    async with csms.case("054") as case:
        for message in ("MeterValues", "StatusNotification"):
            asked = {"requestedMessage": message, "connectorId": 1}
            sent = await case.send("TriggerMessage", asked)
            assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
            (told,) = await case.until_told(message)
            assert (told.payload["connectorId"], told.answer) == (1, {})
        (values,) = case.told("MeterValues")[0].payload["meterValue"]
        assert {v["context"] for v in values["sampledValue"]} == {"Trigger"}
        sent = await case.send("TriggerMessage", {"requestedMessage": "Heartbeat"})
        assert sent.answer == {"status": "Accepted"}
        (beat,) = await case.until_told("Heartbeat")
        assert list(beat.answer or {}) == ["currentTime"]
        for message, payload in IDLE:
            sent = await case.send("TriggerMessage", {"requestedMessage": message})
            assert sent.answer == {"status": "Accepted"}
            (told,) = await case.until_told(message)
            assert (told.payload, told.answer) == (payload, {})


async def test_tc_055_trigger_rejected(csms: Csms) -> None:
    async with csms.case("055") as case:
        asked = {"requestedMessage": "MeterValues", "connectorId": 9}
        sent = await case.send("TriggerMessage", asked)
        assert (sent.payload, sent.answer) == (asked, {"status": "Rejected"})
        case.talk.instead["TriggerMessage"] = {"status": "NotImplemented"}
        asked = {"requestedMessage": "FirmwareStatusNotification"}
        sent = await case.send("TriggerMessage", asked)
        assert sent.answer == {"status": "NotImplemented"}
        assert case.told("MeterValues") == []
