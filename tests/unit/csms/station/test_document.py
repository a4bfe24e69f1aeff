"""The JSON document of a station."""

from __future__ import annotations

from typing import Any

import pytest

from csms.errors import ConfigError
from csms.station.document import (
    dump_station,
    is_identity,
    parse_station,
)
from csms.station.model import (
    Battery,
    Charger,
    Connector,
    ConnectorKey,
    CurrentType,
    Feeder,
    GridSource,
    RateUnit,
    Station,
    Told,
)
from tests.unit.csms.station.documents import FULL, SEED, capable, parsed, with_charger


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
        ramp_w_per_min=60_500,
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
        ({**SEED, "maxRampKwPerMin": 0}, "maxRampKwPerMin", "0"),
        ({**SEED, "maxRampKwPerMin": -5}, "maxRampKwPerMin", "-5"),
        ({**SEED, "maxRampKwPerMin": True}, "maxRampKwPerMin", "True"),
        (
            {**SEED, "gridCapactiy": 400},
            "gridCapactiy",
            "is not a known key (value 400); did you mean gridCapacity?",
        ),
        ({**SEED, "grid_capacity": 400}, "grid_capacity", "did you mean gridCapacity?"),
        (with_charger(max_power=4), "chargers[0] (CP001).max_power", "did you mean maxPower?"),
        (
            with_charger(connectors=[{"id": 1, "fallbak": 0}]),
            "chargers[0] (CP001).connectors[0] (1).fallbak",
            "did you mean fallback?",
        ),
        (
            {**SEED, "battery": {"initialCapacity": 1, "power": 1, "powr": 1}},
            "battery.powr",
            "did you mean power?",
        ),
        (
            {**SEED, "feeders": [{"id": "F", "capacity": 1, "capazity": 0}]},
            "feeders[0] (F).capazity",
            "did you mean capacity?",
        ),
        ({**SEED, "stationId": ""}, "stationId", "''"),
        ({**SEED, "stationId": "a/b"}, "stationId", "'a/b'"),
        ({**SEED, "stationId": "a/b"}, "stationId", "must be of A-Z a-z 0-9 *"),
        ({**SEED, "stationId": "a\n"}, "stationId", "'a\\n'"),
        ({**SEED, "stationId": ".."}, "stationId", "'..'"),
        ({**SEED, "stationId": 7}, "stationId", "7"),
        ({**SEED, "staticLoad": -0.1}, "staticLoad", "-0.1"),
        ({**SEED, "battery": {"power": 1}}, "battery.initialCapacity", "is missing"),
        ({**SEED, "feeders": [{"id": "F", "capacity": 0}]}, "feeders[0] (F).capacity", "0"),
        ({**SEED, "gridLimitSource": {}}, "gridLimitSource.failsafe", "is missing"),
        ({**SEED, "gridLimitSource": {"failsafe": -1}}, "gridLimitSource.failsafe", "-1"),
        (
            {**SEED, "gridLimitSource": {"failsafe": 1, "timeoutS": 0.5}},
            "gridLimitSource.timeoutS",
            "0.5",
        ),
        (
            {**SEED, "gridLimitSource": {"failsafe": 1, "required": 1}},
            "gridLimitSource.required",
            "1",
        ),
        (with_charger(id="x" * 49), f"chargers[0] ({'x' * 49}).id", "xxx"),
        (with_charger(maxPower=None), "chargers[0] (CP001).maxPower", "None"),
        (with_charger(type="dc"), "chargers[0] (CP001).type", "'dc'"),
        (with_charger(phases=4), "chargers[0] (CP001).phases", "4"),
        (with_charger(phases=1.0), "chargers[0] (CP001).phases", "1.0"),
        (with_charger(voltage=0), "chargers[0] (CP001).voltage", "0"),
        (with_charger(unit="kW"), "chargers[0] (CP001).unit", "'kW'"),
        (with_charger(weight=0), "chargers[0] (CP001).weight", "0"),
        (with_charger(connectors=0), "chargers[0] (CP001).connectors", "0"),
        (with_charger(connectors=65), "chargers[0] (CP001).connectors", "65"),
        (with_charger(connectors=True), "chargers[0] (CP001).connectors", "True"),
        (with_charger(connectors=2.0), "chargers[0] (CP001).connectors", "2.0"),
        (with_charger(connectors="2"), "chargers[0] (CP001).connectors", "'2'"),
        (with_charger(connectors=[]), "chargers[0] (CP001).connectors", "[]"),
        (with_charger(connectors=[{"id": 2}]), "chargers[0] (CP001).connectors", "they are [2]"),
        (
            with_charger(connectors=[{"id": 1}, {"id": 1}]),
            "chargers[0] (CP001).connectors",
            "[1, 1]",
        ),
        (with_charger(connectors=[{"id": 0}]), "chargers[0] (CP001).connectors[0] (0).id", "0"),
        (
            with_charger(connectors=[{"id": 1, "maxPower": "22"}]),
            "chargers[0] (CP001).connectors[0] (1).maxPower",
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


def test_what_is_said_of_how_a_charger_takes_limits_is_read() -> None:
    charger = parse_station(
        capable(
            purpose="charger",
            stackLevel=3,
            periods=1,
            lease="no",
            atZero="stop",
            stepA=0.6,
            survivesReconnect="yes",
            survivesReboot="no",
        ),
        "here",
    ).chargers[0]
    assert charger.capabilities == Told("charger", 3, 1, False, "stop", 0.6, True, False)
    assert charger.rate_unit is RateUnit.WATTS


@pytest.mark.parametrize(
    ("changes", "unit"),
    [
        ({"type": "DC", "capabilities": {"unit": "A"}}, RateUnit.AMPERES),
        ({"type": "AC", "capabilities": {"unit": "W"}}, RateUnit.WATTS),
        ({"type": "AC", "capabilities": {}}, None),
        ({"type": "AC", "unit": "A", "capabilities": {"unit": "A"}}, RateUnit.AMPERES),
        ({"type": "AC", "unit": "A", "capabilities": {"unit": None}}, RateUnit.AMPERES),
        ({"type": "DC", "unit": None, "capabilities": {"lease": "yes"}}, None),
    ],
)
def test_the_unit_may_be_said_among_the_capabilities(
    changes: dict[str, Any], unit: RateUnit | None
) -> None:
    assert parse_station(with_charger(**changes), "here").chargers[0].rate_unit is unit


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [
        (capable(mood="good"), "capabilities.mood", "is not a known key"),
        (capable(stack_level=1), "capabilities.stack_level", "is not a known key"),
        (capable(unit="kW"), "capabilities.unit", "'kW'"),
        (capable(purpose="TxProfile"), "capabilities.purpose", "'TxProfile'"),
        (capable(stackLevel=-1), "capabilities.stackLevel", "-1"),
        (capable(stackLevel=1.0), "capabilities.stackLevel", "1.0"),
        (capable(periods=3), "capabilities.periods", "3"),
        (capable(periods=0), "capabilities.periods", "0"),
        (capable(lease=True), "capabilities.lease", "True"),
        (capable(atZero="off"), "capabilities.atZero", "'off'"),
        (capable(stepA=0), "capabilities.stepA", "0"),
        (capable(stepA=0.25), "capabilities.stepA", "0.25"),
        (capable(stepA=33), "capabilities.stepA", "33"),
        (capable(survivesReboot="maybe"), "capabilities.survivesReboot", "'maybe'"),
    ],
)
def test_a_bad_capability_is_named_with_its_place(
    document: dict[str, Any], path: str, text: str
) -> None:
    found = problems(document)
    assert [place for place, _ in found] == [f"chargers[0] (CP001).{path}"]
    assert text in found[0][1]


