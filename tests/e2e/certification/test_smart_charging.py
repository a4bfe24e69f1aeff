"""Smart Charging: charging profiles that an operator sends, and those that csms sends itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.certification.played import CARD, Case, Csms, in_s
from tests.e2e.certification.wiretap import Exchange

START = "2026-01-01T00:00:00Z"
LIMIT_W = 6_000.0
SCHEDULE = {
    "chargingRateUnit": "W",
    "chargingSchedulePeriod": [
        {"startPeriod": 0, "limit": LIMIT_W, "numberPhases": 3},
        {"startPeriod": 31_536_000_0, "limit": 5_000.0, "numberPhases": 3},
    ],
}
"""The second period begins in ten years."""


def profile(purpose: str, **more: Any) -> dict[str, Any]:
    """A charging profile that an operator sends."""
    return {
        "chargingProfileId": 1_001,
        "stackLevel": 5,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"startSchedule": START, **SCHEDULE},
        **more,
    }


def seconds_only(instant: str) -> str:
    """A time as csms wants it of an operator."""
    return f"{instant[:19]}Z"


async def told(case: Case, connector_id: int, sent_profile: dict[str, Any]) -> Exchange:
    """An operator sends a profile: it goes out as it was given, and is accepted."""
    asked = {"connectorId": connector_id, "csChargingProfiles": sent_profile}
    sent = await case.send("SetChargingProfile", asked)
    assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
    return sent


async def not_sent(case: Case, wrong: dict[str, Any]) -> None:
    """An operator is not let send a profile that is not as the standard has it."""
    path = f"/chargers/{case.charger_id}/commands/SetChargingProfile"
    refused = await case.api.post(path, json={"connectorId": 1, "csChargingProfiles": wrong})
    assert refused.status_code == 422, refused.text


def own(case: Case, purpose: str) -> list[dict[str, Any]]:
    """The profiles of a purpose that csms has sent by itself, ever."""
    sent = case.talk.of("SetChargingProfile", by_csms=True)
    profiles = [e.payload["csChargingProfiles"] for e in sent]
    return [
        p
        for p in profiles
        if p["chargingProfilePurpose"] == purpose and p["chargingProfileId"] < 1_000
    ]


def as_the_standard_has_it(it: dict[str, Any]) -> None:
    """What every profile of csms must be like (errata 3.45, 3.69; §7.8)."""
    schedule = it["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"][0]["startPeriod"] == 0
    assert ("startSchedule" in schedule) is (it["chargingProfileKind"] == "Absolute")
    assert ("transactionId" in it) is (it["chargingProfilePurpose"] == "TxProfile")
    assert "recurrencyKind" not in it


async def test_tc_056_default_profile(csms: Csms) -> None:
    async with csms.case("056") as case:
        validity = {"validFrom": START, "validTo": seconds_only(in_s(86_400.0))}
        await told(case, 1, profile("TxDefaultProfile", **validity))
        assert 1_001 in installed(case)
        for each in own(case, "TxDefaultProfile"):
            as_the_standard_has_it(each)
        await not_sent(case, profile("TxDefaultProfile", transactionId=1))
        await not_sent(case, profile("TxDefaultProfile", recurrencyKind="Daily"))


@pytest.mark.parametrize("kind", ["Absolute", "Relative"])
async def test_tc_057_profile_of_a_transaction(csms: Csms, kind: str) -> None:
    async with csms.case("057") as case:
        transaction_id = await case.charging()
        made = profile("TxProfile", transactionId=transaction_id, chargingProfileKind=kind)
        if kind == "Relative":
            made["chargingSchedule"] = SCHEDULE
        await told(case, 1, made)
        other = {"Absolute": "Relative", "Relative": "Absolute"}[kind]
        await not_sent(case, made | {"chargingProfileKind": other})
        connector = case.point.behaviour.connector(1)
        await case.until(lambda: connector.limit_w == LIMIT_W)
        await case.until(lambda: case.quiet or own(case, "TxProfile"))
        for each in own(case, "TxProfile"):
            as_the_standard_has_it(each)
            assert each["transactionId"] == transaction_id
        case.point.unplug(1)
        await case.until_status("Available")
        await case.next_second()


async def test_tc_059_remote_start_with_a_profile(csms: Csms) -> None:
    async with csms.case("059") as case:
        case.plug_in()
        await case.until_status("Preparing")
        asked = {"connectorId": 1, "idTag": CARD, "chargingProfile": profile("TxProfile")}
        sent = await case.send("RemoteStartTransaction", asked)
        assert (sent.payload, sent.answer) == (asked, {"status": "Accepted"})
        await case.running()
        path = f"/chargers/{case.charger_id}/commands/RemoteStartTransaction"
        for more in ({"transactionId": 1}, {"chargingProfilePurpose": "TxDefaultProfile"}):
            wrong = {**asked, "chargingProfile": profile("TxProfile") | more}
            assert (await case.api.post(path, json=wrong)).status_code == 422


async def test_tc_066_composite_schedule(csms: Csms) -> None:
    async with csms.case("066") as case:
        transaction_id = await case.charging()
        await told(case, 1, profile("TxProfile", transactionId=transaction_id))
        asked = {"connectorId": 1, "duration": 300, "chargingRateUnit": "W"}
        sent = await case.send("GetCompositeSchedule", asked)
        assert sent.payload == asked
        assert sent.answer is not None
        assert (sent.answer["status"], sent.answer["connectorId"]) == ("Accepted", 1)
        schedule = sent.answer["chargingSchedule"]
        assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": LIMIT_W}]
        sent = await case.send("GetCompositeSchedule", {"connectorId": 9, "duration": 300})
        assert sent.payload == {"connectorId": 9, "duration": 300}
        assert sent.answer == {"status": "Rejected"}


async def test_tc_067_clear_profiles(csms: Csms) -> None:
    async with csms.case("067") as case:
        transaction_id = await case.charging()
        await told(case, 0, profile("ChargePointMaxProfile", chargingProfileId=1_001))
        await told(case, 1, profile("TxDefaultProfile", chargingProfileId=1_002))
        of_it = {"chargingProfileId": 1_003, "transactionId": transaction_id}
        await told(case, 1, profile("TxProfile", **of_it))
        stack = {
            "connectorId": 1,
            "chargingProfilePurpose": "TxDefaultProfile",
            "stackLevel": 5,
        }
        for which, left in (({"id": 1_001}, {1_002, 1_003}), (stack, {1_003}), ({}, set())):
            cleared = await case.send("ClearChargingProfile", which)
            assert (cleared.payload, cleared.answer) == (which, {"status": "Accepted"})
            assert {number for number in installed(case) if number > 1_000} == left
        unknown = await case.send("ClearChargingProfile", {"id": 4_242})
        assert unknown.answer == {"status": "Unknown"}
        # What was cleared of csms's own is put in force again.
        defaults = set() if case.quiet else {1, 2}
        await case.until(lambda: defaults <= {i.connector_id for i in kept(case)})


def installed(case: Case) -> list[int]:
    """The ids of the profiles that the charger holds."""
    return [item.profile.profile_id for item in kept(case)]


def kept(case: Case) -> Any:
    """The profiles that the charger holds."""
    return case.point.behaviour.profiles.installed
