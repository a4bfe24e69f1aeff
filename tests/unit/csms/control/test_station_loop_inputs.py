"""What reaches the loop, and what it makes of facts that have no place."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from csms.control.capabilities import CapabilityBook
from csms.control.station_loop import Reconfigured, StationLoop
from csms.errors import UnknownStationError
from csms.station.facts import ConnectorStatusReported
from csms.station.model import ConnectorKey
from csms.station.state import ConnectorStatus
from tests.stations import charger, station
from tests.unit.csms.control.fakes import START, Rig, loop_settings, rig

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
BOTH = station(charger("A"))
ONLY_FIRST = station(charger("A", connectors=1))
REMOVED = ["connector A/2 is removed, but it is in use"]


def waiting(site: Rig) -> int:
    return len(site.loop._inbox)  # noqa: SLF001


async def test_of_the_statuses_of_a_connector_only_the_newest_waits() -> None:
    async with rig(BOTH, "A") as site:
        for number in range(1_000):
            status = ConnectorStatus.CHARGING if number % 2 else ConnectorStatus.AVAILABLE
            site.loop.post(ConnectorStatusReported(A1, START, status))
        site.loop.post(ConnectorStatusReported(A2, START, ConnectorStatus.FAULTED))
        assert waiting(site) == 2
        await site.quiet()
        shown = site.loop.state.connectors
        assert shown[A1].status is ConnectorStatus.CHARGING
        assert shown[A2].status is ConnectorStatus.FAULTED
        assert site.loop.dropped == 0


async def test_a_session_without_a_place_is_not_told_as_started() -> None:
    async with rig(BOTH, "A") as site:
        await site.start(ConnectorKey("A", 9))
        assert "session_started" not in site.kinds()


async def test_a_connector_whose_start_is_being_kept_is_in_use() -> None:
    async with rig(BOTH, "A") as site:
        with site.loop.starting(A2), site.loop.starting(A2):
            assert site.loop.refuses(ONLY_FIRST) == REMOVED
        assert site.loop.refuses(ONLY_FIRST) == []
        with site.loop.starting(ConnectorKey("A", 9)):
            assert site.loop.refuses(ONLY_FIRST) == []


async def test_a_start_posted_behind_a_change_still_has_its_connector() -> None:
    async with rig(BOTH, "A") as site:
        refused: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        with site.loop.starting(A2):
            site.loop.post(Reconfigured(ONLY_FIRST, (), refused))
            site.plug_in(A2)
        await site.quiet()
        assert refused.result() == REMOVED
        assert site.loop.state.connectors[A2].session is not None
        await site.end(A2)
        assert site.loop.refuses(ONLY_FIRST) == []


async def test_nobody_waits_for_a_loop_that_was_cancelled_before_its_first_step() -> None:
    async with rig(BOTH) as site, asyncio.timeout(5.0), asyncio.TaskGroup() as tasks:
        never = StationLoop(
            site.loop.state,
            site.loop.ledger,
            site.loop.balancer,
            link=site.link,
            store=site.store,
            clock=site.clock,
            events=site.events,
            tokens=itertools.count(1),
            capabilities=CapabilityBook(site.store),
            settings=loop_settings(),
        )
        never.start(tasks).cancel()
        with pytest.raises(UnknownStationError, match="has been removed"):
            await never.caught_up()