@pytest.mark.parametrize(("unit", "named"), [("W", "'W'"), (None, "None")])
def test_two_different_units_are_refused(unit: str | None, named: str) -> None:
    ((place, text),) = problems(with_charger(unit=unit, capabilities={"unit": "A"}))
    assert place == "chargers[0] (CP001)"
    assert text.startswith(f"unit is {named}, but capabilities.unit is 'A'")


@pytest.mark.parametrize("tenths", range(1, 321))
def test_every_tenth_of_an_ampere_is_a_step(tenths: int) -> None:
    station = parse_station(capable(stepA=tenths / 10), "here")
    assert station.chargers[0].capabilities.step_a == tenths / 10


def test_every_problem_is_reported_at_once() -> None:
    document = {"gridCapacity": -1, "chargers": [{"id": "A", "maxPower": 0, "connectors": 1}]}
    assert [place for place, _ in problems(document)] == [
        "stationId",
        "gridCapacity",
        "chargers[0] (A).maxPower",
    ]


def test_a_source_of_grid_limits_is_read() -> None:
    assert parsed().grid_source is None
    assert parsed(gridLimitSource={"failsafe": 0}).grid_source == GridSource(0, 120.0)
    document = {"failsafe": 50.5, "timeoutS": 60, "required": True}
    assert parsed(gridLimitSource=document).grid_source == GridSource(50_500, 60.0, required=True)


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


