"""The JSON document of a station."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from csms.errors import ConfigError
from csms.station.document import (
    changes_in_use,
    dump_station,
    feasibility,
    parse_station,
    shown,
)
from csms.station.model import (
    Battery,
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    RateUnit,
    Station,
)

SEED: dict[str, Any] = {
    "stationId": "ELECTRA_PARIS_15",
    "gridCapacity": 400,
    "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
    "battery": {"initialCapacity": 200, "power": 100},
}
FULL: dict[str, Any] = {
    "stationId": "S",
    "gridCapacity": 400.5,
    "staticLoad": 3,
    "reserve": 2.5,
    "feeders": [{"id": "F1", "capacity": 250}],
    "chargers": [
        {
            "id": "AC1",
            "maxPower": 44,
            "type": "AC",
            "fallback": 4.2,
            "voltage": 240,
            "feeder": "F1",
            "weight": 2,
            "connectors": [
                {"id": 2, "maxPower": 7.4, "phases": 1, "minPower": 2, "fallback": 0},
                {"id": 1, "maxPower": 22, "type": "DC", "weight": 0.5, "voltage": 400},
            ],
        },
        {"id": "RDAM 123", "maxPower": 50, "unit": None, "connectors": 1},
        {"id": "AC2", "maxPower": 11, "type": "AC", "unit": "W", "phases": 3, "connectors": 1},
    ],
}


def parsed(**changes: Any) -> Station:
    return parse_station({**SEED, **changes}, "here")


def with_charger(**changes: Any) -> dict[str, Any]:
    document = copy.deepcopy(SEED)
    document["chargers"][0].update(changes)
    return document


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        parse_station(document, "here")
    assert caught.value.origin == "here"
    return list(caught.value.problems)


# ------------------------------------------------------------------ the form


def test_the_seeds_document_is_read_unchanged() -> None:
    charger = Charger(
        "CP001",
        200_000,
        (
            Connector(ConnectorKey("CP001", 1), 200_000),
            Connector(ConnectorKey("CP001", 2), 200_000),
        ),
        rate_unit=RateUnit.WATTS,
    )
    assert parsed() == Station(
        "ELECTRA_PARIS_15", 400_000, (charger,), battery=Battery(200_000, 100_000)
    )


def test_every_key_is_read_and_connectors_override_their_charger() -> None:
    station = parse_station(FULL, "here")
    assert station == Station(
        station_id="S",
        grid_limit_w=400_500,
        static_load_w=3_000,
        reserve_w=2_500,
        feeders=(Feeder("F1", 250_000),),
        chargers=(
            Charger(
                "AC1",
                44_000,
                (
                    Connector(
                        ConnectorKey("AC1", 1),
                        22_000,
                        CurrentType.DC,
                        voltage_v=400,
                        minimum_w=0,
                        fallback_w=4_200,
                        weight=0.5,
                    ),
                    Connector(
                        ConnectorKey("AC1", 2),
                        7_400,
                        CurrentType.AC,
                        phases=1,
                        voltage_v=240,
                        minimum_w=2_000,
                        fallback_w=0,
                        weight=2.0,
                    ),
                ),
                feeder_id="F1",
                rate_unit=None,
            ),
            Charger("RDAM 123", 50_000, (Connector(ConnectorKey("RDAM 123", 1), 50_000),)),
            Charger(
                "AC2",
                11_000,
                (Connector(ConnectorKey("AC2", 1), 11_000, CurrentType.AC, minimum_w=4_140),),
                rate_unit=RateUnit.WATTS,
            ),
        ),
    )


def test_six_amperes_on_every_phase_are_the_least_an_ac_connector_gives() -> None:
    station = parse_station(with_charger(type="AC", phases=2, voltage=100), "here")
    assert [c.minimum_w for c in station.connectors()] == [1_200, 1_200]


def test_kilowatts_become_the_nearest_watt() -> None:
    assert parsed(gridCapacity=99.2504).grid_limit_w == 99_250


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [
        ({**SEED, "gridCapacity": True}, "gridCapacity", "True"),
        ({**SEED, "gridCapacity": "400"}, "gridCapacity", "'400'"),
        ({**SEED, "gridCapacity": -1}, "gridCapacity", "-1"),
        ({**SEED, "gridCapacity": 0}, "gridCapacity", "0"),
        ({**SEED, "gridCapacity": float("nan")}, "gridCapacity", "nan"),
        ({**SEED, "gridCapacity": float("inf")}, "gridCapacity", "inf"),
        ({**SEED, "gridCapacity": 100_001}, "gridCapacity", "100001"),
        ({**SEED, "gridCapactiy": 400}, "gridCapactiy", "is not a known key (value 400)"),
        ({**SEED, "grid_capacity": 400}, "grid_capacity", "is not a known key"),
        ({**SEED, "stationId": ""}, "stationId", "''"),
        ({**SEED, "stationId": "a/b"}, "stationId", "'a/b'"),
        ({**SEED, "stationId": "a\n"}, "stationId", "'a\\n'"),
        ({**SEED, "stationId": ".."}, "stationId", "'..'"),
        ({**SEED, "stationId": 7}, "stationId", "7"),
        ({**SEED, "staticLoad": -0.1}, "staticLoad", "-0.1"),
        ({**SEED, "battery": {"power": 1}}, "battery.initialCapacity", "is missing"),
        ({**SEED, "feeders": [{"id": "F", "capacity": 0}]}, "feeders.0.capacity", "0"),
        (with_charger(id="x" * 49), "chargers.0.id", "xxx"),
        (with_charger(maxPower=None), "chargers.0.maxPower", "None"),
        (with_charger(type="dc"), "chargers.0.type", "'dc'"),
        (with_charger(phases=4), "chargers.0.phases", "4"),
        (with_charger(phases=1.0), "chargers.0.phases", "1.0"),
        (with_charger(voltage=0), "chargers.0.voltage", "0"),
        (with_charger(unit="kW"), "chargers.0.unit", "'kW'"),
        (with_charger(weight=0), "chargers.0.weight", "0"),
        (with_charger(connectors=0), "chargers.0.connectors", "0"),
        (with_charger(connectors=65), "chargers.0.connectors", "65"),
        (with_charger(connectors=True), "chargers.0.connectors", "True"),
        (with_charger(connectors=2.0), "chargers.0.connectors", "2.0"),
        (with_charger(connectors="2"), "chargers.0.connectors", "'2'"),
        (with_charger(connectors=[]), "chargers.0.connectors", "[]"),
        (with_charger(connectors=[{"id": 2}]), "chargers.0.connectors", "they are [2]"),
        (with_charger(connectors=[{"id": 1}, {"id": 1}]), "chargers.0.connectors", "[1, 1]"),
        (with_charger(connectors=[{"id": 0}]), "chargers.0.connectors.0.id", "0"),
        (
            with_charger(connectors=[{"id": 1, "maxPower": "22"}]),
            "chargers.0.connectors.0.maxPower",
            "'22'",
        ),
    ],
)
def test_a_bad_value_is_named_with_its_place(
    document: dict[str, Any], path: str, text: str
) -> None:
    found = problems(document)
    assert [place for place, _ in found] == [path]
    assert text in found[0][1]


def test_a_document_that_is_no_object_is_refused() -> None:
    nothing: Any = []
    assert problems(nothing) == [
        ("", "Input should be a valid dictionary or instance of StationDocument")
    ]


def test_every_problem_is_reported_at_once() -> None:
    document = {"gridCapacity": -1, "chargers": [{"id": "A", "maxPower": 0, "connectors": 1}]}
    assert [place for place, _ in problems(document)] == [
        "stationId",
        "gridCapacity",
        "chargers.0.maxPower",
    ]


def test_values_in_messages_are_escaped_and_short() -> None:
    assert shown("é\n") == "'\\xe9\\n'"
    assert shown("x" * 1_000) == "'" + "x" * 59 + "…"
    assert shown(10**5_000) == "<int>"


# ------------------------------------------------------------------ and back


def test_the_seeds_document_comes_back_as_it_went_in() -> None:
    assert dump_station(parsed()) == SEED


def test_a_full_document_comes_back_with_what_is_common_said_once() -> None:
    dumped = dump_station(parse_station(FULL, "here"))
    assert parse_station(dumped, "again") == parse_station(FULL, "here")
    assert dumped["chargers"] == [
        {
            "id": "AC1",
            "maxPower": 44.0,
            "feeder": "F1",
            "unit": None,
            "connectors": [
                {"id": 1, "maxPower": 22.0, "voltage": 400, "fallback": 4.2, "weight": 0.5},
                {
                    "id": 2,
                    "maxPower": 7.4,
                    "type": "AC",
                    "phases": 1,
                    "voltage": 240,
                    "minPower": 2.0,
                    "weight": 2.0,
                },
            ],
        },
        {"id": "RDAM 123", "maxPower": 50.0, "unit": None, "connectors": 1},
        {"id": "AC2", "maxPower": 11.0, "type": "AC", "unit": "W", "connectors": 1},
    ]


def test_what_all_connectors_share_is_said_of_the_charger() -> None:
    document = with_charger(type="AC", fallback=4.5, connectors=3)
    assert dump_station(parse_station(document, "here"))["chargers"] == [
        {"id": "CP001", "maxPower": 200.0, "type": "AC", "fallback": 4.5, "connectors": 3}
    ]


# ------------------------------------------------------------------ can it hold?


def test_a_sound_station_holds() -> None:
    assert feasibility(parsed()) == []
    assert feasibility(parse_station(FULL, "here")) == []


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
        (with_charger(feeder="F9"), "charger CP001 is on the unknown feeder F9"),
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
            {**SEED, "chargers": SEED["chargers"] * 2},
            "charger CP001 is there 2 times",
        ),
        (
            {**SEED, "feeders": [{"id": "F", "capacity": 1}] * 2},
            "feeder F is there 2 times",
        ),
    ],
)
def test_a_station_that_cannot_hold_says_why(document: dict[str, Any], reason: str) -> None:
    assert reason in feasibility(parse_station(document, "here"))


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


@pytest.mark.parametrize("change", [{"type": "AC"}, {"phases": 1}, {"voltage": 400}, {"unit": "A"}])
def test_a_limit_in_force_does_not_change_its_meaning(change: dict[str, Any]) -> None:
    new = parse_station(with_charger(**change), "here")
    assert changes_in_use(parsed(), IN_USE, new) == [
        "connector CP001/2 changes type, phases, voltage or unit while in use"
    ]
    assert changes_in_use(parsed(), [], new) == []


def test_a_session_on_a_connector_the_old_station_lacks_is_no_obstacle() -> None:
    without = replace(parsed(), chargers=())
    assert changes_in_use(without, IN_USE, parsed()) == []
