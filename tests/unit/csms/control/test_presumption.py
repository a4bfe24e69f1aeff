from __future__ import annotations

from csms.control.presumption import Presumption
from csms.ports import StopReport
from csms.station.facts import ConnectorStatusReported, MeterSample
from csms.station.state import ConnectorStatus
from tests.unit.csms.control.desk import A1, Desk, desk
from tests.unit.csms.control.fakes import START


async def look(it: Desk) -> None:
    await Presumption(lambda: [it.rig.loop], it.recorder, it.rig.clock).look()
    await it.rig.quiet()


async def unplugged(it: Desk) -> None:
    it.rig.clock.advance(10.0)
    it.recorder.record(ConnectorStatusReported(A1, it.rig.clock.now(), ConnectorStatus.AVAILABLE))
    await it.rig.quiet()
    it.rig.clock.advance(60.0)


async def test_a_session_whose_stop_does_not_come_ends_by_itself() -> None:
    async with desk() as it:
        begun = await it.start(A1, meter_wh=1_000)
        it.recorder.record(MeterSample(A1, START, energy_wh=1_700))
        await unplugged(it)
        await look(it)
        assert it.session() is None
        (ended,) = await it.rig.store.ended("SITE")
        assert (ended.session_id, ended.reason) == (begun.session_id, "Available")
        assert (ended.ended_at, ended.provisional) == (START + 11, True)
        assert (ended.energy_wh, ended.estimated) == (700, True)


async def test_the_stop_has_the_last_word_when_it_comes_at_last() -> None:
    async with desk() as it:
        begun = await it.start(A1, meter_wh=1_000)
        await unplugged(it)
        await look(it)
        newer = await it.start(A1, meter_wh=2_000)
        stop = StopReport("A", begun.transaction_id, 1_900, START + 5, "PowerLoss", None, "T")
        await it.recorder.stop_session(stop)
        await it.rig.quiet()
        (ended,) = await it.rig.store.ended("SITE")
        assert (ended.ended_at, ended.energy_wh, ended.reason) == (START + 5, 900, "PowerLoss")
        assert (ended.provisional, ended.estimated) == (False, False)
        session = it.session()
        assert session is not None
        assert session.session_id == newer.session_id
        assert await it.rig.store.quarantined("A") == []


async def test_a_session_that_goes_on_is_left_alone() -> None:
    async with desk() as it:
        await it.start(A1)
        it.rig.clock.advance(3_600.0)
        await look(it)
        assert it.session() is not None


async def test_what_flows_after_a_presumed_end_is_seen() -> None:
    async with desk() as it:
        begun = await it.start(A1)
        await unplugged(it)
        await look(it)
        now = it.rig.clock.now()
        it.recorder.record(MeterSample(A1, now, power_w=7_000, transaction_id=begun.transaction_id))
        await it.rig.quiet()
        reading = it.rig.loop.state.connectors[A1].reading
        assert reading is not None
        assert (reading.at, reading.power_w) == (now, 7_000)


async def test_a_session_that_was_ended_but_not_told_is_told() -> None:
    async with desk() as it:
        begun = await it.start(A1)
        await it.rig.store.end(
            begun.session_id, ended_at=START + 5, meter_stop_wh=9, reason="Local"
        )
        await unplugged(it)
        await look(it)
        assert it.session() is None
        (ended,) = await it.rig.store.ended("SITE")
        assert (ended.reason, ended.provisional) == ("Local", False)


async def test_a_session_that_is_not_in_the_store_stays() -> None:
    async with desk() as it:
        await it.rig.start(A1)
        await unplugged(it)
        await look(it)
        assert it.session() is not None