def test_capabilities_come_back_with_the_unit_where_it_is_said_elsewhere() -> None:
    said = {
        "purpose": "default",
        "stackLevel": 0,
        "periods": 2,
        "lease": "yes",
        "atZero": "minimum",
        "stepA": 1.0,
        "survivesReconnect": "no",
        "survivesReboot": "yes",
    }
    dumped = dump_station(parse_station(capable(unit="A", **said), "here"))
    assert dumped["chargers"] == [
        {"id": "CP001", "maxPower": 200.0, "unit": "A", "connectors": 1, "capabilities": said}
    ]
    assert parse_station(dumped, "again") == parse_station(capable(unit="A", **said), "here")


def test_a_quiet_charger_comes_back_as_one() -> None:
    assert parse_station(with_charger(), "here").chargers[0].quiet is False
    station = parse_station(with_charger(quiet=True), "here")
    assert station.chargers[0].quiet is True
    assert dump_station(station)["chargers"][0]["quiet"] is True
    assert "quiet" not in dump_station(parse_station(with_charger(quiet=False), "x"))["chargers"][0]
    ((place, _),) = problems(with_charger(quiet="yes"))
    assert place == "chargers[0] (CP001).quiet"


def test_capabilities_that_say_nothing_do_not_come_back() -> None:
    assert "capabilities" not in dump_station(parse_station(capable(), "here"))["chargers"][0]
    some = dump_station(parse_station(capable(lease="no"), "here"))
    assert some["chargers"][0]["capabilities"] == {"lease": "no"}


@pytest.mark.parametrize(
    "source", [{"failsafe": 50.5}, {"failsafe": 0.0, "timeoutS": 60.5, "required": True}]
)
def test_a_source_of_grid_limits_comes_back(source: dict[str, Any]) -> None:
    assert dump_station(parsed(gridLimitSource=source))["gridLimitSource"] == source


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("name", ["CP1", "RDAM 123", "a.b:c_d-e", "a*b|c=d+e@f", "x" * 48])
def test_a_charger_may_be_called_so(name: str) -> None:
    assert is_identity(name)
    assert parsed(chargers=[{"id": name, "maxPower": 1, "connectors": 1}]).charger(name) is not None


@pytest.mark.parametrize("name", ["", " CP1", "CP1 ", "a  b", "CP/1", "é", "..", "x" * 49, "CP1\n"])
def test_a_charger_may_not_be_called_so(name: str) -> None:
    assert not is_identity(name)
    with pytest.raises(ConfigError):
        parsed(chargers=[{"id": name, "maxPower": 1, "connectors": 1}])
