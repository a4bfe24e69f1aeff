"""What is said of the grid limit at run time: kept first, then in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from csms.control.events import EventLog
from csms.control.grid_limits import GridLimits, grid_status
from csms.errors import (
    ConfigurationRefusedError,
    GridFailSafeError,
    StorageError,
    UnknownStationError,
)
from csms.station.grid import GivenLimit, GridLimit, GridLimitSource, GridStep, Sign, given
from csms.station.model import ConnectorKey, GridSource, Station
from csms.station.state import StationState
from tests.stations import charger, station
from tests.unit.csms.control.fakes import START, FaultyStore, Site, site

A1, B1 = ConnectorKey("A", 1), ConnectorKey("B", 1)


def watched(grid_limit_w: int = 200_000, *, required: bool = False) -> Station:
    source = GridSource(50_000, required=required)
    return replace(
        station(charger("A"), charger("B"), grid_limit_w=grid_limit_w), grid_source=source
    )


PLAIN = replace(watched(), grid_source=None)


def limits(it: Site) -> GridLimits:
    return it.supervisor.grid_limits()


def source(it: Site) -> tuple[int, str]:
    limit = limits(it).status("SITE").limit
    return limit.limit_w, limit.source.value


def kinds(it: Site) -> list[str]:
    told = [e.kind for e in it.supervisor.events()]
    return [kind for kind in told if kind.startswith("grid_")]


async def charging(it: Site) -> None:
    for charger_id in ("A", "B"):
        await it.connect(charger_id)
    await it.start(A1)
    await it.start(B1, meter_wh=1)


async def test_without_a_word_the_configured_limit_is_in_force() -> None:
    async with site(PLAIN) as it:
        status = limits(it).status("SITE")
        assert status.limit == GridLimit(200_000, GridLimitSource.CONFIGURED, START)
        assert (status.configured_w, status.failsafe_w, status.given) == (200_000, 0, None)
        assert (status.next_change_at, status.awaited, status.silent_at) == (None, (), None)
        assert (status.schedule, status.warnings, kinds(it)) == ((), (), [])


async def test_a_cut_is_in_force_and_on_the_wire_when_the_answer_is_there() -> None:
    async with site(PLAIN) as it:
        await charging(it)
        it.link.wire.clear()
        status = await limits(it).give("SITE", 80_000, valid_for_s=60)
        assert it.link.wire[:2] == ["A/1 40000", "B/1 40000"]
        assert status.limit == GridLimit(80_000, GridLimitSource.GIVEN, START)
        assert status.given == GivenLimit(80_000, START, START + 60)
        assert status.next_change_at == START + 60
        assert it.supervisor.status("SITE").available_w == 80_000
        assert kinds(it) == ["grid_limit"]
        it.clock.advance(60)
        await it.quiet()
        assert it.allocated() == {"A/1": 100_000, "B/1": 100_000}
        # What was configured has not changed.
        assert it.supervisor.station("SITE") == PLAIN


async def test_a_schedule_takes_effect_at_its_time() -> None:
    async with site(PLAIN) as it:
        await charging(it)
        steps = (GridStep(START + 10, 80_000), GridStep(START + 20, 120_000))
        status = await limits(it).schedule("SITE", steps)
        assert (status.schedule, status.next_change_at) == (steps, START + 10)
        for seconds, each_w in ((9.9, 100_000), (0.2, 40_000), (10.0, 60_000)):
            it.clock.advance(seconds)
            await it.quiet()
            assert it.allocated() == {"A/1": each_w, "B/1": each_w}
        assert kinds(it) == ["grid_limit", "grid_limit"]


async def test_a_lost_source_and_the_way_back() -> None:
    async with site(watched()) as it:
        await charging(it)
        status = await limits(it).give("SITE", 150_000, heartbeat_s=30)
        assert (status.silent_at, status.last_sign_at) == (START + 60, START)
        it.clock.advance(60)
        await it.quiet()
        assert it.allocated() == {"A/1": 25_000, "B/1": 25_000}
        assert limits(it).status("SITE").awaited == (Sign.HEARTBEAT, Sign.LIMIT)
        status = await limits(it).heartbeat("SITE")
        assert (status.limit.source, status.awaited) == (GridLimitSource.FAILSAFE, (Sign.LIMIT,))
        status = await limits(it).give("SITE", 150_000)
        assert (status.limit.limit_w, status.awaited) == (150_000, ())
        await it.quiet()
        assert it.allocated() == {"A/1": 75_000, "B/1": 75_000}
        assert kinds(it) == [
            "grid_limit",
            "grid_source_lost",
            "grid_limit",
            "grid_source_back",
            "grid_limit",
        ]


async def test_back_to_the_configured_limit() -> None:
    async with site(PLAIN) as it:
        await limits(it).give("SITE", 80_000, heartbeat_s=30)
        await limits(it).schedule("SITE", [GridStep(START, 90_000)])
        status = await limits(it).withdraw("SITE")
        assert status.limit.source is GridLimitSource.CONFIGURED
        assert (status.given, status.schedule, status.silent_at) == (None, (), None)


async def test_a_failsafe_is_not_withdrawn() -> None:
    async with site(watched(required=True)) as it:
        with pytest.raises(GridFailSafeError, match=r"awaited: heartbeat, limit\)"):
            await limits(it).withdraw("SITE")
        assert source(it) == (50_000, "failsafe")


# ------------------------------------------------------------------------------ kept


async def test_what_was_given_survives_a_restart() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        await limits(it).give("SITE", 80_000, valid_for_s=60)
        await limits(it).schedule("SITE", [GridStep(START + 60, 70_000)])
    async with site(PLAIN, store=store) as it:
        assert source(it) == (80_000, "given")
        assert limits(it).status("SITE").next_change_at == START + 60


async def test_an_active_source_is_lost_by_a_restart() -> None:
    store = FaultyStore()
    async with site(watched(), store=store) as it:
        await limits(it).heartbeat("SITE")
        assert source(it) == (200_000, "configured")
    async with site(watched(), store=store) as it:
        assert source(it) == (50_000, "failsafe")
        await it.quiet()
        assert kinds(it) == ["grid_source_lost", "grid_limit"]
        assert it.supervisor.status("SITE").available_w == 50_000


async def test_a_heartbeat_alone_is_not_written() -> None:
    store = FaultyStore()
    async with site(watched(), store=store) as it:
        for _ in range(3):
            await limits(it).heartbeat("SITE")
        assert store.grids_written == 1


async def test_a_limit_is_kept_before_it_is_in_force() -> None:
    seen: list[int] = []
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        saving = store.save_grid

        async def watching(station_id: str, document: object) -> None:
            seen.append(it.supervisor.status("SITE").available_w)
            await saving(station_id, document)  # type: ignore[arg-type]

        store.save_grid = watching  # type: ignore[method-assign]
        await limits(it).give("SITE", 80_000)
        assert seen == [200_000]


async def test_a_lower_limit_does_not_wait_for_a_database_that_fails() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        store.grids_fail = True
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 80_000)
        assert source(it) == (80_000, "given")
        assert kinds(it) == ["grid_limit_not_kept", "grid_limit"]


async def test_the_same_cut_for_longer_does_not_wait_for_a_database_that_fails() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        await limits(it).give("SITE", 80_000, valid_for_s=60)
        store.grids_fail = True
        for seconds, until in ((300, 300.0), (200, 300.0), (None, None), (400, None)):
            with pytest.raises(StorageError, match="disk full"):
                await limits(it).give("SITE", 80_000, valid_for_s=seconds)
            kept = limits(it).status("SITE").given
            assert kept is not None
            assert kept.valid_until == (None if until is None else START + until)
        # What changes anything else waits: here a promise, and a schedule.
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 80_000, heartbeat_s=60)
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).schedule("SITE", [GridStep(START - 10, 90_000)])
        assert limits(it).status("SITE").schedule == ()
        assert limits(it).status("SITE").silent_at is None
        it.clock.advance(301.0)
        assert source(it) == (80_000, "given")


async def test_a_cut_as_low_as_what_holds_by_itself_does_not_wait_for_a_database_either() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        store.grids_fail = True
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 200_000)
        given_first = limits(it).status("SITE").given
        assert given_first is not None
        # It binds no less than before, and one that is higher later is not taken.
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 250_000)
        assert limits(it).status("SITE").given == given_first
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).withdraw("SITE")
        assert limits(it).status("SITE").given == given_first


async def test_nobody_is_let_out_of_a_failsafe_by_what_is_not_kept() -> None:
    store = FaultyStore()
    async with site(watched(required=True), store=store) as it:
        await limits(it).heartbeat("SITE")
        store.grids_fail = True
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 50_000)
        assert source(it) == (50_000, "failsafe")


async def test_a_higher_limit_that_cannot_be_kept_is_not_in_force() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        await limits(it).give("SITE", 80_000)
        store.grids_fail = True
        with pytest.raises(StorageError, match="disk full"):
            await limits(it).give("SITE", 90_000)
        assert source(it) == (80_000, "given")


# ------------------------------------------------------------------------------ can it hold?


async def test_a_limit_that_the_station_cannot_hold_is_obeyed_with_a_warning() -> None:
    async with site(station(charger("A", fallback_w=10_000))) as it:
        status = await limits(it).give("SITE", 19_999)
        assert status.limit.limit_w == 19_999
        assert status.warnings == (
            (
                "static load, reserve and the fallbacks of all connectors sum to 20.0 kW, "
                "more than the grid limit of 19.999 kW"
            ),
        )


async def test_a_schedule_that_the_station_cannot_hold_is_refused() -> None:
    async with site(station(charger("A", fallback_w=10_000))) as it:
        steps = [GridStep(START, 20_000), GridStep(START + 1, 19_999)]
        with pytest.raises(ConfigurationRefusedError) as caught:
            await limits(it).schedule("SITE", steps)
        assert caught.value.reasons == (
            (
                "steps.1: static load, reserve and the fallbacks of all connectors sum to "
                "20.0 kW, more than the limit of 19.999 kW"
            ),
        )
        assert limits(it).status("SITE").schedule == ()


async def test_a_station_that_cannot_hold_its_schedule_is_refused() -> None:
    async with site(PLAIN) as it:
        await limits(it).schedule("SITE", [GridStep(START + 5, 30_000)])
        greedy = station(charger("A", fallback_w=20_000), charger("B"))
        with pytest.raises(ConfigurationRefusedError, match="scheduled grid limit 0: static load"):
            await it.supervisor.configure(greedy)
        assert it.supervisor.station("SITE") == PLAIN
        assert limits(it).conflicts(replace(greedy, station_id="NEW")) == []


async def test_an_unknown_station() -> None:
    async with site(PLAIN) as it:
        with pytest.raises(UnknownStationError):
            limits(it).status("NONE")
        for asked in (
            limits(it).give("NONE", 1),
            limits(it).heartbeat("NONE"),
            limits(it).schedule("NONE", []),
            limits(it).withdraw("NONE"),
        ):
            with pytest.raises(UnknownStationError):
                await asked


def test_the_status_is_of_the_moment_it_was_asked_for() -> None:
    state = StationState.of(PLAIN)
    state.grid = given(PLAIN, state.grid, 80_000, START, valid_until=START + 9)
    assert grid_status(state, START + 8).given == GivenLimit(80_000, START, START + 9)
    assert grid_status(state, START + 9).given is None


# ------------------------------------------------------------------------------ a slow database


class SlowStore(FaultyStore):
    """A store whose grid limits wait for `gate`, where there is one, before they are written.

    As a writing thread does, it has taken the work on by then: who stops waiting stops nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event | None = None
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def save_grid(self, station_id: str, document: Mapping[str, Any]) -> None:
        self.asked.append((station_id, document))
        if self.gate is not None:
            await self.gate.wait()
        await self.catch_up()

    async def catch_up(self) -> None:
        """Write all that was asked, in order."""
        while self.asked:
            await super().save_grid(*self.asked.pop(0))


