"""Core: what an operator has a charger do, and the charger's own data."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.certification.played import Case, Csms


async def unlocked(case: Case, status: str, connector_id: int = 1) -> None:
    """An operator unlocks a connector, and is shown this status."""
    sent = await case.operate("unlock", {"connector": connector_id})
    assert sent.action == "UnlockConnector"
    assert sent.payload == {"connectorId": connector_id}
    assert sent.answer == {"status": status}


async def rebooted(case: Case, kind: str, reason: str) -> None:
    """A charger that charges is reset: it boots, and the session is over."""
    transaction_id = await case.charging()
    sent = await case.operate("reset", {"hard": kind == "Hard"})
    assert (sent.action, sent.payload) == ("Reset", {"type": kind})
    assert sent.answer == {"status": "Accepted"}
    (boot,) = await case.until_told("BootNotification")
    assert boot.answer is not None
    assert boot.answer["status"] == "Accepted"
    (stop,) = await case.until_told("StopTransaction")
    assert (stop.payload["transactionId"], stop.payload["reason"]) == (transaction_id, reason)
    await case.until_status("Available", 2)
    await case.until_status("Finishing")
    await case.ended(reason)
    assert case.point.boots == 2


async def test_tc_013_hard_reset(csms: Csms) -> None:
    async with csms.case("013") as case:
        await rebooted(case, "Hard", "HardReset")


async def test_tc_014_soft_reset(csms: Csms) -> None:
    async with csms.case("014") as case:
        await rebooted(case, "Soft", "SoftReset")


async def test_tc_017_1_unlock_without_a_session(csms: Csms) -> None:
    async with csms.case("017_1") as case:
        await unlocked(case, "Unlocked")
        await case.no_session()


async def test_tc_017_2_unlock_of_a_fixed_cable(csms: Csms) -> None:
    async with csms.case("017_2") as case:
        case.talk.instead["UnlockConnector"] = {"status": "NotSupported"}
        await unlocked(case, "NotSupported")


async def test_tc_018_1_unlock_during_a_session(csms: Csms) -> None:
    async with csms.case("018_1") as case:
        transaction_id = await case.charging()
        await unlocked(case, "Unlocked")
        (stop,) = await case.until_told("StopTransaction")
        assert stop.payload["transactionId"] == transaction_id
        await case.until_status("Finishing")
        await case.ended("UnlockCommand")
        case.point.unplug(1)
        await case.until_status("Available")


async def test_tc_019_1_every_configuration_key(csms: Csms) -> None:
    async with csms.case("019_1") as case:
        sent = await case.send("GetConfiguration")
        assert sent.payload == {}
        known, _ = case.point.configuration.get()
        assert sent.answer is not None
        assert [e["key"] for e in sent.answer["configurationKey"]] == [e.key for e in known]


async def test_tc_019_2_one_configuration_key(csms: Csms) -> None:
    async with csms.case("019_2") as case:
        sent = await case.send("GetConfiguration", {"key": ["SupportedFeatureProfiles"]})
        assert sent.payload == {"key": ["SupportedFeatureProfiles"]}
        assert sent.answer is not None
        ((key, readonly, value),) = (tuple(e.values()) for e in sent.answer["configurationKey"])
        assert (key, readonly) == ("SupportedFeatureProfiles", True)
        assert "SmartCharging" in value.split(",")
        unknown = await case.send("GetConfiguration", {"key": ["Nonsense"]})
        assert unknown.answer == {"configurationKey": [], "unknownKey": ["Nonsense"]}


@pytest.mark.parametrize("status", ["Accepted", "RebootRequired"])
async def test_tc_021_configuration_changed(csms: Csms, status: str) -> None:
    async with csms.case("021") as case:
        if status != "Accepted":
            case.talk.instead["ChangeConfiguration"] = {"status": status}
        asked = {"key": "MeterValueSampleInterval", "value": "77"}
        sent = await case.send("ChangeConfiguration", asked)
        assert sent.payload == asked
        assert sent.answer == {"status": status}
        kept = case.point.configuration.text("MeterValueSampleInterval")
        assert (kept == "77") is (status == "Accepted")


async def test_tc_040_1_configuration_key_not_supported(csms: Csms) -> None:
    async with csms.case("040_1") as case:
        await refused(case, "NoSuchKey", "1", "NotSupported")


async def test_tc_040_2_configuration_value_rejected(csms: Csms) -> None:
    async with csms.case("040_2") as case:
        await refused(case, "MeterValueSampleInterval", "-1", "Rejected")


async def refused(case: Case, key: str, value: str, status: str) -> None:
    """A change that changes nothing."""
    sent = await case.send("ChangeConfiguration", {"key": key, "value": value})
    assert (sent.payload, sent.answer) == ({"key": key, "value": value}, {"status": status})
    kept = {known.key: known.value for known in case.point.configuration.get()[0]}
    assert kept.get(key) != value


async def test_tc_030_unlock_fails(csms: Csms) -> None:
    async with csms.case("030") as case:
        await case.charging()
        case.talk.instead["UnlockConnector"] = {"status": "UnlockFailed"}
        await unlocked(case, "UnlockFailed")
        await case.running()
        assert await case.sessions("ended") == []


async def test_tc_031_unlock_of_a_connector_there_is_not(csms: Csms) -> None:
    async with csms.case("031") as case:
        await unlocked(case, "NotSupported", connector_id=9)


async def test_tc_061_clear_cache(csms: Csms) -> None:
    async with csms.case("061") as case:
        await case.charging()
        assert case.point.behaviour.cache
        sent = await case.send("ClearCache")
        assert (sent.payload, sent.answer) == ({}, {"status": "Accepted"})
        assert not case.point.behaviour.cache
        await case.configure("AuthorizationCacheEnabled", "false")
        assert (await case.send("ClearCache")).answer == {"status": "Rejected"}


@pytest.mark.parametrize("data", [{}, {"messageId": "Hello"}, {"messageId": "Hello", "data": "x"}])
async def test_tc_064_data_transfer(csms: Csms, data: dict[str, Any]) -> None:
    async with csms.case("064") as case:
        answer = await case.say("DataTransfer", {"vendorId": "com.example", **data})
        assert answer == {"status": "UnknownVendorId"}
