"""Whether a station can hold, and whether a running one may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from csms.station.document import parse_station
from csms.station.feasibility import changes_in_use, feasibility, meant_otherwise
from csms.station.model import Charger, Connector, ConnectorKey, Feeder, Station
from tests.unit.csms.station.documents import FULL, SEED, capable, parsed, with_charger


def test_a_charger_of_one_connector_may_be_limited_as_a_whole() -> None:
    assert feasibility(parse_station(capable(purpose="charger"), "here")) == []


def test_a_sound_station_holds() -> None:
    assert feasibility(parsed()) == []
    assert feasibility(parse_station(FULL, "here")) == []
    assert feasibility(parsed(chargers=[], maxRampKwPerMin=1)) == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            {**with_charger(fallback=60), "gridCapacity": 130, "staticLoad": 8, "reserve": 3},
            (
                "the fallbacks of all connectors sum to 120.0 kW, more than the 119.0 kW the grid "
                "leaves after static load and reserve"
            ),
        ),
        (
            {**SEED, "staticLoad": 300, "reserve": 101},
            "static load and reserve are 401.0 kW, more than the grid limit of 400.0 kW",
        ),
        (
            {
                **with_charger(fallback=50, feeder="F"),
                "feeders": [{"id": "F", "capacity": 99}],
            },
            "the fallbacks on feeder F sum to 100.0 kW, more than its 99.0 kW",
        ),
        (
            {**with_charger(fallback=60), "staticLoad": 3, "gridLimitSource": {"failsafe": 122.9}},
            (
                "static load, reserve and the fallbacks of all connectors sum to 123.0 kW, "
                "more than the fail-safe limit of 122.9 kW"
            ),
        ),
        (
            {**with_charger(minPower=20.5), "maxRampKwPerMin": 20},
            (
                "maxRampKwPerMin is 20.0: the 20.0 kW of a window of 60 s are less than the "
                "minimum of 20.5 kW of connector CP001/1"
            ),
        ),
        (with_charger(feeder="F9"), "charger CP001 is on the unknown feeder F9"),
        (
            {**capable(atZero="minimum"), "gridCapacity": 19, "staticLoad": 1},
            (
                'the fallbacks (minima where atZero is "minimum") of all connectors sum to '
                "20.0 kW, more than the 18.0 kW the grid leaves after static load and reserve"
            ),
        ),
        (
            with_charger(fallback=101),
            "the fallbacks of charger CP001 sum to 202.0 kW, more than its 200.0 kW",
        ),
        (
            with_charger(connectors=[{"id": 1, "maxPower": 201}]),
            "connector CP001/1 may take 201.0 kW, more than its charger's 200.0 kW",
        ),
        (
            with_charger(connectors=[{"id": 1, "maxPower": 20, "fallback": 21}]),
            "connector CP001/1 has a fallback of 21.0 kW, more than its 20.0 kW",
        ),
        (
            with_charger(type="AC", connectors=[{"id": 1, "maxPower": 3.7}]),
            "connector CP001/1 has a minimum of 4.14 kW, more than its 3.7 kW",
        ),
        (
            with_charger(type="AC", maxPower=22, connectors=1, fallback=2),
            (
                "connector CP001/1 has a fallback of 2.0 kW: "
                "an AC vehicle takes nothing or at least 4.14 kW"
            ),
        ),
        (
            {**SEED, "chargers": SEED["chargers"] * 2},
            "charger CP001 is there 2 times",
        ),
        (
            with_charger(capabilities={"purpose": "charger"}),
            (
                "charger CP001 has 2 connectors: their limits cannot be written for the charger as "
                "a whole (purpose 'charger')"
            ),
        ),
        (
            {**SEED, "feeders": [{"id": "F", "capacity": 1}] * 2},
            "feeder F is there 2 times",
        ),
    ],
)
def test_a_station_that_cannot_hold_says_why(document: dict[str, Any], reason: str) -> None:
    assert reason in feasibility(parse_station(document, "here"))


def test_the_fallbacks_may_use_exactly_the_failsafe_limit() -> None:
    document = {**with_charger(fallback=60), "gridLimitSource": {"failsafe": 120}}
    assert feasibility(parse_station(document, "here")) == []


def test_the_fallbacks_may_use_exactly_what_there_is() -> None:
    document = {
        **with_charger(fallback=100, feeder="F"),
        "gridCapacity": 210,
        "staticLoad": 10,
        "feeders": [{"id": "F", "capacity": 200}],
    }
    assert feasibility(parse_station(document, "here")) == []


# ------------------------------------------------------------------ may it change?


IN_USE = [ConnectorKey("CP001", 2)]


def test_a_station_in_use_may_change_its_powers() -> None:
    new = parse_station({**with_charger(maxPower=100), "gridCapacity": 90}, "here")
    assert changes_in_use(parsed(), IN_USE, new) == []
    assert meant_otherwise(parsed(), new) == set()


def test_a_charger_in_use_is_not_removed() -> None:
    assert changes_in_use(parsed(), IN_USE, parsed(chargers=[])) == [
        "charger CP001 is removed, but CP001/2 is in use"
    ]


def test_a_connector_in_use_is_not_removed() -> None:
    new = parse_station(with_charger(connectors=1), "here")
    assert changes_in_use(parsed(), IN_USE, new) == [
        "connector CP001/2 is removed, but it is in use"
    ]
    assert changes_in_use(parsed(), [], new) == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "AC"},
        {"phases": 1},
        {"voltage": 400},
        {"unit": "A"},
        {"capabilities": {"unit": "A"}},
        {"capabilities": {"purpose": "default"}},
        {"capabilities": {"stackLevel": 1}},
    ],
)
def test_a_limit_in_force_does_not_change_its_meaning(change: dict[str, Any]) -> None:
    new = parse_station(with_charger(**change), "here")
    assert changes_in_use(parsed(), IN_USE, new) == [
        "connector CP001/2 changes type, phases, voltage, unit, purpose or stack level while in use"
    ]
    assert changes_in_use(parsed(), [], new) == []


def test_what_a_charger_does_with_its_limits_may_be_said_while_in_use() -> None:
    said = {"lease": "yes", "atZero": "minimum", "stepA": 1, "periods": 1}
    new = parse_station(with_charger(capabilities=said), "here")
    assert changes_in_use(parsed(), IN_USE, new) == []


def test_a_session_on_a_connector_the_old_station_lacks_is_no_obstacle() -> None:
    without = replace(parsed(), chargers=())
    assert changes_in_use(without, IN_USE, parsed()) == []


def test_more_than_could_be_loaded_again_cannot_hold() -> None:
    def built(chargers: int, connectors: int = 1, feeders: int = 0) -> Station:
        return Station(
            "S",
            1_000,
            tuple(
                Charger(
                    f"C{n}",
                    1,
                    tuple(Connector(ConnectorKey(f"C{n}", c + 1), 1) for c in range(connectors)),
                )
                for n in range(chargers)
            ),
            tuple(Feeder(f"F{n}", 1) for n in range(feeders)),
        )

    assert feasibility(built(1_000, feeders=1_000)) == []
    assert feasibility(built(1_001, feeders=1_002)) == [
        "the station has 1001 chargers, more than the 1000 there may be",
        "the station has 1002 feeders, more than the 1000 there may be",
    ]
    assert feasibility(built(1, connectors=64)) == []
    assert feasibility(built(1, connectors=65)) == [
        "charger C0 has 65 connectors, more than the 64 there may be"
    ]


def test_limits_mean_other_watts_where_a_unit_changes_and_nowhere_else() -> None:
    new = parse_station(with_charger(unit="A"), "here")
    assert meant_otherwise(parsed(), new) == {"CP001"}
    assert meant_otherwise(parsed(chargers=[]), new) == set()
