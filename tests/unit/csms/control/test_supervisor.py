from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from csms.control.admission import Knock
from csms.control.supervisor import UnknownChargers
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import Entry, EntryState
from csms.dispatch.standing import Condition
from csms.errors import (
    ConfigError,
    ConfigurationRefusedError,
    UnknownStationError,
)
from csms.ports import Gate, LateAnswers, Losses, StopReport, StoredSession, TokenStatus
from csms.station.document import dump_station
from csms.station.facts import MeterSample, SessionEnded
from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Limit,
    LimitSource,
    Station,
)
from tests.stations import charger, station
from tests.unit.csms.control.fakes import (
    NO,
    SILENCE,
    START,
    YES,
    FaultyStore,
    Site,
    answering,
    keeping_back,
    seen_before,
    site,
    start_report,
    stored,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1, B2 = ConnectorKey("B", 1), ConnectorKey("B", 2)
ACCEPTING = UnknownChargers(22_000, 2)


def two_chargers(grid_limit_w: int = 200_000) -> Station:
    return station(charger("A"), charger("B"), grid_limit_w=grid_limit_w)


def other_station(*ids: str, name: str = "OTHER") -> Station:
    return replace(station(*(charger(i) for i in ids)), station_id=name)


# ------------------------------------------------------------------------------ life


async def test_it_is_healthy_while_it_runs() -> None:
    async with site(two_chargers()) as it:
        assert it.supervisor.healthy()
        assert it.supervisor.status("SITE").settled
        assert it.supervisor.station_ids() == ["SITE"]
    assert not it.supervisor.healthy()


async def test_a_station_kept_as_changed_wins_over_an_unchanged_file() -> None:
    store = FaultyStore()
    async with site(two_chargers(), store=store) as it:
        await it.supervisor.configure(two_chargers(90_000))
    for _ in range(2):
        async with site(two_chargers(), store=store) as it:
            assert it.supervisor.station("SITE") == two_chargers(90_000)


async def test_a_changed_file_wins_over_the_station_kept() -> None:
    store = FaultyStore()
    async with site(two_chargers(), store=store) as it:
        await it.supervisor.configure(two_chargers(90_000))
    async with site(two_chargers(150_000), store=store) as it:
        assert it.supervisor.station("SITE") == two_chargers(150_000)
    assert await store.load_stations() == {
        "SITE": {
            "in_force": dump_station(two_chargers(150_000)),
            "file": dump_station(two_chargers(150_000)),
        }
    }


async def test_a_station_added_at_runtime_comes_back() -> None:
    store = FaultyStore()
    async with site(two_chargers(), store=store) as it:
        await it.supervisor.configure(other_station("C"))
        await it.supervisor.configure(other_station("C", "D"))
    async with site(two_chargers(), store=store) as it:
        assert it.supervisor.station_ids() == ["SITE", "OTHER"]
        assert it.supervisor.station("OTHER") == other_station("C", "D")


async def test_a_station_whose_file_is_gone_does_not_come_back() -> None:
    store = FaultyStore()
    async with site(two_chargers(), other_station("C"), store=store):
        pass
    async with site(two_chargers(), store=store) as it:
        assert it.supervisor.station_ids() == ["SITE"]
        # Added again by hand, it is a station of the database.
        await it.supervisor.configure(other_station("C"))
    async with site(two_chargers(), store=store) as it:
        assert it.supervisor.station_ids() == ["SITE", "OTHER"]


# ------------------------------------------------------------------------------ restart


def entry(token: int, key: ConnectorKey, value_w: int, session_id: str | None = None) -> Entry:
    return Entry(
        token,
        key,
        Scope.DEFAULT if session_id is None else Scope.SESSION,
        Limit(value_w, LimitSource.FALLBACK if session_id is None else LimitSource.GRID),
        EntryState.CONFIRMED,
        START - 50,
        START - 50,
        session_id,
    )


async def test_a_restart_finds_sessions_chargers_and_limits_as_they_were() -> None:
    store = FaultyStore()
    await store.save_charger(seen_before("A"))
    await store.start(stored("s1", 41, A1, meter_wh=2_100, vehicle_max_w=150_000))
    await store.write("SITE", [entry(7, A1, 0), entry(8, A2, 0), entry(9, A1, 120_000, "s1")])
    async with site(two_chargers(), store=store) as it:
        (session,) = it.supervisor.status("SITE").sessions()
        assert (session.session_id, session.transaction_id) == ("s1", 41)
        assert (session.energy_wh, session.vehicle_max_w) == (2_000, 150_000)
        assert it.loop().ledger.worst_case_w(A1) == 120_000
        shown = it.supervisor.status("SITE").chargers[0]
        assert (shown.vendor, shown.model, shown.firmware) == ("ACME", "Fast", "1.2")
        assert shown.condition is Condition.OFFLINE_RESERVED
        assert it.supervisor.registered("A")
        # The charger reconnects without a boot and goes on; tokens go on where they were.
        await it.connect("A")
        assert it.link.last(A1).session_id == "s1"
        assert it.link.last(A1).transaction_id == 41
        assert min(c.token for c in it.link.limits) == 10
        assert it.allocated() == {"A/1": 150_000}


async def test_a_session_that_began_an_hour_ahead_by_its_charger_is_watched_all_the_same() -> None:
    store = FaultyStore()
    await store.start(stored("s1", 41, A1, started_at=START + 3_600.0))
    async with site(two_chargers(), store=store) as it:
        assert it.loop().state.connectors[A1].changed_at == START


async def test_a_limit_whose_answer_nobody_waits_for_any_more_ends_with_its_session() -> None:
    store = FaultyStore()
    await store.save_charger(seen_before("A"))
    await store.start(stored("s1", 41, A1))
    sent = replace(entry(8, A1, 120_000, "s1"), state=EntryState.SENT)
    await store.write("SITE", [entry(7, A1, 0), sent])
    async with site(two_chargers(), store=store) as it:
        assert it.loop().ledger.worst_case_w(A1) == 120_000
        assert {e.token: e.state for e in await store.load("SITE")}[8] is EntryState.UNANSWERED
        it.loop().post(SessionEnded(it.clock.now(), "s1", A1))
        await it.loop().caught_up()
        assert it.loop().ledger.worst_case_w(A1) == 0


async def test_a_charger_remembered_counts_at_its_maximum_until_it_confirms_a_fallback() -> None:
    store = FaultyStore()
    await store.save_charger(seen_before("A", accepted=False))
    async with site(two_chargers(), store=store) as it:
        assert it.supervisor.status("SITE").worst_case_w == 200_000
        assert it.supervisor.status("SITE").chargers[0].last_seen_at == START - 100
        assert not it.supervisor.registered("A")


async def test_what_the_database_holds_of_chargers_and_connectors_gone_is_no_error() -> None:
    store = FaultyStore()
    await store.save_charger(seen_before("Z"))
    await store.start(stored("s1", 41, ConnectorKey("Z", 1)))
    await store.write("SITE", [entry(7, ConnectorKey("Z", 1), 120_000, "s1")])
    async with site(two_chargers(), store=store) as it:
        assert it.supervisor.status("SITE").sessions() == []
        assert it.supervisor.status("SITE").worst_case_w == 0


async def test_limits_of_sessions_that_ended_are_dropped_at_the_start() -> None:
    store = FaultyStore()
    await store.start(stored("s1", 41, A1))
    await store.end("s1", ended_at=START, meter_stop_wh=None, reason="Local")
    await store.write("SITE", [entry(7, A1, 0), entry(9, A1, 120_000, "s1")])
    async with site(two_chargers(), store=store) as it:
        assert it.loop().ledger.worst_case_w(A1) == 0
        assert [e.token for e in await store.load("SITE")] == [7]


async def test_a_session_that_may_not_charge_is_not_restored() -> None:
    store = FaultyStore()
    await store.start(stored("s1", 41, A1, id_status=TokenStatus.BLOCKED))
    await store.start(stored("s2", 42, A2))
    async with site(two_chargers(), store=store) as it:
        restored = it.supervisor.status("SITE").sessions()
        assert [(s.session_id, s.energy_wh) for s in restored] == [("s2", 0)]


# ------------------------------------------------------------------------------ who may connect


async def test_chargers_of_a_station_are_admitted_and_remembered() -> None:
    async with site(two_chargers()) as it:
        gate: Gate = it.supervisor
        assert await gate.admit("A", "192.0.2.1")
        assert not gate.registered("A")
        assert list(await it.store.load_chargers()) == ["A"]
        assert it.supervisor.knocked() == []


async def test_unknown_chargers_are_refused_and_listed() -> None:
    async with site(two_chargers()) as it:
        assert not await it.supervisor.admit("X", "192.0.2.1")
        it.clock.advance(9.0)
        assert not await it.supervisor.admit("X", "192.0.2.2")
        assert it.supervisor.knocked() == [Knock("X", "192.0.2.2", START, START + 9, 2)]
        assert await it.store.load_chargers() == {}
        await it.supervisor.configure(station(charger("A"), charger("B"), charger("X")))
        assert await it.supervisor.admit("X", "192.0.2.2")
        assert it.supervisor.knocked() == []


async def test_unknown_chargers_are_adopted_when_they_are_to_be_accepted() -> None:
    async with site(two_chargers(), unknown_chargers=ACCEPTING) as it:
        assert await it.supervisor.admit("X", "192.0.2.1")
        adopted = it.supervisor.station("SITE").charger("X")
        connectors = tuple(Connector(ConnectorKey("X", i), 22_000, CurrentType.AC) for i in (1, 2))
        assert adopted == Charger("X", 22_000, connectors)
        assert it.supervisor.knocked() == []
        kept = (await it.store.load_stations())["SITE"]["in_force"]
        assert [c["id"] for c in kept["chargers"]] == ["A", "B", "X"]


async def test_chargers_that_come_at_the_same_time_are_all_adopted() -> None:
    async with site(two_chargers(), unknown_chargers=ACCEPTING) as it:
        async with asyncio.TaskGroup() as tasks:
            admitted = [
                tasks.create_task(it.supervisor.admit(charger_id, "192.0.2.1"))
                for charger_id in ("X", "Y", "X")
            ]
        assert [task.result() for task in admitted] == [True, True, True]
        chargers = it.supervisor.station("SITE").chargers
        assert [c.charger_id for c in chargers] == ["A", "B", "X", "Y"]


async def test_nobody_is_adopted_when_no_station_is_the_default() -> None:
    both = (two_chargers(), other_station("C"))
    async with site(*both, unknown_chargers=ACCEPTING) as it:
        assert not await it.supervisor.admit("X", "192.0.2.1")
        assert [k.charger_id for k in it.supervisor.knocked()] == ["X"]
        (event,) = it.supervisor.events()
        assert event.kind == "charger_not_adopted"
        assert event.text.startswith("X: there are 2 stations and none is the default")
    async with site(*both, unknown_chargers=ACCEPTING, default_station="OTHER") as it:
        assert await it.supervisor.admit("X", "192.0.2.1")
        assert it.supervisor.station("OTHER").charger("X") is not None


async def test_late_answers_reach_the_loop() -> None:
    async with site(two_chargers()) as it:
        it.link.script = answering(SILENCE, A1)
        await it.connect("A")
        await it.start(A1)
        assert not it.supervisor.status("SITE").settled
        late: LateAnswers = it.supervisor
        late.late_answer(it.link.last(A1), YES)
        nowhere = replace(it.link.last(A1), connector=ConnectorKey("Z", 1))
        late.late_answer(nowhere, YES)
        await it.quiet()
        assert it.supervisor.status("SITE").settled


# ------------------------------------------------------------------------------ stations


async def test_stations_are_found_by_name_and_by_charger() -> None:
    async with site(two_chargers(), other_station("C")) as it:
        assert it.supervisor.station_ids() == ["SITE", "OTHER"]
        loop = it.supervisor.loop_of("C")
        assert loop is not None
        assert loop.station_id == "OTHER"
        assert it.supervisor.loop_of("Z") is None
        assert it.supervisor.status("OTHER").at == START
        with pytest.raises(UnknownStationError, match="no station 'NOWHERE'"):
            it.supervisor.station("NOWHERE")
        with pytest.raises(UnknownStationError):
            it.supervisor.status("NOWHERE")


async def test_the_default_station() -> None:
    async with site(two_chargers()) as it:
        assert it.supervisor.default_station_id() == "SITE"
        await it.supervisor.configure(other_station("C"))
        with pytest.raises(UnknownStationError, match="there are 2 stations"):
            it.supervisor.default_station_id()
    async with site(two_chargers(), other_station("C"), default_station="OTHER") as it:
        assert it.supervisor.default_station_id() == "OTHER"
    async with site() as it:
        with pytest.raises(UnknownStationError, match="there are 0 stations"):
            it.supervisor.default_station_id()


async def test_a_configuration_that_cannot_hold_is_refused_with_every_reason() -> None:
    async with site(two_chargers(), other_station("C")) as it:
        await it.connect("A")
        await it.start(A2)
        worse = station(
            charger("A", connectors=1, fallback_w=150_000),
            charger("C", fallback_w=1_000),
            grid_limit_w=100_000,
        )
        with pytest.raises(ConfigurationRefusedError) as raised:
            await it.supervisor.configure(worse)
        fallbacks = "the fallbacks of all connectors sum to 152.0 kW"
        assert raised.value.reasons == (
            f"{fallbacks}, more than the 100.0 kW the grid leaves after static load and reserve",
            "charger C already belongs to station OTHER",
            "connector A/2 is removed, but it is in use",
        )
        assert it.supervisor.station("SITE") == two_chargers()
        assert (await it.store.load_stations())["SITE"]["in_force"] == dump_station(two_chargers())


async def test_a_start_on_its_way_counts_as_use() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        await it.supervisor.recorder.start_session(start_report(A2))
        with pytest.raises(ConfigurationRefusedError, match="A/2 is removed, but it is in use"):
            await it.supervisor.configure(station(charger("A", connectors=1)))


async def test_a_change_is_kept_before_it_is_in_force_and_drops_no_session() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        await it.connect("B")
        await it.start(A1)
        await it.start(B1, meter_wh=1)
        it.link.script = keeping_back(A1, B1)
        it.link.wire.clear()
        await it.supervisor.configure(two_chargers(80_000))
        assert (await it.store.load_stations())["SITE"]["in_force"]["gridCapacity"] == 80.0
        # Lowers leave at once.
        assert it.allocated() == {"A/1": 40_000, "B/1": 40_000}
        await it.quiet()
        assert it.link.wire == ["A/1 40000", "B/1 40000"]
        assert it.supervisor.status("SITE").overcommitted
        it.link.release()
        await it.quiet()
        assert it.supervisor.status("SITE").worst_case_w == 80_000
        assert [e.text for e in it.supervisor.events() if e.kind == "station_changed"] == [
            "grid limit 80.0 kW"
        ]


async def test_connectors_are_added_and_removed() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        await it.connect("B")
        await it.start(B1)
        it.link.wire.clear()
        await it.supervisor.configure(
            station(charger("A", connectors=3), charger("B", connectors=1))
        )
        await it.quiet()
        assert it.link.wire[0] == "A/3 default 0"
        left = [A1, A2, ConnectorKey("A", 3), B1]
        assert list(it.loop().state.connectors) == left
        assert it.allocated() == {"B/1": 200_000}
        assert {e.connector for e in await it.store.load("SITE")} == set(left)
        assert it.conditions() == [Condition.CONTROLLED, Condition.CONTROLLED]


async def test_an_answer_for_a_connector_that_is_gone_is_no_error() -> None:
    async with site(two_chargers()) as it:
        await it.connect("A")
        it.link.script = keeping_back(A2)
        transaction_id = await it.start(A2)
        await it.supervisor.recorder.stop_session(StopReport("A", transaction_id, None, START))
        await it.supervisor.configure(station(charger("A", connectors=1), charger("B")))
        it.link.release(NO)
        await it.quiet()
        assert it.supervisor.status("SITE").settled


async def test_a_charger_that_is_removed_is_disconnected_and_may_come_back_elsewhere() -> None:
    async with site(two_chargers(), other_station("C")) as it:
        await it.connect("A")
        await it.connect("B")
        await it.supervisor.configure(station(charger("A"), grid_limit_w=200_000))
        assert it.link.named("disconnect") == [("B", "no longer in the configuration")]
        await it.supervisor.configure(other_station("C", "B"))
        # It was seen at another station: nobody knows what it does until it is here.
        assert it.conditions("OTHER") == [Condition.NEVER_SEEN, Condition.OFFLINE_RESERVED]
        assert it.supervisor.status("OTHER").worst_case_w == 200_000
        await it.connect("B")
        assert it.conditions("OTHER") == [Condition.NEVER_SEEN, Condition.CONTROLLED]
        await it.start(B1)
        assert it.allocated("OTHER") == {"B/1": 200_000}
        assert it.allocated() == {}


async def test_a_charger_that_was_removed_and_added_again_is_not_thought_connected() -> None:
    async with site(two_chargers()) as it:
        await it.connect("B")
        await it.supervisor.configure(station(charger("A")))
        await it.supervisor.configure(two_chargers())
        await it.quiet()
        assert it.conditions() == [Condition.NEVER_SEEN, Condition.OFFLINE_RESERVED]


class StartsWhileSaving(FaultyStore):
    """A driver plugs in while the changed station is being kept."""

    it: Site | None = None

    async def save_station(self, station_id: str, document: Mapping[str, Any]) -> None:
        await super().save_station(station_id, document)
        if self.it is not None:
            site_, self.it = self.it, None
            await site_.supervisor.recorder.start_session(start_report(A2))


async def test_a_session_that_starts_while_a_change_is_kept_is_not_lost() -> None:
    store = StartsWhileSaving()
    async with site(two_chargers(), store=store) as it:
        await it.connect("A")
        store.it = it
        with pytest.raises(ConfigurationRefusedError, match="A/2 is removed, but it is in use"):
            await it.supervisor.configure(station(charger("A", connectors=1)))
        assert it.supervisor.station("SITE") == two_chargers()
        assert (await store.load_stations())["SITE"]["in_force"] == dump_station(two_chargers())
        assert it.allocated() == {"A/2": 200_000}


async def test_after_a_restart_a_charger_was_last_seen_when_it_was() -> None:
    store = FaultyStore()
    await store.save_charger(seen_before("A"))
    await store.start(stored("s1", 7, A1))
    store.sample("s1", MeterSample(A1, START - 50, energy_wh=500))
    async with site(two_chargers(), store=store) as it:
        assert it.loop().state.chargers["A"].last_seen_at == START - 100


class StartsHeld(FaultyStore):
    """A start's row is there, but its commit takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()

    async def start(self, session: StoredSession) -> StoredSession:
        kept = await super().start(session)
        self.reached.set()
        await self.let_go.wait()
        return kept


async def test_a_connector_is_not_removed_while_its_start_is_being_kept() -> None:
    store = StartsHeld()
    async with site(two_chargers(), store=store) as it:
        await it.connect("A")
        async with asyncio.TaskGroup() as tasks:
            starting = tasks.create_task(it.supervisor.recorder.start_session(start_report(A2)))
            await store.reached.wait()
            with pytest.raises(ConfigurationRefusedError, match="A/2 is removed, but it is in use"):
                await it.supervisor.configure(station(charger("A", connectors=1)))
            store.let_go.set()
        await it.quiet()
        assert starting.result().token.status is TokenStatus.ACCEPTED
        assert it.allocated() == {"A/2": 200_000}


async def test_the_thousand_and_first_charger_is_not_adopted() -> None:
    store = FaultyStore()
    full = station(*(charger(f"C{n}", connectors=1, max_power_w=1_000) for n in range(1_000)))
    async with site(full, store=store, unknown_chargers=ACCEPTING) as it:
        assert not await it.supervisor.admit("NEW", "192.0.2.1")
        assert "more than the 1000 there may be" in it.supervisor.events()[-1].text
    async with site(full, store=store) as it:
        assert len(it.supervisor.station("SITE").chargers) == 1_000


# ------------------------------------------------------------------------------ crashes


async def test_of_two_sessions_left_on_a_connector_the_older_is_ended() -> None:
    store = FaultyStore()
    await store.start(stored("s1", 1, A1, started_at=START - 100, meter_wh=900))
    await store.start(stored("s2", 2, A1, started_at=START - 50))
    await store.start(stored("s3", 3, A1, started_at=START - 10, id_status=TokenStatus.BLOCKED))
    await store.start(stored("s4", 4, A2, started_at=START - 70))
    async with site(two_chargers(), store=store) as it:
        running = [s.session_id for s in it.supervisor.status("SITE").sessions()]
        assert running == ["s2", "s4"]
    assert [s.session_id for s in await store.running()] == ["s4", "s2", "s3"]
    (ended,) = await store.ended("SITE")
    assert (ended.session_id, ended.reason) == ("s1", "Superseded")
    assert (ended.ended_at, ended.energy_wh, ended.provisional) == (START - 50, 800, True)


async def test_a_charger_in_two_stations_is_seen_at_the_start() -> None:
    store = FaultyStore()
    async with site(two_chargers(), store=store) as it:
        await it.supervisor.configure(other_station("C"))
    clash = station(charger("A"), charger("C"), charger("D"))
    before = await store.load_stations()
    with pytest.raises(ConfigError) as raised:
        async with site(clash, store=store):
            pytest.fail("it runs")
    assert str(raised.value) == (
        "the stations in files and database: the configuration cannot be used\n"
        "  station OTHER: charger C is also in station SITE"
    )
    assert await store.load_stations() == before


async def test_what_was_lost_is_counted() -> None:
    async with site(two_chargers(), other_station("C")) as it:
        assert it.supervisor.dropped_facts() == 0
        assert it.supervisor.losses() == Losses()
        for number in range(10_001):
            key = ConnectorKey("C", number)
            it.supervisor.recorder.record(MeterSample(key, START, power_w=1))
        assert it.supervisor.dropped_facts() == 1


async def test_without_room_for_the_end_of_an_older_session_csms_starts_all_the_same() -> None:
    store = FaultyStore()
    await store.start(stored("s1", 1, A1, started_at=START - 100))
    await store.start(stored("s2", 2, A1, started_at=START - 50))
    store.ends_to_fail = 1
    async with site(two_chargers(), store=store) as it:
        assert [s.session_id for s in it.supervisor.status("SITE").sessions()] == ["s2"]
        assert [s.session_id for s in await store.running()] == ["s1", "s2"]
        await it.supervisor.presumption.look()
        await it.quiet()
        assert [s.session_id for s in it.supervisor.status("SITE").sessions()] == ["s2"]
    assert [s.session_id for s in await store.running()] == ["s2"]
    assert [(s.session_id, s.reason) for s in await store.ended("SITE")] == [("s1", "Superseded")]