def hurried(it: Site) -> GridLimits:
    """The same, in no mood to wait."""
    return GridLimits(it.store, it.clock, EventLog(it.clock), it.loop, save_within_s=0.01)


async def test_a_lower_limit_does_not_wait_for_a_database_that_hangs() -> None:
    store = SlowStore()
    async with site(PLAIN, store=store) as it:
        store.gate = asyncio.Event()
        with pytest.raises(StorageError, match="did not answer in time"):
            await hurried(it).give("SITE", 80_000)
        assert source(it) == (80_000, "given")


async def test_a_higher_limit_is_not_in_force_after_a_restart_when_it_was_not_kept_in_time() -> (
    None
):
    store = SlowStore()
    async with site(PLAIN, store=store) as it:
        await limits(it).give("SITE", 80_000)
        store.gate = asyncio.Event()
        with pytest.raises(StorageError, match="did not answer in time"):
            await hurried(it).give("SITE", 90_000)
        assert source(it) == (80_000, "given")
        await store.catch_up()
    async with site(PLAIN, store=store) as it:
        assert source(it) == (80_000, "given")


async def test_a_station_removed_meanwhile_holds_up_nobody() -> None:
    store = SlowStore()

    async def stuck(it: Site) -> None:
        with pytest.raises(UnknownStationError, match="TWO has been removed"):
            await limits(it).give("TWO", 50_000)

    async with site(PLAIN, store=store) as it, asyncio.TaskGroup() as tasks:
        await it.supervisor.configure(replace(station(charger("X")), station_id="TWO"))
        gate = store.gate = asyncio.Event()
        tasks.create_task(stuck(it))
        await asyncio.sleep(0)
        store.gate = None
        # Each station has its own turn: the other one's cut does not wait for this one's disk.
        status = await limits(it).give("SITE", 60_000)
        assert status.limit.limit_w == 60_000
        await it.supervisor.remove("TWO")
        gate.set()


async def test_what_was_not_kept_is_written_when_it_is_said_again() -> None:
    store = FaultyStore()
    async with site(PLAIN, store=store) as it:
        steps = [GridStep(START - 10, 50_000)]
        store.grids_fail = True
        for _ in range(2):
            with pytest.raises(StorageError):
                await limits(it).schedule("SITE", steps)
        # A heartbeat has nothing of its own to be kept, and is heard.
        await limits(it).heartbeat("SITE")
        assert source(it) == (50_000, "schedule")
        store.grids_fail = False
        await limits(it).schedule("SITE", steps)
        assert store.grids_written == 1
        await limits(it).schedule("SITE", steps)
        assert store.grids_written == 1
    async with site(PLAIN, store=store) as it:
        assert source(it) == (50_000, "schedule")
