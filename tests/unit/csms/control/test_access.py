from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from csms.control.guesses import COLD_S, MOST_REFUSED
from csms.control.recorder import RecorderSettings
from csms.ports import IdToken, TokenStatus
from csms.station.model import ConnectorKey
from tests.stations import charger, station
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import TAG, site, start_report

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


async def test_a_token_at_two_stations_is_told() -> None:
    one = replace(station(charger("A")), station_id="ONE")
    two = replace(station(charger("B")), station_id="TWO")
    async with site(one, two) as it:
        await it.start(A1)
        await it.start(ConnectorKey("B", 1), "")
        await it.start(ConnectorKey("B", 1), TAG.lower())
        await it.start(ConnectorKey("B", 2))
        texts = [e.text for e in it.supervisor.events() if e.kind == "token_elsewhere"]
        assert texts == ["tag at B/1, a moment ago at station ONE"]
