"""What a station is built of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    Feeder,
    LimitSource,
    SharedLimit,
    Station,
)

SITE = Station(
    "S",
    400_000,
    (
        Charger("B", 200_000, (Connector(ConnectorKey("B", 1), 1),)),
        Charger(
            "A", 200_000, (Connector(ConnectorKey("A", 1), 1), Connector(ConnectorKey("A", 2), 1))
        ),
    ),
)


def test_a_connector_key_reads_as_people_write_it() -> None:
    assert str(ConnectorKey("CP001", 2)) == "CP001/2"


def test_connectors_come_in_the_order_of_the_configuration() -> None:
    assert [str(connector.key) for connector in SITE.connectors()] == ["B/1", "A/1", "A/2"]


def test_a_charger_is_found_by_its_id() -> None:
    assert SITE.charger("A") is SITE.chargers[1]
    assert SITE.charger("C") is None


def test_a_connector_is_found_by_its_key() -> None:
    assert SITE.connector(ConnectorKey("A", 2)) is SITE.chargers[1].connectors[1]
    with pytest.raises(KeyError):
        SITE.connector(ConnectorKey("A", 3))


def test_what_is_available_is_never_negative() -> None:
    assert SITE.available_w == 400_000
    assert replace(SITE, static_load_w=3_000, reserve_w=7_000).available_w == 390_000
    assert replace(SITE, static_load_w=400_001).available_w == 0


def test_the_limits_above_the_chargers_are_the_grids_and_every_feeders() -> None:
    below = replace(SITE.chargers[1], feeder_id="F")
    site = replace(
        SITE,
        static_load_w=10_000,
        feeders=(Feeder("F", 90_000), Feeder("G", 50_000)),
        chargers=(SITE.chargers[0], below),
    )
    assert site.shared_limits() == [
        SharedLimit("grid", LimitSource.GRID, 390_000, frozenset({"A", "B"})),
        SharedLimit("feeder F", LimitSource.FEEDER, 90_000, frozenset({"A"})),
        SharedLimit("feeder G", LimitSource.FEEDER, 50_000, frozenset()),
    ]
