from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from csms.control.guesses import COLD_S, MOST_REFUSED, TRAVEL_S
from csms.control.recorder import RecorderSettings
from csms.ports import IdToken, StopReport, TokenStatus
from csms.station.model import ConnectorKey, Station
from csms.station.tokens import Concurrency
from tests.stations import charger, station
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import TAG, Site, site, start_report

A2, B1 = ConnectorKey("A", 2), ConnectorKey("B", 1)
HOME = "HOME"

STRICT = RecorderSettings(accept_unknown_tokens=False, free_vend_token="FREE")  # noqa: S106


async def test_the_settings_fill_the_store_when_it_opens() -> None:
    settings = RecorderSettings(accept_unknown_tokens=False, id_tokens=frozenset({"CARD"}))
    async with desk(settings) as it, asyncio.TaskGroup() as tasks:
        assert (await it.access.authorize("A", "CARD")).status is TokenStatus.INVALID
        await it.access.open(tasks.create_task)
        assert await it.access.authorize("A", "CARD") == IdToken("CARD")


async def test_a_refused_start_is_seen_to_once() -> None:
    async with desk() as it, asyncio.TaskGroup() as tasks:
        spawned: list[asyncio.Task[None]] = []

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            spawned.append(tasks.create_task(work))
            return spawned[-1]

        await it.access.open(spawn)
        await it.rig.store.save_token(IdToken("TAG", TokenStatus.BLOCKED))
        for _ in range(2):
            await it.recorder.start_session(start_report(A1))
        assert len(spawned) == 1
        await asyncio.sleep(0)
        it.access.stop()
    assert spawned[0].cancelled()


async def test_a_charger_that_guesses_is_refused_unseen_for_a_while() -> None:
    async with desk(STRICT) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        refused = [await it.recorder.authorize("A", f"T{n}") for n in range(MOST_REFUSED)]
        assert {token.status for token in refused} == {TokenStatus.INVALID}
        assert (await it.recorder.authorize("A", "GOOD")).status is TokenStatus.INVALID
        # One that needs none is no guess.
        assert (await it.recorder.authorize("A", "FREE")).status is TokenStatus.ACCEPTED
        texts = [e.text for e in it.rig.events.after(0) if e.kind == "token_guessing"]
        assert texts == ["A: 10 tokens refused within 60 s"]
        it.rig.clock.advance(COLD_S)
        assert (await it.recorder.authorize("A", "GOOD")).status is TokenStatus.ACCEPTED


async def test_what_the_database_cannot_tell_is_no_guess() -> None:
    async with desk(STRICT) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        it.rig.store.tokens_fail = True
        for number in range(2 * MOST_REFUSED):
            refused = await it.recorder.authorize("A", f"T{number}")
            assert refused.status is TokenStatus.INVALID
        it.rig.store.tokens_fail = False
        assert (await it.recorder.authorize("A", "GOOD")).status is TokenStatus.ACCEPTED


async def test_tokens_named_in_stops_are_no_guesses() -> None:
    async with desk(STRICT) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        for number in range(2 * MOST_REFUSED):
            verdict = await it.stop(None, id_token=f"T{number}")
            assert verdict == IdToken(f"T{number}", TokenStatus.INVALID)
        assert (await it.recorder.authorize("A", "GOOD")).status is TokenStatus.ACCEPTED
        assert it.rig.kinds().count("token_guessing") == 0


async def test_while_somebody_guesses_a_stop_gets_the_truth_of_its_token() -> None:
    async with desk(STRICT) as it:
        await it.rig.store.save_token(IdToken("GOOD"))
        for number in range(MOST_REFUSED):
            await it.recorder.authorize("A", f"T{number}")
        assert await it.stop(None, id_token="GOOD") == IdToken("GOOD")  # noqa: S106


def two_stations() -> tuple[Station, Station]:
    one = replace(station(charger("A")), station_id="ONE")
    return one, replace(station(charger("B")), station_id="TWO")


async def alarms(it: Site, kind: str) -> list[str]:
    """The texts of these events, each of which is among the security events too."""
    texts = [e.text for e in it.supervisor.events() if e.kind == kind]
    kept = [e.text for e in await it.store.security_events() if e.kind == kind]
    assert kept[::-1] == texts
    return texts


async def test_a_token_at_two_stations_is_told() -> None:
    async with site(*two_stations()) as it:
        await it.start(A1)
        await it.start(B1, "")
        await it.start(B1, TAG.lower())
        await it.start(ConnectorKey("B", 2))
        assert await alarms(it, "token_elsewhere") == [
            "tag at B/1 of station TWO, a moment ago at A/1 of station ONE"
        ]


async def test_a_start_that_comes_once_more_is_told_once() -> None:
    async with site(*two_stations()) as it:
        await it.start(A1)
        for _ in range(3):
            await it.start(B1)
        assert len(await alarms(it, "token_elsewhere")) == 1


async def test_a_start_that_is_told_late_says_nothing_of_where_its_token_is_now() -> None:
    async with site(*two_stations()) as it:
        await it.start(B1)
        late = replace(start_report(A1), timestamp="2026-01-01T00:00:00Z")
        report = replace(late, started_at=it.clock.now() - TRAVEL_S - 1)
        await it.supervisor.recorder.start_session(report)
        await it.quiet()
        assert await alarms(it, "token_elsewhere") == []


async def test_a_token_that_left_may_charge_elsewhere_after_a_while() -> None:
    async with site(*two_stations()) as it:
        transaction_id = await it.start(A1)
        it.clock.advance(TRAVEL_S + 1)
        stop = StopReport("A", transaction_id, 3_000, it.clock.now(), "Local")
        await it.supervisor.recorder.stop_session(stop)
        await it.quiet()
        await it.start(B1)
        assert await alarms(it, "token_elsewhere") == []
        # While a session of it runs there, however long ago that began.
        it.clock.advance(TRAVEL_S + 1)
        await it.start(A1)
        assert await alarms(it, "token_elsewhere") == [
            "TAG at A/1 of station ONE, a moment ago at B/1 of station TWO"
        ]


async def test_a_token_that_may_charge_once_and_charges_twice_is_told() -> None:
    async with desk() as it:
        await it.rig.store.save_token(IdToken(TAG, concurrency=Concurrency.ONE_PER_TOKEN))
        await it.start(A1)
        await it.start(A2)
        texts = [e.text for e in it.rig.events.after(0) if e.kind == "token_twice"]
        assert texts == ["TAG at A/2 of station SITE, and charging at A/1 of station SITE"]
        assert [e.text for e in await it.rig.store.security_events()] == texts


async def test_another_card_of_its_group_is_no_copy() -> None:
    async with desk() as it:
        for name in ("ANNA", "BERT"):
            token = IdToken(name, parent_id_token=HOME, concurrency=Concurrency.ONE_PER_GROUP)
            await it.rig.store.save_token(token)
        await it.start(A1, "ANNA")
        assert (await it.start(A2, "BERT")).id_status is TokenStatus.CONCURRENT_TX
        assert [e for e in it.rig.events.after(0) if e.kind == "token_twice"] == []


async def test_an_alarm_never_costs_an_answer() -> None:
    async with desk() as it:
        await it.rig.store.save_token(IdToken(TAG, concurrency=Concurrency.ONE_PER_TOKEN))
        await it.start(A1)
        it.rig.store.lists_to_give = 1  # to the judgement of the token, not to the alarm
        assert (await it.start(A2)).id_status is TokenStatus.CONCURRENT_TX
        assert it.rig.store.lists_to_give < 0
        assert [e for e in it.rig.events.after(0) if e.kind == "token_twice"] == []
