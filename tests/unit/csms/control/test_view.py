from __future__ import annotations

import pytest

from csms.control.status import (
    ChargerView,
    ConnectorView,
    LimitStatus,
    SessionStatus,
    StationStatus,
)
from csms.control.view import session_status, station_status
from csms.dispatch.commands import Scope
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.ports import Answer
from csms.station.facts import ChargerBooted, ConnectorStatusReported, MeterSample
from csms.station.lifecycle import Occupancy
from csms.station.model import ConnectorKey, CurrentType, LimitSource, Station
from csms.station.register import Register
from csms.station.state import ConnectorStatus, Session
from tests.stations import charger, station
from tests.unit.csms.control.fakes import (
    NO,
    SILENCE,
    START,
    TAG,
    Rig,
    answering,
    keeping_back,
    refusing,
    rig,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
B1 = ConnectorKey("B", 1)


def site_of_two() -> Station:
    return station(
        charger("A", fallback_w=2_000),
        charger("B", connectors=1, max_power_w=50_000),
        grid_limit_w=200_000,
        static_load_w=10_000,
        reserve_w=5_000,
        ramp_w_per_min=600_000,
    )


def seen(site: Rig) -> StationStatus:
    return station_status(site.loop, site.clock.now())


def only_session(site: Rig) -> SessionStatus:
    (session,) = seen(site).sessions()
    return session


async def test_a_station_nobody_has_connected_to() -> None:
    async with rig(site_of_two()) as site:
        assert seen(site) == StationStatus(
            station_id="SITE",
            at=START,
            grid_limit_w=200_000,
            static_load_w=10_000,
            reserve_w=5_000,
            available_w=185_000,
            allocated_w=0,
            measured_w=0,
            worst_case_w=4_000,
            condition=Condition.NEVER_SEEN,
            overcommitted=False,
            settled=True,
            chargers=(
                ChargerView(
                    "A",
                    Condition.NEVER_SEEN,
                    connected=False,
                    vendor="",
                    model="",
                    firmware="",
                    last_seen_at=None,
                    max_power_w=200_000,
                    connectors=(idle(A1, 200_000, 2_000), idle(A2, 200_000, 2_000)),
                ),
                ChargerView(
                    "B",
                    Condition.NEVER_SEEN,
                    connected=False,
                    vendor="",
                    model="",
                    firmware="",
                    last_seen_at=None,
                    max_power_w=50_000,
                    connectors=(idle(B1, 50_000, 0),),
                ),
            ),
            ramp_w_per_min=600_000,
        )


def idle(key: ConnectorKey, max_power_w: int, worst_case_w: int) -> ConnectorView:
    return ConnectorView(
        key,
        CurrentType.DC,
        max_power_w,
        ConnectorStatus.UNKNOWN,
        "NoError",
        Occupancy.FREE,
        Condition.NEVER_SEEN,
        worst_case_w,
        session=None,
        reason="never seen",
    )


async def test_a_charger_says_who_it_is_and_what_its_connectors_do() -> None:
    async with rig(site_of_two(), "A") as site:
        site.loop.post(ChargerBooted("A", START + 1, "ACME", "Fast", "S1", "1.2"))
        status = ConnectorStatus.FAULTED
        site.loop.post(ConnectorStatusReported(A2, START + 2, status, "GroundFailure"))
        await site.quiet()
        shown, _ = seen(site).chargers
        assert (shown.vendor, shown.model, shown.firmware) == ("ACME", "Fast", "1.2")
        assert shown.connected
        assert shown.last_seen_at == START + 2
        assert shown.condition is Condition.CONTROLLED
        first, second = shown.connectors
        assert (first.status, first.error_code) == (ConnectorStatus.UNKNOWN, "NoError")
        assert (second.status, second.error_code) == (status, "GroundFailure")
        assert (first.occupancy, second.occupancy) == (Occupancy.FREE, Occupancy.OUT_OF_ORDER)
        await site.start(A1)
        assert seen(site).chargers[0].connectors[0].occupancy is Occupancy.CHARGING


async def test_a_session_shows_what_it_wants_gets_and_draws() -> None:
    async with rig(site_of_two(), "A", "B") as site:
        await site.start(A1, 60_000)
        await site.start(B1)
        site.clock.advance(10.0)
        site.loop.post(MeterSample(A1, START + 10, power_w=55_000, energy_wh=1_500, soc_pct=41.5))
        await site.quiet()
        shown = seen(site)
        first, second = shown.sessions()
        assert first == SessionStatus(
            session_id="s1",
            transaction_id=101,
            connector=A1,
            id_token=TAG,
            started_at=START,
            allocated_w=60_000,
            allocated_source=LimitSource.VEHICLE,
            demanded_w=60_000,
            measured_w=55_000,
            energy_wh=1_500,
            soc_pct=41.5,
            vehicle_max_w=60_000,
            limit=LimitStatus(60_000, LimitSource.VEHICLE, EntryState.CONFIRMED, START),
        )
        assert (second.measured_w, second.energy_wh, second.soc_pct) == (None, 0, None)
        assert (second.allocated_w, second.vehicle_max_w) == (50_000, None)
        assert (shown.allocated_w, shown.measured_w) == (110_000, 55_000)
        # Both limits, and the fallback of the idle connector.
        assert shown.worst_case_w == 112_000
        assert [c.worst_case_w for v in shown.chargers for c in v.connectors] == [
            60_000,
            2_000,
            50_000,
        ]
        assert shown.settled
        assert not shown.overcommitted


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (None, EntryState.SENT),
        (NO, EntryState.REFUSED),
        (SILENCE, EntryState.UNANSWERED),
    ],
)
async def test_a_limit_shows_how_far_it_is_known_to_be_in_force(
    answer: Answer | None, state: EntryState
) -> None:
    async with rig(site_of_two(), "A") as site:
        site.link.script = keeping_back(A1) if answer is None else refusing(answer, A1)
        site.clock.advance(3.0)
        await site.start(A1, 60_000)
        assert only_session(site).limit == LimitStatus(
            60_000, LimitSource.VEHICLE, state, START + 3
        )
        assert not seen(site).settled


