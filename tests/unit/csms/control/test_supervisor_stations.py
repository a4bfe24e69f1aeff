"""Stations that come and go at run time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.errors import (
    ConfigError,
    ConfigurationRefusedError,
    UnknownChargerError,
    UnknownConnectorError,
    UnknownStationError,
)
from csms.station.facts import ChargerDisconnected, MeterSample
from csms.station.model import ConnectorKey, Limit, LimitSource, Station
from tests.stations import charger, station
from tests.unit.csms.control.fakes import FaultyStore, Site, site


def site_station(grid_limit_w: int = 200_000) -> Station:
    return station(charger("A"), grid_limit_w=grid_limit_w)


X1 = ConnectorKey("X", 1)
OTHER = replace(station(charger("C")), station_id="OTHER")


async def reasons_to_stay(it: Site, station_id: str = "OTHER") -> list[str]:
    with pytest.raises(ConfigurationRefusedError) as caught:
        await it.supervisor.remove(station_id)
    assert station_id in it.supervisor.station_ids()
    assert station_id in await it.store.load_stations()
    return list(caught.value.reasons)


async def test_a_station_that_was_added_is_removed_and_does_not_come_back() -> None:
    store = FaultyStore()
    async with site(site_station(), store=store) as it:
        await it.supervisor.configure(OTHER)
        await it.supervisor.remove("OTHER")
        assert it.supervisor.default_station_id() == "SITE"
        assert it.supervisor.loop_of("C") is None
        assert it.supervisor.events()[-1].kind == "station_removed"
        with pytest.raises(UnknownStationError):
            await it.supervisor.remove("OTHER")
    async with site(site_station(), store=store) as it:
        assert it.supervisor.station_ids() == ["SITE"]


async def test_a_station_that_was_removed_can_be_added_again() -> None:
    async with site(site_station()) as it:
        for _ in range(2):
            await it.supervisor.configure(OTHER)
            await it.connect("C")
            it.link.connected.clear()
            await it.supervisor.remove("OTHER")


def with_x(station_id: str, fallback_w: int) -> Station:
    """A station of this name that has the charger X."""
    return replace(station(charger("X", fallback_w=fallback_w)), station_id=station_id)


async def leave(it: Site, station_id: str) -> None:
    """X goes, and its station is removed."""
    it.link.connected.discard("X")
    it.supervisor.recorder.record(ChargerDisconnected("X", it.clock.now()))
    await it.quiet()
    await it.supervisor.remove(station_id)


async def test_limits_of_a_station_that_was_removed_do_not_come_back_with_it() -> None:
    async with site(site_station()) as it:
        for station_id, fallback_w in (("P", 6_000), ("Q", 50_000)):
            await it.supervisor.configure(with_x(station_id, fallback_w))
            await it.connect("X")
            assert it.loop(station_id).ledger.worst_case_w(X1) == fallback_w
            await leave(it, station_id)
            assert await it.store.load(station_id) == []
        # It holds 50 kW, and nobody knows.
        await it.supervisor.configure(with_x("P", 6_000))
        assert it.loop("P").ledger.worst_case_w(X1) == charger("X").max_power_w


async def test_limits_left_behind_by_a_removed_station_are_over_before_it_runs_again() -> None:
    store = FaultyStore()
    await store.write("P", [kept(1, X1)])
    await store.write("SITE", [kept(2, X1), kept(3, ConnectorKey("A", 1))])
    async with site(site_station(), store=store) as it:
        assert [e.token for e in await store.load("SITE")] == [3]
        await it.supervisor.configure(with_x("P", 6_000))
        assert await store.load("P") == []
        assert not it.loop("P").ledger.confirmed(X1)


def kept(token: int, key: ConnectorKey) -> Entry:
    limit = Limit(6_000, LimitSource.FALLBACK)
    return Entry(token, key, Scope.DEFAULT, limit, EntryState.CONFIRMED, 0.0)


async def test_a_station_of_a_file_stays() -> None:
    async with site(site_station(), OTHER) as it:
        assert await reasons_to_stay(it) == [
            "station OTHER is in a file: remove it there, and restart"
        ]


async def test_the_default_station_stays() -> None:
    store = FaultyStore()
    async with site(site_station(), store=store) as it:
        await it.supervisor.configure(OTHER)
    async with site(site_station(), store=store, default_station="OTHER") as it:
        assert it.supervisor.default_station_id() == "OTHER"
        assert await reasons_to_stay(it) == ["station OTHER is the default_station of the settings"]


async def test_a_station_in_use_stays() -> None:
    async with site(site_station()) as it:
        await it.supervisor.configure(OTHER)
        await it.connect("C")
        await it.start(ConnectorKey("C", 1))
        assert await reasons_to_stay(it) == [
            "connector C/1 has a session",
            "charger C is connected",
        ]


class ComingStore(FaultyStore):
    """A charger comes while a removal is being kept."""

    def __init__(self) -> None:
        super().__init__()
        self.it: Site | None = None

    async def remove_station(self, station_id: str) -> None:
        await super().remove_station(station_id)
        if self.it is not None:
            self.it.link.connected.add("C")


async def test_a_charger_that_comes_meanwhile_keeps_its_station() -> None:
    store = ComingStore()
    async with site(site_station(), store=store) as it:
        await it.supervisor.configure(OTHER)
        store.it = it
        assert await reasons_to_stay(it) == ["charger C is connected"]


async def test_a_default_station_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="default_station: 'NOPE' is not one of: SITE"):
        async with site(site_station(), default_station="NOPE"):
            pytest.fail("it runs")


async def test_without_a_default_the_setting_is_named() -> None:
    async with site(site_station(), OTHER) as it:
        with pytest.raises(UnknownStationError, match="set default_station in the settings"):
            it.supervisor.default_station_id()


async def test_the_log_says_when_a_file_is_not_what_is_in_force() -> None:
    store = FaultyStore()
    with capture_logs() as logs:
        async with site(site_station(), store=store) as it:
            await it.supervisor.configure(site_station(90_000))
        assert [entry for entry in logs if entry["event"] == "station_in_force"] == []
        async with site(site_station(), store=store):
            pass
    (told,) = [entry for entry in logs if entry["event"] == "station_in_force"]
    assert told["station"] == "SITE"
    assert "as changed at run time and kept in the database" in told["why"]


async def test_what_was_declared_of_a_vehicle_is_taken_back() -> None:
    async with site(site_station()) as it:
        await it.connect("A")
        await it.start(ConnectorKey("A", 1))
        (session,) = it.supervisor.status("SITE").sessions()
        declared = await it.supervisor.sessions().update_power(
            "SITE", session.session_id, vehicle_max_w=50_000
        )
        assert declared.vehicle_max_w == 50_000
        learned = await it.supervisor.sessions().update_power(
            "SITE", session.session_id, forget_vehicle_max=True
        )
        assert learned.vehicle_max_w is None
        assert (await it.store.running())[0].vehicle_max_w is None


async def test_a_pardon_is_acted_on_before_it_is_answered() -> None:
    async with site(site_station()) as it:
        await it.connect("A")
        shown = await it.supervisor.pardon(ConnectorKey("A", 1))
        assert (shown.key, shown.reason) == (ConnectorKey("A", 1), None)
        await it.quiet()
        assert it.link.named("change_availability") == [("A", 1, True)]
        with pytest.raises(UnknownChargerError, match="no station has a charger 'Z'"):
            await it.supervisor.pardon(ConnectorKey("Z", 1))
        with pytest.raises(UnknownConnectorError):
            await it.supervisor.pardon(ConnectorKey("A", 9))


async def test_who_does_not_obey_is_known_after_a_restart() -> None:
    store, key = FaultyStore(), ConnectorKey("A", 1)
    async with site(site_station(), store=store) as it:
        await it.connect("A")
        it.supervisor.recorder.record(MeterSample(key, it.clock.now(), power_w=9_000))
        await it.quiet()
        counted_w = it.loop().ledger.worst_case_w(key)
    async with site(site_station(), store=store) as it:
        assert it.loop().ledger.worst_case_w(key) == counted_w
        reason = it.supervisor.status("SITE").connector(key).reason
        assert reason == "draws 9.0 kW without a session"
