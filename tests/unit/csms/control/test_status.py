from __future__ import annotations

from csms.control.status import (
    ChargerView,
    ConnectorView,
    SessionStatus,
    StationStatus,
)
from csms.dispatch.standing import Condition
from csms.station.lifecycle import Occupancy
from csms.station.model import ConnectorKey, CurrentType, LimitSource
from csms.station.state import ConnectorStatus


def session(key: ConnectorKey) -> SessionStatus:
    return SessionStatus(
        session_id=str(key),
        transaction_id=1,
        connector=key,
        id_token="TAG",  # noqa: S106
        started_at=0.0,
        allocated_w=1,
        allocated_source=LimitSource.GRID,
        demanded_w=2,
        measured_w=None,
        energy_wh=0,
        soc_pct=None,
        vehicle_max_w=None,
        limit=None,
    )


def connector(key: ConnectorKey, *, busy: bool) -> ConnectorView:
    running = session(key) if busy else None
    return ConnectorView(
        key,
        CurrentType.DC,
        10,
        ConnectorStatus.UNKNOWN,
        "NoError",
        Occupancy.FREE,
        Condition.CONTROLLED,
        0,
        session=running,
    )


def charger(charger_id: str, *busy: bool) -> ChargerView:
    connectors = tuple(
        connector(ConnectorKey(charger_id, number), busy=taken)
        for number, taken in enumerate(busy, start=1)
    )
    return ChargerView(
        charger_id,
        Condition.CONTROLLED,
        connected=True,
        vendor="",
        model="",
        firmware="",
        last_seen_at=None,
        max_power_w=10,
        connectors=connectors,
    )


def station(*chargers: ChargerView) -> StationStatus:
    return StationStatus(
        "SITE",
        0.0,
        10,
        0,
        0,
        10,
        0,
        0,
        0,
        Condition.CONTROLLED,
        overcommitted=False,
        settled=True,
        chargers=chargers,
    )


def test_sessions_are_in_the_order_of_the_configuration() -> None:
    shown = station(charger("B", False, True), charger("A", True, True, False))
    assert [s.session_id for s in shown.sessions()] == ["B/2", "A/1", "A/2"]


def test_a_station_without_sessions_shows_none() -> None:
    assert station(charger("A", False)).sessions() == []


def test_a_connector_is_found_by_its_key() -> None:
    key = ConnectorKey("B", 2)
    assert station(charger("A", True), charger("B", False, True)).connector(key).key == key
