"""Local Auth List Management: lists of tokens that chargers hold."""

from __future__ import annotations

from typing import Any

from tests.e2e.certification.played import CARD, Case, Csms
from tests.e2e.certification.wiretap import Payload


async def synced(case: Case, state: str) -> Any:
    """An operator brings the list up to date, and is shown how that went, then and later."""
    answer = await case.api.post(f"/chargers/{case.charger_id}/local-list")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert shown["state"] == state
    assert await case.get(f"/chargers/{case.charger_id}/local-list") == shown
    return shown


async def put(case: Case, id_token: str, **properties: Any) -> None:
    """An operator says what is to be known of a token."""
    answer = await case.api.put(f"/tokens/{id_token}", json=properties)
    assert answer.status_code == 200, answer.text


async def test_tc_042_1_list_version_of_a_charger_without_lists(csms: Csms) -> None:
    async with csms.case("042_1") as case:
        case.talk.instead["GetLocalListVersion"] = {"listVersion": -1}
        shown = await synced(case, "unsupported")
        assert shown["version"] == 0
        assert [e.payload for e in case.asked("GetLocalListVersion")] == [{}]
        assert case.asked("SendLocalList") == []
        path = f"/chargers/{case.charger_id}/commands/GetLocalListVersion"
        answer = (await case.api.post(path)).json()
        assert (answer["answer"], answer["outcome"]) == ({"listVersion": -1}, "unsupported")


async def test_tc_042_2_list_version_of_an_empty_list(csms: Csms) -> None:
    async with csms.case("042_2") as case:
        sent = await case.send("GetLocalListVersion")
        assert (sent.payload, sent.answer) == ({}, {"listVersion": 0})


async def test_tc_043_1_list_not_supported(csms: Csms) -> None:
    async with csms.case("043_1") as case:
        case.talk.instead["SendLocalList"] = {"status": "NotSupported"}
        shown = await synced(case, "unsupported")
        assert (shown["version"], shown["entries"]) == (0, 0)
        asked = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": []}
        assert (await case.send("SendLocalList", asked)).payload == asked


async def test_tc_043_3_list_update_fails(csms: Csms) -> None:
    async with csms.case("043_3") as case:
        before = await synced(case, "in_sync")
        case.talk.instead["SendLocalList"] = {"status": "Failed"}
        await put(case, "FAILS")
        shown = await synced(case, "refused")
        assert shown["detail"] == "Failed"
        assert (shown["version"], shown["entries"]) == (before["version"], before["entries"])


async def test_tc_043_4_full_list(csms: Csms) -> None:
    async with csms.case("043_4") as case:
        await put(case, "CHILD", parentIdToken="FAMILY")
        shown = await synced(case, "in_sync")
        (sent,) = case.asked("SendLocalList")
        assert sent.payload["updateType"] == "Full"
        assert sent.payload["listVersion"] > 0
        entries = {e["idTag"]: e["idTagInfo"] for e in sent.payload["localAuthorizationList"]}
        assert entries[CARD] == {"status": "Accepted"}
        assert entries["CHILD"] == {"status": "Accepted", "parentIdTag": "FAMILY"}
        assert (shown["version"], shown["entries"]) == (sent.payload["listVersion"], len(entries))
        version = await case.send("GetLocalListVersion")
        assert version.answer == {"listVersion": shown["version"]}


async def test_tc_043_5_differential_list(csms: Csms) -> None:
    async with csms.case("043_5") as case:
        for id_token in ("GOES", "CHANGES"):
            await put(case, id_token)
        first = await synced(case, "in_sync")
        await put(case, "CHANGES", status="Blocked")
        await put(case, "COMES")
        await case.api.delete("/tokens/GOES")
        shown = await synced(case, "in_sync")
        sent = case.asked("SendLocalList")[-1]
        assert sent.payload["updateType"] == "Differential"
        assert sent.payload["listVersion"] == shown["version"] > first["version"]
        changes = {e["idTag"]: e.get("idTagInfo") for e in sent.payload["localAuthorizationList"]}
        assert changes == {
            "CHANGES": {"status": "Blocked"},
            "COMES": {"status": "Accepted"},
            "GOES": None,
        }

        def mismatch(payload: Payload) -> Payload | None:
            whole = payload["updateType"] == "Full"
            return None if whole else {"status": "VersionMismatch"}

        case.talk.instead["SendLocalList"] = mismatch
        await put(case, "COMES", status="Blocked")
        again = await synced(case, "in_sync")
        kinds = [e.payload["updateType"] for e in case.asked("SendLocalList")]
        assert kinds == ["Full", "Differential", "Differential", "Full"]
        assert again["version"] > shown["version"]
        held = case.point.behaviour.local_list
        assert (held.version, held.entries["comes"]) == (again["version"], {"status": "Blocked"})
