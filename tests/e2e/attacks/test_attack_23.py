"""A23: tokens tried one after the other, and copies of one.

The row's 10^5 tags are 1,000 here. Ten refused within a minute are looked up, and then none for a
minute; how the minute passes is in tests/unit/csms/control/test_access.py. The limit is the
charger's: Authorize names no connector. Where a token was seen last is not kept over a restart.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from tests.e2e.dialogue import Dialogue, csms_of, station, until

TAGS = 1_000
GOOD = "TAG0777"


async def test_only_ten_guesses_a_minute_reach_the_store(tmp_path: Path) -> None:
    strict = {
        "unknown_id_tokens": "reject",
        "id_tokens": [GOOD],
        "charger_messages_per_s": 10_000.0,
    }
    async with (
        csms_of(tmp_path, station("A", "B"), **strict) as csms,
        csms.dial("A") as guesser,
        csms.dial("B") as other,
    ):
        await guesser.boot()
        await other.boot()
        with capture_logs() as logs:
            for number in range(TAGS):
                found = await guesser.told("Authorize", {"idTag": f"TAG{number:04d}"})
                # The right one too: that one cannot tell it is what is gained.
                assert found["idTagInfo"]["status"] == "Invalid"
        assert len([e for e in logs if e["event"] == "token_refused"]) == 10
        assert csms.events("token_guessing") == ["A: 10 tokens refused within 60 s"]
        # It is the charger that is held up, not the driver.
        found = await other.told("Authorize", {"idTag": GOOD})
        assert found["idTagInfo"]["status"] == "Accepted"


async def test_a_copy_is_told_with_both_places(tmp_path: Path) -> None:
    twins = [{**station("A", "B"), "stationId": "S"}, {**station("C"), "stationId": "T"}]
    async with (
        csms_of(tmp_path, twins[0], default_station="S") as csms,
        contextlib.AsyncExitStack() as stack,
    ):
        answer = await csms.api.post("/stations/T/config", json=twins[1])
        assert answer.status_code in {200, 201}, answer.text
        one = {"concurrency": "one_per_token"}
        assert (await csms.api.put(f"/tokens/{GOOD}", json=one)).status_code in {200, 201}
        found = []
        now = datetime.now(UTC).isoformat()
        for name in ("A", "B", "C"):
            charger = await stack.enter_async_context(csms.dial(name))
            await charger.boot()
            answered = await charger.start(idTag=GOOD, timestamp=now)
            found.append(answered["idTagInfo"]["status"])
        assert found == ["Accepted", "ConcurrentTx", "ConcurrentTx"]
        assert csms.events("token_twice") == [
            f"{GOOD} at B/1 of station S, and charging at A/1 of station S",
            f"{GOOD} at C/1 of station T, and charging at A/1 of station S",
        ]
        assert csms.events("token_elsewhere") == [
            f"{GOOD} at C/1 of station T, a moment ago at B/1 of station S"
        ]
        kept = (await csms.get("/security/events"))["events"]
        assert {e["chargerId"] for e in kept if e["kind"] == "token_twice"} == {"B", "C"}
        assert [e["chargerId"] for e in kept if e["kind"] == "token_elsewhere"] == ["C"]


async def asked_all(charger: Dialogue) -> None:
    """Wait for the last question of a set-up."""
    last = {"key": ["MaxChargingProfilesInstalled"]}
    await until(lambda: last in charger.named("GetConfiguration"))


async def test_chargers_are_told_to_start_nothing_for_strangers_while_offline(
    tmp_path: Path,
) -> None:
    key = "AllowOfflineTxForUnknownId"

    def answers(action: str, payload: object) -> dict[str, object]:
        assert isinstance(payload, dict)
        if action == "GetConfiguration" and payload["key"] == [key]:
            return {"configurationKey": [{"key": key, "readonly": False, "value": "true"}]}
        if action == "GetConfiguration":
            return {"unknownKey": payload["key"]}
        return {"status": "Accepted"}

    for policy, written in (("accept", []), ("reject", [{"key": key, "value": "false"}])):
        folder = tmp_path / policy
        folder.mkdir()
        changes = {"unknown_id_tokens": policy}
        async with (
            csms_of(folder, station("A"), **changes) as csms,
            csms.dial("A", answers) as charger,
        ):
            await charger.boot()
            await asked_all(charger)
            assert charger.named("ChangeConfiguration") == written
