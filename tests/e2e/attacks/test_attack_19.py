"""A19: formulas in what is exported as CSV.

csms exports nothing as CSV: sessions and tokens are read as JSON, and the one CSV there is comes in
(`POST /tokens/import`). The first test fails when that changes: then the row's own test is due.
"""

from __future__ import annotations

from pathlib import Path

from tests.e2e.dialogue import csms_of, station, stop

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")', "=cmd|'/C x'!A0"]


async def test_no_answer_is_a_table_for_a_spreadsheet(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        described = await csms.get("/openapi.json")
        kinds = {
            kind
            for methods in described["paths"].values()
            for route in methods.values()
            for answer in route["responses"].values()
            for kind in answer.get("content", {})
        }
        assert kinds <= {"application/json", "application/problem+json", "text/plain"}


async def test_a_formula_as_token_is_text_in_json_and_no_token_to_import(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.boot()
        for number, formula in enumerate(FORMULAS):
            moment = f"2026-01-01T10:00:0{number}Z"
            one = await charger.start(idTag=formula, timestamp=moment)
            ends = stop(one["transactionId"], timestamp=f"2026-01-01T11:00:0{number}Z")
            await charger.told("StopTransaction", ends)
        shown = {session["idToken"] for session in await csms.sessions("ended")}
        assert shown == {formula[:20] for formula in FORMULAS}
        answer = await csms.api.get("/stations/S/sessions?state=ended")
        assert answer.headers["content-type"] == "application/json"
        assert "content-disposition" not in answer.headers