async def test_without_a_limit_of_its_own_a_session_shows_its_fallback() -> None:
    async with rig(site_of_two(), "A") as site:
        await site.start(A1, 1_000)
        shown = only_session(site)
        assert shown.limit == LimitStatus(2_000, LimitSource.FALLBACK, EntryState.CONFIRMED, START)
        # It may have the fallback whatever the vehicle was declared to take.
        assert (shown.demanded_w, shown.allocated_w) == (1_000, 2_000)


async def test_a_session_at_a_charger_never_given_a_limit_shows_none() -> None:
    async with rig(site_of_two()) as site:
        await site.start(A1)
        assert only_session(site).limit is None


async def test_a_session_the_balancer_has_not_seen_yet_has_nothing() -> None:
    async with rig(site_of_two(), "A") as site:
        session = Session("new", 1, A1, TAG, START, Register(0))
        shown = session_status(site.loop, session)
        assert (shown.allocated_w, shown.allocated_source) == (0, LimitSource.FALLBACK)
        assert shown.demanded_w == 0


async def test_a_station_with_more_in_force_than_there_is_says_so() -> None:
    async with rig(site_of_two(), "A") as site:
        await site.start(A1)
        site.link.script = refusing(SILENCE, A1)
        await site.renew(station(charger("A"), grid_limit_w=50_000))
        shown = seen(site)
        assert (shown.worst_case_w, shown.available_w) == (183_000, 50_000)
        assert shown.overcommitted
        assert not shown.settled


async def test_conditions_of_a_charger() -> None:
    async with rig(site_of_two()) as site:
        site.link.script = answering(NO, B1, scope=Scope.DEFAULT)
        assert site.conditions() == [Condition.NEVER_SEEN, Condition.NEVER_SEEN]
        await site.connect("A", "B")
        assert site.conditions() == [Condition.CONTROLLED, Condition.REGISTERING]
        await site.later(15.0)
        assert site.conditions() == [Condition.CONTROLLED, Condition.UNCONTROLLED]
        await site.disconnect("A")
        await site.disconnect("B")
        assert site.conditions() == [Condition.OFFLINE_RESERVED, Condition.OFFLINE_RESERVED]
        assert not any(view.connected for view in seen(site).chargers)
