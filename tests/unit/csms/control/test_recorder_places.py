"""Starts on connectors nobody knows, and starts that are told late."""

from __future__ import annotations

import pytest

from csms.control.view import station_status
from csms.ports import IdToken, StopReport, TokenStatus
from csms.station.facts import ConnectorStatusReported, MeterSample
from csms.station.model import ConnectorKey
from csms.station.state import UNCONFIGURED_KEPT, ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.desk import A1, desk
from tests.unit.csms.control.fakes import START, start_report

ELSEWHERE = ConnectorKey("Z", 1)


@pytest.mark.parametrize("number", [0, -1, 3, 9])
async def test_a_start_on_a_connector_the_charger_does_not_have_is_kept_and_not_accepted(
    number: int,
) -> None:
    key = ConnectorKey("A", number)
    async with desk() as it:
        for _ in range(2):
            verdict = await it.recorder.start_session(start_report(key))
            assert verdict.token.status is TokenStatus.INVALID
        await it.rig.quiet()
        (stored,) = await it.rig.store.running()
        assert (stored.connector, stored.id_status) == (key, TokenStatus.INVALID)
        assert stored.transaction_id == verdict.transaction_id
        assert it.rig.loop.state.sessions() == []
        assert it.rig.kinds().count("session_on_unknown_connector") == 1
        assert "session_started" not in it.rig.kinds()
        last = it.rig.events.after(0)[-1]
        assert (last.station_id, last.text) == ("SITE", f"A/{number} by TAG")


async def test_a_start_on_connector_zero_of_a_charger_with_one_is_on_that_one() -> None:
    async with desk(connectors=1) as it:
        stored = await it.start(ConnectorKey("A", 0))
        assert (stored.connector, stored.id_status) == (A1, TokenStatus.ACCEPTED)
        session = it.session()
        assert session is not None
        assert session.session_id == stored.session_id


async def test_a_start_at_a_charger_of_no_station_is_kept_and_not_accepted() -> None:
    async with desk() as it:
        stored = await it.start(ELSEWHERE)
        assert (stored.station_id, stored.id_status) == ("", TokenStatus.INVALID)
        assert await it.rig.store.running() == [stored]
        assert "session_started" not in it.rig.kinds()
        assert it.rig.kinds()[-1] == "session_on_unknown_connector"


# ---------------------------------------------------------------- more than is configured


async def test_a_connector_that_is_not_configured_is_told_of_once() -> None:
    async with desk() as it:
        for number in (0, 1, -1, 3, 3):
            key = ConnectorKey("A", number)
            it.recorder.record(ConnectorStatusReported(key, START, ConnectorStatus.AVAILABLE))
            it.recorder.record(MeterSample(key, START, power_w=1_000))
        it.recorder.record(MeterSample(ConnectorKey("A", 4), START, power_w=1_000))
        await it.rig.quiet()
        told = [e.text for e in it.rig.events.after(0) if e.kind == "connector_not_configured"]
        assert told == [f"A/{n} is not configured" for n in (3, 4)]
        (shown,) = station_status(it.rig.loop, START).chargers
        assert shown.unconfigured == (3, 4)


async def test_a_connector_that_is_configured_later_is_not_missing_any_more() -> None:
    async with desk() as it:
        key = ConnectorKey("A", 3)
        it.recorder.record(ConnectorStatusReported(key, START, ConnectorStatus.AVAILABLE))
        await it.rig.quiet()
        assert it.rig.loop.state.unconfigured("A") == [3]
        assert await it.rig.loop.change(station(charger("A", connectors=3)), ["A"]) == []
        assert it.rig.loop.state.unconfigured("A") == []


async def test_a_charger_that_names_ever_new_connectors_is_heard_only_so_long() -> None:
    async with desk() as it:
        for number in range(3, 100):
            it.recorder.record(MeterSample(ConnectorKey("A", number), START, power_w=1))
        await it.rig.quiet()
        assert it.rig.kinds().count("connector_not_configured") == UNCONFIGURED_KEPT
        assert len(it.rig.loop.state.unconfigured("A")) == UNCONFIGURED_KEPT


