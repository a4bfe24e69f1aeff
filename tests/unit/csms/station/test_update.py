"""Every fact, where it belongs and where it has come too late."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest

from csms.station.facts import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    ConnectorStatusReported,
    Fact,
    GridFact,
    GridHeartbeat,
    GridLimitGiven,
    GridLimitWithdrawn,
    GridScheduleGiven,
    LimitConfirmed,
    MeterSample,
    SessionEnded,
    SessionStarted,
    VehicleMaximumDeclared,
)
from csms.station.grid import (
    GivenLimit,
    GridState,
    GridStep,
    Mode,
    given,
    heartbeat,
    scheduled,
    withdrawn,
)
from csms.station.model import Charger, Connector, ConnectorKey, CurrentType, Station
from csms.station.register import Register
from csms.station.state import (
    UNCONFIGURED_KEPT,
    ChargerState,
    ConnectorStatus,
    LimitStep,
    Reading,
    Session,
    StationState,
)
from csms.station.update import (
    apply,
    grid_after,
    pass_time,
    reveals_connector,
    session_of_sample,
)

A1, A2, B1 = ConnectorKey("A", 1), ConnectorKey("A", 2), ConnectorKey("B", 1)
SITE = Station(
    "S",
    1,
    (
        Charger("A", 1, (Connector(A1, 1), Connector(A2, 1))),
        Charger("B", 1, (Connector(B1, 1),)),
    ),
)
STARTED = SessionStarted(10.0, "s1", 7, A1, "TAG", 9.0, Register(1_000), vehicle_max_w=80_000)


@pytest.fixture
def state() -> StationState:
    """Nothing known yet."""
    return StationState.of(SITE)


@pytest.fixture
def running(state: StationState) -> Session:
    """Session s1, transaction 7, on A/1 of `state`."""
    apply(state, STARTED)
    session = state.session("s1")
    assert session is not None
    return session


def sample(at: float = 20.0, key: ConnectorKey = A1, **values: float | None) -> MeterSample:
    return MeterSample(key, at, **values)  # type: ignore[arg-type]


# ------------------------------------------------------------------ nowhere


@pytest.mark.parametrize(
    "fact",
    [
        ChargerConnected("X", 1.0),
        ChargerDisconnected("X", 1.0),
        ChargerBooted("X", 1.0),
        ConnectorStatusReported(ConnectorKey("X", 1), 1.0, ConnectorStatus.AVAILABLE),
        replace(STARTED, connector=ConnectorKey("A", 9)),
        SessionEnded(1.0, "s1", ConnectorKey("A", 9)),
        SessionEnded(1.0, "s1", A1),
        sample(key=ConnectorKey("X", 0), power_w=1),
        VehicleMaximumDeclared(ConnectorKey("A", 9), 1.0, 5),
        VehicleMaximumDeclared(A1, 1.0, 5),
        LimitConfirmed(ConnectorKey("X", 9), 1.0, "s1", 5),
    ],
    ids=lambda fact: f"{type(fact).__name__} {getattr(fact, 'connector', '')}",
)
def test_a_fact_about_something_that_is_not_there_changes_nothing(
    state: StationState, fact: Fact
) -> None:
    before = copy.deepcopy(state)
    assert apply(state, fact) is False
    assert state == before


# ------------------------------------------------------------------ chargers


def test_a_charger_comes_and_goes(state: StationState) -> None:
    assert apply(state, ChargerConnected("A", 5.0))
    assert state.chargers["A"] == ChargerState(connected=True, last_seen_at=5.0)
    assert apply(state, ChargerDisconnected("A", 6.0))
    assert state.chargers["A"] == ChargerState(connected=False, last_seen_at=5.0)


def test_a_charger_says_who_it_is_when_it_boots(state: StationState) -> None:
    assert apply(state, ChargerBooted("A", 5.0, "Maker", "Model", "001", "1.2"))
    assert state.chargers["A"] == ChargerState(
        last_seen_at=5.0,
        vendor="Maker",
        model="Model",
        serial="001",
        firmware="1.2",
        booted_at=5.0,
    )


def test_a_boot_leaves_the_session_but_no_limit_confirmed(
    state: StationState, running: Session
) -> None:
    apply(state, replace(STARTED, session_id="s2", connector=B1))
    other = state.session("s2")
    assert other is not None
    apply(state, LimitConfirmed(A1, 11.0, "s1", 50_000))
    apply(state, LimitConfirmed(B1, 11.0, "s2", 50_000))
    apply(state, ChargerBooted("A", 12.0))
    assert state.session("s1") is running
    assert list(running.limits) == []
    assert list(other.limits) == [LimitStep(11.0, 50_000)]


def test_a_connector_reports_its_status(state: StationState) -> None:
    fact = ConnectorStatusReported(A2, 5.0, ConnectorStatus.FAULTED, "GroundFailure")
    assert apply(state, fact)
    assert state.connectors[A2].status is ConnectorStatus.FAULTED
    assert state.connectors[A2].error_code == "GroundFailure"
    assert state.connectors[A1].status is ConnectorStatus.UNKNOWN
    assert state.chargers["A"].last_seen_at == 5.0


def test_the_status_of_the_whole_charger_is_no_connectors(state: StationState) -> None:
    fact = ConnectorStatusReported(ConnectorKey("B", 0), 5.0, ConnectorStatus.UNAVAILABLE)
    assert apply(state, fact) is False
    assert state.connectors[B1].status is ConnectorStatus.UNKNOWN
    assert state.chargers["B"].last_seen_at == 5.0


def test_connectors_that_are_not_configured_are_known_as_reported(state: StationState) -> None:
    for key in (ConnectorKey("A", 7), ConnectorKey("A", 3), A1, ConnectorKey("A", 0)):
        assert reveals_connector(state, key) is (key.connector_id > 2)
        apply(state, ConnectorStatusReported(key, 5.0, ConnectorStatus.AVAILABLE))
        apply(state, sample(key=key, power_w=1))
        assert not reveals_connector(state, key)
    assert not reveals_connector(state, ConnectorKey("A", -1))
    assert not reveals_connector(state, ConnectorKey("X", 1))
    assert (state.unconfigured("A"), state.unconfigured("B")) == ([3, 7], [])


def test_only_so_many_connectors_that_are_not_configured_are_known(state: StationState) -> None:
    for number in range(3, 100):
        apply(state, sample(key=ConnectorKey("A", number), power_w=1))
    assert len(state.unconfigured("A")) == UNCONFIGURED_KEPT
    assert not reveals_connector(state, ConnectorKey("A", 100))


def test_available_does_not_end_a_session(state: StationState, running: Session) -> None:
    apply(state, ConnectorStatusReported(A1, 20.0, ConnectorStatus.AVAILABLE))
    assert state.session("s1") is running


# ------------------------------------------------------------------ sessions


def test_a_session_starts(state: StationState) -> None:
    assert apply(state, STARTED)
    # The charger's clock says 9; what counts for whose turn it is, is when csms heard of it.
    assert state.session("s1") == Session(
        "s1", 7, A1, "TAG", 9.0, Register(1_000), vehicle_max_w=80_000, waiting_since=STARTED.at
    )


def test_the_same_start_again_keeps_what_is_known(state: StationState, running: Session) -> None:
    apply(state, sample(power_w=5))
    assert apply(state, STARTED)
    assert state.session("s1") is running
    assert running.measured_w == 5


def test_a_new_session_takes_the_place_of_one_never_ended(
    state: StationState, running: Session
) -> None:
    assert apply(state, replace(STARTED, session_id="s2", transaction_id=8))
    assert state.session("s1") is None
    assert [s.session_id for s in state.sessions()] == ["s2"]
    assert running.session_id == "s1"


def test_what_flows_after_an_end_that_was_only_presumed_counts(
    state: StationState, running: Session
) -> None:
    assert apply(state, SessionEnded(30.0, running.session_id, A1, presumed=True))
    assert apply(state, sample(31.0, power_w=5, transaction_id=running.transaction_id))
    assert state.connectors[A1].reading == Reading(31.0, 5)


def test_a_session_ends(state: StationState, running: Session) -> None:
    assert apply(state, SessionEnded(30.0, running.session_id, A1))
    assert state.sessions() == []


def test_the_end_of_an_older_session_leaves_the_new_one(
    state: StationState, running: Session
) -> None:
    assert apply(state, SessionEnded(30.0, "s0", A1)) is False
    assert state.session("s1") is running


def test_a_vehicle_maximum_is_declared(state: StationState, running: Session) -> None:
    assert apply(state, VehicleMaximumDeclared(A1, 20.0, 60_000))
    assert running.vehicle_max_w == 60_000


# ------------------------------------------------------------------ samples


def test_a_sample_tells_power_energy_and_state_of_charge(
    state: StationState, running: Session
) -> None:
    assert apply(state, sample(power_w=60_000, energy_wh=1_500, soc_pct=42.5, transaction_id=7))
    assert list(running.readings) == [Reading(20.0, 60_000)]
    assert (running.energy_wh, running.soc_pct) == (500, 42.5)
    assert state.chargers["A"].last_seen_at == 20.0


def test_a_sample_leaves_alone_what_it_does_not_tell(state: StationState, running: Session) -> None:
    apply(state, sample(power_w=60_000, energy_wh=1_500, soc_pct=42.5))
    assert apply(state, sample(21.0, voltage_v=400.0))
    assert (running.measured_w, running.energy_wh, running.soc_pct) == (60_000, 500, 42.5)
    assert len(running.readings) == 1


@pytest.mark.parametrize("transaction_id", [None, 0, -1, 7])
def test_a_sample_that_names_no_other_transaction_counts(
    state: StationState, running: Session, transaction_id: int | None
) -> None:
    assert apply(state, sample(power_w=5, transaction_id=transaction_id))
    assert running.measured_w == 5


def test_a_late_sample_of_an_ended_session_counts_nowhere(
    state: StationState, running: Session
) -> None:
    apply(state, SessionEnded(30.0, "s1", A1))
    assert apply(state, sample(31.0, power_w=5, transaction_id=7)) is False
    assert state.sessions() == []
    apply(state, replace(STARTED, at=32.0, session_id="s2", transaction_id=8))
    assert apply(state, sample(33.0, power_w=5, transaction_id=7)) is False
    assert state.sessions()[0].measured_w is None
    assert state.connectors[A1].reading is None


def test_the_main_meter_of_a_charger_with_one_connector_is_that_connectors(
    state: StationState,
) -> None:
    apply(state, replace(STARTED, connector=B1))
    assert apply(state, sample(key=ConnectorKey("B", 0), power_w=5))
    assert state.sessions()[0].measured_w == 5


def test_the_main_meter_of_a_charger_with_two_connectors_is_nobodys(
    state: StationState, running: Session
) -> None:
    assert apply(state, sample(key=ConnectorKey("A", 0), power_w=5)) is False
    assert running.measured_w is None
    assert state.chargers["A"].last_seen_at == 20.0


def test_export_is_no_draw(state: StationState, running: Session) -> None:
    apply(state, sample(power_w=-5))
    assert running.measured_w == 0


def test_a_register_that_drops_out_takes_no_energy_back(
    state: StationState, running: Session
) -> None:
    for at, energy_wh, gained_wh in ((20.0, 1_600, 600), (21.0, 0, 600), (22.0, 1_700, 700)):
        apply(state, sample(at, energy_wh=energy_wh))
        assert running.energy_wh == gained_wh


def test_of_several_readings_at_once_the_last_counts(state: StationState, running: Session) -> None:
    for at, power_w in ((20.0, 1), (21.0, 2), (21.0, 3), (20.5, 4)):
        apply(state, sample(at, power_w=power_w))
    assert list(running.readings) == [Reading(20.0, 1), Reading(21.0, 3)]


# ------------------------------------------------------------------ what flows, session or not


def test_a_connector_remembers_what_flows_and_what_is_offered(state: StationState) -> None:
    assert state.connectors[A1].offered_w is None
    assert apply(state, sample(power_w=7_000, offered_w=11_000, measured_at=19.0))
    assert state.connectors[A1].reading == Reading(20.0, 7_000, 19.0)
    assert state.connectors[A1].offered == Reading(20.0, 11_000, 19.0)
    assert state.connectors[A1].offered_w == 11_000
    assert apply(state, sample(21.0, offered_w=0))
    assert state.connectors[A1].reading == Reading(20.0, 7_000, 19.0)
    assert state.connectors[A1].offered_w == 0
    assert apply(state, sample(22.0, soc_pct=50.0)) is False
    assert state.connectors[A2].reading is None


def test_a_session_and_its_connector_remember_the_same_reading(
    state: StationState, running: Session
) -> None:
    apply(state, sample(power_w=7_000, measured_at=19.0))
    assert list(running.readings) == [Reading(20.0, 7_000, 19.0)]
    assert state.connectors[A1].reading == running.readings[-1]


def test_of_several_readings_of_a_connector_the_last_and_latest_counts(state: StationState) -> None:
    for at, power_w in ((20.0, 1), (21.0, 2), (21.0, 3), (20.5, 4)):
        apply(state, sample(at, power_w=power_w))
    assert state.connectors[A1].reading == Reading(21.0, 3)


def test_power_under_a_number_nobody_knows_flows_all_the_same(
    state: StationState, running: Session
) -> None:
    assert apply(state, sample(power_w=5_000, transaction_id=99))
    assert running.measured_w is None
    assert state.connectors[A1].reading == Reading(20.0, 5_000)
    assert apply(state, sample(key=A2, power_w=6_000, transaction_id=-1))
    assert state.connectors[A2].reading == Reading(20.0, 6_000)


def test_a_transaction_of_another_connector_does_not_flow_here(
    state: StationState, running: Session
) -> None:
    assert apply(state, sample(key=A2, power_w=5_000, offered_w=5, transaction_id=7)) is False
    assert state.connectors[A2].reading is None
    assert state.connectors[A2].offered is None
    # Of the same number on another charger nothing follows.
    assert apply(state, sample(key=B1, power_w=5_000, transaction_id=7))


@pytest.mark.parametrize(
    "context", ["Transaction.Begin", "Transaction.End", "Interruption.Begin", "Interruption.End"]
)
def test_what_was_taken_at_a_boundary_does_not_flow_now(
    state: StationState, running: Session, context: str
) -> None:
    late = replace(sample(power_w=5_000), context=context)
    assert apply(state, late)
    assert running.measured_w == 5_000
    assert state.connectors[A1].reading is None


def test_export_is_no_reading_of_a_connector(state: StationState) -> None:
    apply(state, sample(power_w=7_000))
    apply(state, sample(21.0, power_w=-5))
    assert state.connectors[A1].reading == Reading(20.0, 7_000)


def test_a_connector_knows_when_a_session_began_or_ended_and_which(state: StationState) -> None:
    connector = state.connectors[A1]
    apply(state, STARTED)
    assert (connector.changed_at, connector.ended_transaction_id) == (10.0, None)
    apply(state, replace(STARTED, at=15.0))
    assert connector.changed_at == 10.0
    apply(state, replace(STARTED, at=20.0, session_id="s2", transaction_id=8))
    assert (connector.changed_at, connector.ended_transaction_id) == (20.0, 7)
    apply(state, SessionEnded(30.0, "s1", A1))
    assert (connector.changed_at, connector.ended_transaction_id) == (20.0, 7)
    apply(state, SessionEnded(30.0, "s2", A1))
    assert (connector.changed_at, connector.ended_transaction_id) == (30.0, 8)


@pytest.mark.parametrize(
    ("connector", "values", "expected"),
    [
        (Connector(A1, 1, CurrentType.AC), {"current_a": 16.0}, 11_040),
        (Connector(A1, 1, CurrentType.AC, phases=1), {"current_a": 16.0}, 3_680),
        (
            Connector(A1, 1, CurrentType.AC, phases=1),
            {"current_a": 16.0, "voltage_v": 240.0},
            3_840,
        ),
        (Connector(A1, 1), {"current_a": 100.0, "voltage_v": 400.0}, 40_000),
        (Connector(A1, 1), {"current_a": 100.0}, None),
        (Connector(A1, 1), {"current_a": math.nan, "voltage_v": 400.0}, None),
        (Connector(A1, 1), {"current_a": 100.0, "voltage_v": 400.0, "power_w": 7}, 7),
        (Connector(A2, 1), {"current_a": 100.0, "voltage_v": 400.0}, None),
    ],
)
def test_a_lone_current_is_power_on_a_connector_that_is_known(
    connector: Connector, values: dict[str, float], expected: int | None
) -> None:
    state = StationState.of(Station("S", 1, (Charger("A", 1, (connector,)),)))
    apply(state, sample(key=A1, **values))
    reading = state.connectors[connector.key].reading
    assert (None if reading is None else reading.power_w) == expected


# ------------------------------------------------------------------ limits


def test_confirmed_limits_are_steps_and_a_renewal_is_none(
    state: StationState, running: Session
) -> None:
    for at, limit_w in ((11.0, 5), (12.0, 5), (13.0, 6), (14.0, 5)):
        assert apply(state, LimitConfirmed(A1, at, "s1", limit_w))
    assert list(running.limits) == [LimitStep(11.0, 5), LimitStep(13.0, 6), LimitStep(14.0, 5)]
    assert state.chargers["A"].last_seen_at == 14.0


def test_a_limit_of_another_session_is_not_this_ones(state: StationState, running: Session) -> None:
    assert apply(state, LimitConfirmed(A1, 11.0, "s0", 5)) is False
    assert apply(state, LimitConfirmed(A2, 11.0, "s1", 5)) is False
    assert list(running.limits) == []


def test_a_sample_without_a_connector_is_found_by_its_transaction(
    state: StationState, running: Session
) -> None:
    whole = ConnectorKey(A1.charger_id, 0)
    named = sample(key=whole, power_w=7_000, transaction_id=running.transaction_id)
    assert session_of_sample(state, replace(named, transaction_id=1)) is None
    assert apply(state, named)
    assert running.measured_w == 7_000


# ------------------------------------------------------------------ grid limit

STEPS = (GridStep(30.0, 3),)
ACTIVE = given(SITE, GridState(), 7, 19.0, heartbeat_s=60.0)
GRID_FACTS: list[tuple[GridFact, GridState]] = [
    (
        GridLimitGiven(20.0, 5, valid_until=40.0, heartbeat_s=10.0),
        given(SITE, ACTIVE, 5, 20.0, valid_until=40.0, heartbeat_s=10.0),
    ),
    (GridHeartbeat(20.0), heartbeat(SITE, ACTIVE, 20.0)),
    (GridScheduleGiven(20.0, STEPS), scheduled(SITE, ACTIVE, STEPS, 20.0)),
    (GridLimitWithdrawn(20.0), withdrawn(SITE, ACTIVE, 20.0)),
]


@pytest.mark.parametrize(("fact", "expected"), GRID_FACTS)
def test_what_is_said_of_the_grid_limit_is_taken(
    state: StationState, fact: GridFact, expected: GridState
) -> None:
    state.grid = ACTIVE
    assert grid_after(state, fact) == expected
    assert state.grid == ACTIVE
    assert apply(state, fact)
    assert state.grid == expected


def test_time_alone_changes_the_grid_limit(state: StationState) -> None:
    apply(state, GridLimitGiven(20.0, 5, valid_until=40.0, heartbeat_s=30.0))
    pass_time(state, 39.0)
    assert (state.grid.mode, state.grid.given) == (Mode.HEARD, GivenLimit(5, 20.0, 40.0))
    pass_time(state, 80.0)
    assert (state.grid.mode, state.grid.given, state.grid.at) == (Mode.LOST, None, 80.0)
