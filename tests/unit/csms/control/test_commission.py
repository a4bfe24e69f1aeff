"""Who may be commissioned, and what becomes of the test and of what it teaches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from csms.control.trials import Progress
from csms.dispatch.capability import AtZero, Proof
from csms.dispatch.commands import Scope
from csms.errors import (
    ChargerOfflineError,
    CommissioningRefusedError,
    NeverCommissionedError,
    UnknownChargerError,
    UnknownConnectorError,
)
from csms.ports import BootReport
from csms.station.model import ConnectorKey, Station
from tests.stations import charger, station
from tests.unit.csms.control.fakes import NO as REFUSED
from tests.unit.csms.control.fakes import FaultyStore, Site, answering, site
from tests.unit.csms.control.plant import A1, LEASE_S, MAX_W, Plant

A2, B1 = ConnectorKey("A", 2), ConnectorKey("B", 1)


def built(*others: str, connectors: int = 1, grid_limit_w: int = MAX_W) -> Station:
    chargers = [charger("A", max_power_w=MAX_W, connectors=connectors)]
    chargers += [charger(c, max_power_w=MAX_W, connectors=1, fallback_w=5_000) for c in others]
    return station(*chargers, grid_limit_w=grid_limit_w)


def refused(at: Site, key: ConnectorKey = A1) -> str:
    with pytest.raises(CommissioningRefusedError) as caught:
        at.supervisor.commissioning().start(key, LEASE_S)
    return str(caught.value)


# ------------------------------------------------------------------------------ may it begin


async def test_there_must_be_such_a_charger_with_such_a_connector_and_a_link() -> None:
    async with site(built()) as at:
        tests = at.supervisor.commissioning()
        with pytest.raises(UnknownChargerError, match="no station has a charger 'X'"):
            tests.start(ConnectorKey("X", 1), LEASE_S)
        with pytest.raises(UnknownConnectorError, match="charger A has no connector 2"):
            tests.start(A2, LEASE_S)
        with pytest.raises(ChargerOfflineError):
            tests.start(A1, LEASE_S)
        await at.connect("A")
        at.link.connected.clear()
        with pytest.raises(ChargerOfflineError):
            tests.start(A1, LEASE_S)


async def test_a_session_must_run_there_and_nowhere_else_on_the_charger() -> None:
    async with site(built(connectors=2)) as at:
        await at.connect("A")
        assert refused(at).startswith("no session runs on connector A/1")
        await at.start(A1)
        await at.start(A2, meter_wh=1)
        assert refused(at).startswith("another session runs on charger A")


async def test_one_test_at_a_time_at_a_station() -> None:
    async with site(built("B", grid_limit_w=3 * MAX_W)) as at:
        plant = Plant(at)
        await plant.begin()
        await at.connect("B")
        await at.start(B1, meter_wh=1)
        at.supervisor.commissioning().start(A1, LEASE_S)
        await at.quiet()
        assert refused(at, B1) == "connector A/1 is being commissioned at this station"
        assert refused(at) == "connector A/1 is being commissioned at this station"


async def test_two_tests_begun_in_one_breath_are_one() -> None:
    async with site(built("B", grid_limit_w=3 * MAX_W)) as at:
        for key, meter_wh in ((A1, 0), (B1, 1)):
            await at.connect(key.charger_id)
            await at.start(key, meter_wh=meter_wh)
        at.supervisor.commissioning().start(A1, LEASE_S)
        assert refused(at, B1) == "connector A/1 is being commissioned at this station"
        assert refused(at) == "connector A/1 is being commissioned at this station"


async def test_no_other_test_begins_while_what_the_last_one_taught_is_being_kept() -> None:
    class SlowStore(FaultyStore):
        gate = asyncio.Event()

        async def save_capability(self, charger_id: str, document: Mapping[str, Any]) -> None:
            await self.gate.wait()

    store = SlowStore()
    async with site(built(), store=store) as at:
        plant = Plant(at)
        await plant.begin()
        tests = at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        while tests.report("A").progress is Progress.RUNNING:
            await plant.tick()
        await at.start(A1, meter_wh=9)
        assert "has taught is still being kept" in refused(at)
        store.gate.set()
        await at.quiet()
        assert tests.start(A1, LEASE_S).progress is Progress.RUNNING


async def test_its_maximum_must_fit_beside_the_least_of_the_others() -> None:
    async with site(built("B", grid_limit_w=MAX_W + 4_999)) as at:
        await at.connect("A")
        await at.connect("B")
        await at.start(A1)
        assert refused(at) == (
            "connector A/1 cannot be given its maximum beside the others: "
            "the grid gives 104999 W and 105000 W are needed"
        )


async def test_what_cannot_be_lowered_counts_whole() -> None:
    async with site(built("B", grid_limit_w=MAX_W + 50_000)) as at:
        await at.connect("A")
        at.link.script = answering(REFUSED, B1, scope=Scope.DEFAULT)
        await at.connect("B")
        await at.start(A1)
        assert "200000 W are needed" in refused(at)


# ------------------------------------------------------------------------------ what it does


async def test_meanwhile_the_connector_counts_at_its_maximum_and_the_others_make_room() -> None:
    async with site(built("B", grid_limit_w=MAX_W + 10_000)) as at:
        plant = Plant(at)
        await plant.begin()
        await at.connect("B")
        await at.start(B1, meter_wh=1)
        assert at.loop().ledger.worst_case_w(B1) > 10_000
        at.supervisor.commissioning().start(A1, LEASE_S)
        for _ in range(10):
            await plant.tick()
            assert not at.supervisor.status("SITE").overcommitted
        assert at.loop().ledger.worst_case_w(A1) == MAX_W
        assert at.loop().ledger.worst_case_w(B1) <= 10_000


async def test_without_room_in_time_nothing_is_shown() -> None:
    async with site(built("B", grid_limit_w=MAX_W + 10_000)) as at:
        plant = Plant(at)
        await plant.begin()
        await at.connect("B")
        await at.start(B1, meter_wh=1)
        at.link.script = lambda command: None if command.connector == B1 else plant.take(command)
        report = await plant.commissioned()
        assert {r.finding.why for r in report.results} == {"no room beside the others within 30 s"}


async def test_a_charger_whose_link_was_cut_is_not_let_in_and_not_listed() -> None:
    async with site(built()) as at:
        plant = Plant(at, comes_back=False)
        await plant.begin()
        tests = at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        while plant.connected:
            await plant.tick()
        assert tests.keeps_out("A")
        assert not await at.supervisor.admit("A", "192.0.2.1")
        assert at.supervisor.knocked() == []
        for _ in range(16):
            await plant.tick()
        assert not tests.keeps_out("A")
        assert await at.supervisor.admit("A", "192.0.2.1")


async def test_what_was_learned_is_kept_for_the_charger_and_for_its_model() -> None:
    store = FaultyStore()
    async with site(built(), store=store) as at:
        plant = Plant(at)
        await plant.connect()
        await at.supervisor.recorder.boot(BootReport("A", "ACME", "Fast", "1", "2.0"))
        await plant.start()
        report = await plant.commissioned()
        assert report.progress is Progress.DONE
        texts = [e.text for e in at.supervisor.events() if e.kind == "commissioning"]
        assert texts == ["A/1 begins", "A/1 done"]
        await at.quiet()
        # It takes part again, and its limits are leases now.
        assert list(at.loop().under_test.keys()) == []
        assert at.loop().ledger.next_expiry() is not None
    kept = await store.load_capabilities()
    assert kept["A"]["lease"] == "yes"
    assert kept["A"]["provedOn"] == "2.0"
    # Another of the model has to show for itself what others count on.
    own = {"lease", "provedOn", "survivesReconnect", "survivesReboot"}
    guess = {name: value for name, value in kept["A"].items() if name not in own}
    assert (await store.load_model_capabilities())["ACME", "Fast", "2.0"] == guess


async def test_a_test_that_is_stopped_with_csms_lets_go_of_its_connector() -> None:
    async with site(built()) as at:
        plant = Plant(at)
        await plant.begin()
        tests = at.supervisor.commissioning()
        with pytest.raises(NeverCommissionedError):
            tests.report("A")
        with pytest.raises(UnknownChargerError):
            tests.report("X")
        tests.start(A1, LEASE_S)
        while len(tests.report("A").results) < 3:
            await plant.tick()
        loop = at.loop()
    report = tests.report("A")
    assert (report.progress, report.trial) == (Progress.STOPPED, None)
    assert report.lessons.at_zero is AtZero.PAUSE
    assert report.capability.lease is Proof.UNKNOWN
    assert list(loop.under_test.keys()) == []


async def test_a_test_that_fails_by_itself_stops_nothing_else() -> None:
    async with site(built()) as at:
        plant = Plant(at)
        await plant.begin()

        async def breaks(_charger_id: str) -> None:
            raise RuntimeError("bug")

        at.link.on_reset = breaks
        with capture_logs() as logs:
            report = await plant.commissioned()
        assert report.progress is Progress.STOPPED
        assert "commissioning_failed" in [each["event"] for each in logs]
        assert at.supervisor.healthy()
        assert list(at.loop().under_test.keys()) == []


async def test_a_charger_that_leaves_the_configuration_ends_its_test() -> None:
    async with site(built("B", grid_limit_w=2 * MAX_W)) as at:
        plant = Plant(at)
        await plant.begin()
        tests = at.supervisor.commissioning()
        tests.start(A1, LEASE_S)
        await plant.tick()
        await plant.stop()
        await at.supervisor.configure(station(charger("B", connectors=1)))
        with pytest.raises(UnknownChargerError):
            tests.report("A")
        assert replace(at.supervisor.station("SITE")).charger("A") is None
        at.clock.advance(10.0)
        await at.quiet()
        texts = [e.text for e in at.supervisor.events() if e.kind == "commissioning"]
        assert texts == ["A/1 begins", "A/1 done"]