# ------------------------------------------------------------------------------ history

TODAY = 1_780_000_000.0
WEEK_S = 7 * 86_400.0


async def test_an_older_start_told_late_ends_nobody() -> None:
    async with desk() as it:
        it.rig.clock.advance(TODAY - START)
        live = await it.start(A1)
        before = it.rig.kinds()
        late = start_report(A1, "OLD", 0, TODAY - WEEK_S)
        verdict = await it.recorder.start_session(late)
        assert verdict.token == IdToken("OLD")
        assert await it.recorder.start_session(late) == verdict
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.session_id == live.session_id
        assert [s.session_id for s in await it.rig.store.running()] == [live.session_id]
        (over,) = await it.rig.store.ended("SITE")
        assert (over.ended_at, over.reason, over.provisional) == (
            live.started_at,
            "Superseded",
            True,
        )
        await it.recorder.stop_session(
            StopReport("A", verdict.transaction_id, 900, TODAY - WEEK_S + 60)
        )
        await it.rig.quiet()
        assert [(s.id_token, s.energy_wh) for s in await it.rig.store.ended("SITE")] == [
            ("OLD", 900)
        ]
        assert it.session() == session
        assert it.rig.kinds() == before


async def test_what_is_told_of_a_past_session_is_kept_with_it_and_no_news() -> None:
    async with desk() as it:
        it.rig.clock.advance(TODAY - START)
        await it.start(A1)
        late = start_report(A1, "OLD", 100, TODAY - WEEK_S)
        verdict = await it.recorder.start_session(late)
        sample = MeterSample(
            A1, TODAY, power_w=9_000, energy_wh=400, transaction_id=verdict.transaction_id
        )
        it.recorder.record(sample)
        await it.rig.quiet()
        assert it.rig.loop.state.connectors[A1].reading is None
        (over,) = await it.rig.store.ended("SITE")
        assert await it.rig.store.samples(over.session_id) == [sample]
        assert (over.energy_wh, over.estimated) == (300, True)


async def test_an_older_start_told_late_does_not_complete_a_start_from_afar() -> None:
    async with desk() as it:
        it.rig.clock.advance(TODAY - START)
        await it.start(A1)

        async def tells_history(connector: ConnectorKey, id_token: str) -> None:
            await it.recorder.start_session(start_report(connector, id_token, 0, TODAY - WEEK_S))
            await it.start(connector, id_token)

        it.rig.link.on_remote_start = tells_history
        session_id = await it.remote.start(A1, "TAG", None)
        session = it.session()
        assert session is not None
        assert session.session_id == session_id


@pytest.mark.parametrize(
    ("running_at", "newcomer_at"),
    [
        (1_000.0, 999.0),  # a clock that was never set says nothing
        (TODAY, TODAY - 91 * 86_400.0),  # nor one that began anew
        (TODAY + 61.0, TODAY),  # nor one that was far ahead
        (TODAY, TODAY),
        (TODAY, TODAY + 1.0),
    ],
)
async def test_a_start_that_may_be_the_newer_one_takes_the_connector(
    running_at: float, newcomer_at: float
) -> None:
    async with desk() as it:
        it.rig.clock.advance(TODAY - START)
        await it.recorder.start_session(start_report(A1, "FIRST", 0, running_at))
        await it.rig.quiet()
        second = start_report(A1, "SECOND", 0, newcomer_at)
        await it.recorder.start_session(second)
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.id_token == second.id_token
        assert [s.id_token for s in await it.rig.store.running()] == ["SECOND"]


async def test_a_clock_a_little_ahead_is_believed() -> None:
    async with desk() as it:
        it.rig.clock.advance(TODAY - START)
        live = start_report(A1, "LIVE", 0, TODAY + 60.0)
        await it.recorder.start_session(live)
        await it.rig.quiet()
        await it.recorder.start_session(start_report(A1, "OLD", 0, TODAY - 90 * 86_400.0 + 60.0))
        await it.rig.quiet()
        session = it.session()
        assert session is not None
        assert session.id_token == live.id_token
