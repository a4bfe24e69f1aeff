"""A6: starts and stops that are sent twice, or contradict each other.

Any interleaving of starts, stops, repetitions and reboots is in tests/properties/transactions.py
(`--examples 10000` is the row's count); here the plain cases run over a socket.
"""

from __future__ import annotations

from pathlib import Path

from tests.e2e.dialogue import csms_of, start, station, stop

TIMES = 50


async def test_a_start_sent_many_times_is_one_session(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms:
        answers = []
        for _ in range(5):
            async with csms.dial("A") as charger:
                await charger.boot()
                answers += [await charger.start() for _ in range(TIMES // 5)]
        assert answers == [answers[0]] * TIMES
        assert answers[0]["idTagInfo"] == {"status": "Accepted"}
        assert len(await csms.sessions("running")) == 1


async def test_the_first_stop_has_the_last_word(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.boot()
        one = (await charger.start())["transactionId"]
        first = await charger.told("StopTransaction", stop(one))
        for _ in range(3):
            assert await charger.told("StopTransaction", stop(one)) == first
        assert await csms.quarantined("A") == []
        for meter in (2_000, 9_999_999, 0):
            assert await charger.told("StopTransaction", stop(one, meterStop=meter)) == first
        later = stop(one, timestamp="2026-01-01T12:00:00Z")
        assert await charger.told("StopTransaction", later) == first
        (ended,) = await csms.sessions("ended")
        assert (ended["energy"], ended["endedAt"][:19]) == (1.0, "2026-01-01T11:00:00")
        assert len(await csms.quarantined("A")) == 4
        assert len(csms.events("quarantined")) == 4


async def test_a_start_after_its_stop_opens_nothing(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.boot()
        one = await charger.start()
        await charger.told("StopTransaction", stop(one["transactionId"]))
        assert await charger.told("StartTransaction", start()) == one
        assert await csms.sessions("running") == []
        assert len(await csms.sessions("ended")) == 1


async def test_a_stop_without_an_id_ends_the_one_session_it_can_be_of(tmp_path: Path) -> None:
    async with csms_of(tmp_path, station("A")) as csms, csms.dial("A") as charger:
        await charger.boot()
        await charger.start()
        for transaction_id in (-1, -1, None, 0):
            assert await charger.told("StopTransaction", stop(transaction_id)) == {}
        assert len(await csms.sessions("ended")) == 1
        assert await csms.quarantined("A") == []
