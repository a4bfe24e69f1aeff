"""What is true of a station at this moment."""

from __future__ import annotations

from dataclasses import replace

from csms.station.grid import GridState, GridStep, given, scheduled
from csms.station.model import Charger, Connector, ConnectorKey, Station
from csms.station.register import Register
from csms.station.state import (
    LIMITS_KEPT,
    READINGS_KEPT,
    ChargerState,
    ConnectorState,
    ConnectorStatus,
    LimitStep,
    Reading,
    Session,
    StationState,
)

A1, A2 = ConnectorKey("A", 1), ConnectorKey("A", 2)
SITE = Station("S", 1, (Charger("A", 1, (Connector(A1, 1), Connector(A2, 1))),))


def session(session_id: str = "s1", key: ConnectorKey = A1) -> Session:
    return Session(session_id, 7, key, "TAG", 0.0, Register(1_000))


def test_nothing_is_known_of_a_new_station() -> None:
    state = StationState.of(SITE)
    assert state.chargers == {"A": ChargerState(connected=False)}
    assert state.connectors == {A1: ConnectorState(), A2: ConnectorState()}
    assert state.connectors[A1].status is ConnectorStatus.UNKNOWN
    assert state.sessions() == []


def test_sessions_come_in_the_order_of_the_configuration_and_are_found_by_id() -> None:
    state = StationState.of(SITE)
    late, early = session("s2", A2), session("s1", A1)
    state.connectors[A2].session, state.connectors[A1].session = late, early
    assert state.sessions() == [early, late]
    assert state.session("s2") is late
    assert state.session("s3") is None


def test_energy_is_what_the_readings_have_come_to() -> None:
    running = session()
    assert (running.energy_wh, running.metered) == (0, False)
    running.register = running.register.read(1_250)
    assert (running.energy_wh, running.metered) == (250, True)


def test_the_measured_power_is_the_newest_reading() -> None:
    running = session()
    assert running.measured_w is None
    running.readings.extend([Reading(1.0, 10), Reading(2.0, 20)])
    assert running.measured_w == 20


def test_a_session_remembers_only_so_much() -> None:
    running = session()
    running.readings.extend(Reading(float(n), n) for n in range(100))
    running.limits.extend(LimitStep(float(n), n) for n in range(100))
    assert (len(running.readings), running.readings[0].power_w) == (READINGS_KEPT, 36)
    assert (len(running.limits), running.limits[0].limit_w) == (LIMITS_KEPT, 92)


def test_the_station_in_force_has_the_grid_limit_of_the_moment() -> None:
    state = StationState.of(replace(SITE, grid_limit_w=400, static_load_w=50))
    assert state.in_force(10.0) is state.station
    state.grid = scheduled(state.station, GridState(), (GridStep(20.0, 300),), 10.0)
    assert (state.available_w(19.9), state.available_w(20.0)) == (350, 250)
    state.grid = given(state.station, state.grid, 30, 21.0)
    assert state.in_force(22.0) == replace(state.station, grid_limit_w=30)
    assert state.available_w(22.0) == 0


def test_the_station_in_force_is_the_same_object_until_something_changes() -> None:
    state = StationState.of(replace(SITE, grid_limit_w=400))
    state.grid = given(state.station, state.grid, 300, 10.0, valid_until=20.0)
    first = state.in_force(10.0)
    assert first is state.in_force(11.0)
    state.grid = given(state.station, state.grid, 300, 12.0, valid_until=20.0)
    assert first is state.in_force(13.0)
    state.station = replace(state.station, reserve_w=1)
    assert state.in_force(13.0) == replace(state.station, grid_limit_w=300)
    assert state.in_force(20.0) is state.station


def test_a_charger_introduces_itself() -> None:
    charger = ChargerState(connected=True, last_seen_at=1.0)
    charger.introduce("ACME", "Fast", "S1", "1.2")
    assert charger == ChargerState(True, 1.0, "ACME", "Fast", "S1", "1.2")


def test_the_session_on_a_connector() -> None:
    state = StationState.of(SITE)
    state.connectors[A1].session = session()
    assert state.session_on(A1) == session()
    assert state.session_on(A2) is None
    assert state.session_on(ConnectorKey("X", 1)) is None


def test_connectors_that_are_configured_by_now_are_not_missing() -> None:
    state = StationState.of(SITE)
    assert state.unconfigured("A") == []
    state.chargers["A"].unconfigured |= {9, 2, 4}
    assert state.unconfigured("A") == [4, 9]
