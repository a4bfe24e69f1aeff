"""What a station is built of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csms.station.model import (
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    LimitSource,
    SharedLimit,
    Station,
    Told,
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


def test_a_window_of_a_ramp_is_a_minute() -> None:
    assert SITE.ramp_step_w is None
    assert replace(SITE, ramp_w_per_min=15_000).ramp_step_w == 15_000


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


AC = Connector(ConnectorKey("A", 1), 22_000, CurrentType.AC)
DC = Connector(ConnectorKey("A", 1), 50_000)


@pytest.mark.parametrize(
    ("connector", "useful_w", "goes_on_w"),
    [
        (AC, 4_140, 4_140),
        (replace(AC, phases=1), 1_380, 1_380),
        (replace(AC, minimum_w=5_000), 5_000, 5_000),
        (replace(AC, max_power_w=3_700), 4_140, 3_700),
        (DC, 0, 5_000),
        (replace(DC, minimum_w=2_000), 2_000, 2_000),
    ],
)
def test_the_least_a_connector_gives(connector: Connector, useful_w: int, goes_on_w: int) -> None:
    assert connector.least_useful_w == useful_w
    assert connector.goes_on_with_w == goes_on_w


def test_what_may_be_drawn_when_nobody_speaks_to_a_charger() -> None:
    built = Charger("A", 9_000, (replace(AC, fallback_w=5_000), replace(DC, fallback_w=1_000)))
    assert built.unspoken_w == 6_000
    assert replace(built, capabilities=Told(at_zero="stop")).unspoken_w == 6_000
    goes_on = replace(built, capabilities=Told(at_zero="minimum"))
    assert goes_on.unspoken_w == 9_000
    assert replace(goes_on, max_power_w=20_000).unspoken_w == 10_000
