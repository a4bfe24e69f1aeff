from __future__ import annotations

from dataclasses import replace

import pytest

from csms.dispatch.by_hand import Availability, Reach
from csms.station.model import Connector, ConnectorKey, CurrentType, RateUnit
from tests.stations import charger

AC = Connector(ConnectorKey("A", 1), 22_080, CurrentType.AC)
DC = Connector(ConnectorKey("A", 1), 150_000, CurrentType.DC)
TEN_A = Reach(limit=10, unit=RateUnit.AMPERES)


@pytest.mark.parametrize(
    ("reach", "connector", "watts"),
    [
        (Reach(limit=5_000), DC, 5_000),
        (Reach(limit=5_000.1), DC, 5_001),
        (Reach(limit=0), DC, 0),
        (Reach(limit=200_000), DC, 150_000),
        (Reach(limit=float("inf")), DC, 150_000),
        (Reach(limit=5_000, phases=1), DC, 5_000),
        (TEN_A, DC, 150_000),
        (TEN_A, AC, 6_900),
        (TEN_A, replace(AC, phases=1), 2_300),
        (Reach(limit=6_000), AC, 6_000),
        (Reach(limit=6_000), replace(AC, phases=1), 6_000),
        (Reach(limit=6_000, phases=1), AC, 18_000),
        (Reach(limit=6_000, phases=2), AC, 9_000),
        (Reach(), AC, 22_080),
    ],
)
def test_the_most_a_profile_lets_through(reach: Reach, connector: Connector, watts: int) -> None:
    assert reach.most_w(connector) == watts


@pytest.mark.parametrize(
    ("connector_id", "concerned"), [(None, [1, 2]), (2, [2]), (3, [1, 2]), (0, [1, 2])]
)
def test_the_connectors_it_concerns(connector_id: int | None, concerned: list[int]) -> None:
    found = Reach(connector_id=connector_id).concerns(charger("A", connectors=2))
    assert [connector.key.connector_id for connector in found] == concerned


@pytest.mark.parametrize(("connector_id", "numbers"), [(0, [1, 2]), (2, [2]), (3, [])])
def test_the_connectors_that_go_into_or_out_of_service(
    connector_id: int, numbers: list[int]
) -> None:
    said = Availability(connector_id, operative=False)
    assert [key.connector_id for key in said.concerns(charger("A"))] == numbers
