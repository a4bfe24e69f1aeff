"""Core: tokens that may not charge, and chargers that break or are without power or link."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from simulators.moment import instant
from tests.e2e.certification.played import CARD, Case, Csms, in_s
from tests.e2e.certification.wiretap import Exchange

BEGUN = ["Preparing", "Authorize", "StartTransaction", "Charging"]


async def denied(case: Case, id_tag: str, status: str) -> None:
    """A driver shows a token that is answered with this status, and nothing starts."""
    case.plug_in()
    case.point.present_token(1, id_tag)
    (asked,) = await case.until_told("Authorize")
    assert asked.payload == {"idTag": id_tag}
    assert asked.answer == {"idTagInfo": {"status": status}}
    case.point.unplug(1)
    await case.until_status("Available")
    assert case.story() == ["Preparing", "Authorize", "Available"]
    await case.no_session()


async def put(case: Case, id_token: str, **properties: Any) -> None:
    """An operator says what is to be known of a token."""
    answer = await case.api.put(f"/tokens/{id_token}", json=properties)
    assert answer.status_code == 200, answer.text


async def test_tc_023_1_token_invalid(csms: Csms) -> None:
    async with csms.case("023_1") as case:
        await denied(case, "STRANGER", "Invalid")


async def test_tc_023_2_token_expired(csms: Csms) -> None:
    async with csms.case("023_2") as case:
        await put(case, "OLD", expiresAt=in_s(-60))
        case.plug_in()
        case.point.present_token(1, "OLD")
        (asked,) = await case.until_told("Authorize")
        assert asked.answer is not None
        verdict = asked.answer["idTagInfo"]
        assert verdict["status"] == "Expired"
        assert instant(verdict["expiryDate"]) < instant(in_s(0))
        await case.no_session()


async def test_tc_023_3_token_blocked(csms: Csms) -> None:
    async with csms.case("023_3") as case:
        await put(case, "LOST", status="Blocked")
        await denied(case, "LOST", "Blocked")


async def test_tc_024_lock_failure(csms: Csms) -> None:
    async with csms.case("024") as case:
        case.plug_in()
        await case.until_status("Preparing")
        case.point.break_down(1, "ConnectorLockFailure")
        case.point.present_token(1, CARD)
        await case.until_told("Authorize")
        report = case.told("StatusNotification")[-1]
        assert report.payload["status"] == "Faulted"
        assert report.payload["errorCode"] == "ConnectorLockFailure"
        assert report.answer == {}

        async def shown() -> bool:
            connector = (await case.shown())["connectors"][0]
            seen = (connector["status"], connector["errorCode"])
            return seen == ("Faulted", "ConnectorLockFailure")

        await case.until_api(shown)
        assert case.story() == ["Preparing", "Faulted", "Authorize"]
        await case.no_session()


async def test_tc_032_1_power_failure(csms: Csms) -> None:
    async with csms.case("032_1") as case:
        transaction_id = await case.charging()
        case.point.go_offline()
        await case.until(lambda: not case.point.booted.is_set())
        case.point.reboot(power_lost=True)
        case.point.go_online()
        (boot,) = await case.until_told("BootNotification")
        assert boot.answer is not None
        assert boot.answer["status"] == "Accepted"
        (stop,) = await case.until_told("StopTransaction")
        assert (stop.payload["transactionId"], stop.payload["reason"]) == (
            transaction_id,
            "PowerLoss",
        )
        back = ["Available", "Finishing", "Available", "StopTransaction"]
        assert case.story() == [*BEGUN, *back]
        await case.ended("PowerLoss")


async def offline_start(case: Case, id_tag: str) -> None:
    """A driver comes and charges while there is no link."""
    case.point.go_offline()
    await case.until(lambda: not case.point.booted.is_set())
    # The case is about a charger that starts offline, whatever csms has set it up to do.
    case.point.behaviour.configuration.change("AllowOfflineTxForUnknownId", "true")
    case.plug_in()
    case.point.present_token(1, id_tag)
    assert case.point.behaviour.connector(1).transaction is not None


async def started(case: Case, id_tag: str, status: str) -> tuple[Exchange, int]:
    """The link is back: the start is told as it was, and answered so; its number."""
    assert case.story() == []
    await case.next_second()
    back_at = datetime.fromisoformat(in_s(0))
    case.point.go_online()
    (start,) = await case.until_told("StartTransaction")
    assert start.payload["idTag"] == id_tag
    assert instant(start.payload["timestamp"]) < back_at.timestamp()
    assert start.answer is not None
    assert start.answer["idTagInfo"] == {"status": status}
    assert start.answer["transactionId"] > 0
    return start, start.answer["transactionId"]


async def test_tc_037_1_offline_start_of_a_valid_token(csms: Csms) -> None:
    async with csms.case("037_1") as case:
        await offline_start(case, CARD)
        start, transaction_id = await started(case, CARD, "Accepted")
        session = await case.running()
        assert session["transactionId"] == transaction_id
        assert instant(session["startedAt"]) == instant(start.payload["timestamp"])
        assert case.told("Authorize") == []


async def test_tc_037_3_offline_start_of_an_invalid_token(csms: Csms) -> None:
    async with csms.case("037_3") as case:
        await offline_start(case, "STRANGER")
        _, transaction_id = await started(case, "STRANGER", "Invalid")
        (stop,) = await case.until_told("StopTransaction")
        assert (stop.payload["transactionId"], stop.payload["reason"]) == (
            transaction_id,
            "DeAuthorized",
        )
        session = await case.ended("DeAuthorized")
        assert session["idStatus"] == "Invalid"


async def test_tc_039_offline_transaction(csms: Csms) -> None:
    async with csms.case("039") as case:
        await offline_start(case, CARD)
        case.point.present_token(1, CARD)
        assert case.point.behaviour.connector(1).transaction is None
        start, transaction_id = await started(case, CARD, "Accepted")
        (stop,) = await case.until_told("StopTransaction")
        assert stop.payload["transactionId"] == transaction_id
        assert stop.answer == {"idTagInfo": {"status": "Accepted"}}
        session = await case.ended("Local")
        assert instant(session["startedAt"]) == instant(start.payload["timestamp"])
        assert instant(session["endedAt"]) == instant(stop.payload["timestamp"])
