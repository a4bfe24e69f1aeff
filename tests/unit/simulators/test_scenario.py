from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from simulators.charge_point.hardware import CurrentType
from simulators.charge_point.profiles import RateUnit
from simulators.scenario import (
    Arrive,
    Expect,
    Grid,
    Leave,
    ScenarioError,
    StationCharger,
    VehicleSpec,
    Want,
    load_scenario,
    parse_scenario,
    scenario_names,
)
from simulators.vehicle.vehicle import AcVehicle, ConstantVehicle, DcVehicle

STATION = """
[station]
stationId = "S"
gridCapacity = 100
chargers = [{ id = "CP001", maxPower = 50, connectors = 2 }]
"""


def refused(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "FILE")
    return str(caught.value)


# ---------------------------------------------------------------------------- those that come along


def test_the_scenarios_that_come_along() -> None:
    assert scenario_names() == ["demo", "ev_takes_less", "s0", "s1", "s2", "static_load"]


@pytest.mark.parametrize("name", scenario_names())
def test_each_can_be_read(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.description
    assert scenario.plan.station_id == scenario.station["stationId"]
    assert scenario.step


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S0", [{"CP001/1": 80.0, "CP001/2": 120.0, "CP002/1": 130.0}]),
        ("S1", [{"CP001/1": 150.0}, {"CP001/1": 100.0, "CP001/2": 100.0}]),
        (
            "S2",
            [
                {"CP001/1": 150.0},
                {"CP001/1": 150.0, "CP002/1": 150.0},
                {"CP001/1": 133.3, "CP002/1": 133.3, "CP001/2": 133.3},
                {"CP001/1": 100.0, "CP002/1": 100.0, "CP001/2": 100.0, "CP002/2": 100.0},
                {"CP001/1": 133.3, "CP002/1": 133.3, "CP001/2": 133.3},
            ],
        ),
        (
            "static_load",
            [{"CP001/1": 99.25, "CP002/1": 99.25, "CP001/2": 99.25, "CP002/2": 99.25}],
        ),
        (
            "EV_takes_less",
            [
                {"CP001/1": 133.3, "CP002/1": 133.3, "CP003/1": 133.3},
                {"CP001/1": 66.0, "CP002/1": 150.0, "CP003/1": 150.0},
                {"CP001/1": 133.3, "CP002/1": 133.3, "CP003/1": 133.3},
            ],
        ),
    ],
)
def test_what_the_defining_scenarios_expect(name: str, expected: list[dict[str, float]]) -> None:
    steps = load_scenario(name).step
    assert [step.allocated for step in steps if isinstance(step, Expect)] == expected


def test_the_exact_scenarios_declare_their_vehicles_and_the_learned_one_does_not() -> None:
    for name in ("s0", "s1", "s2", "static_load"):
        arrivals = [step for step in load_scenario(name).step if isinstance(step, Arrive)]
        assert all(step.declare for step in arrivals)
        within = [step.within for step in load_scenario(name).step if isinstance(step, Expect)]
        assert set(within) == {1.0}
    learned = [step for step in load_scenario("ev_takes_less").step if isinstance(step, Arrive)]
    assert not any(step.declare for step in learned)


def test_the_demo_has_four_vehicles_within_ten_seconds_of_both_kinds() -> None:
    demo = load_scenario("demo")
    early = [step for step in demo.step if isinstance(step, Arrive) and step.at <= 10]
    assert len(early) >= 4
    assert {step.vehicle.kind for step in early} == {"ac", "dc"}
    assert demo.stream is not None
    assert {type(step) for step in demo.step} == {Arrive, Leave, Grid}


# ---------------------------------------------------------------------------- the form


def test_every_kind_of_step() -> None:
    scenario = parse_scenario(
        STATION
        + """
[[step]]
at = 0
action = "arrive"
connector = "CP001/1"
vehicle = { kind = "dc", max_kw = 120, soc = 30 }

[[step]]
at = 1.5
action = "want"
connector = "CP001/1"
kw = 20

[[step]]
at = 2
action = "grid"
capacity_kw = 80

[[step]]
at = 2
action = "expect"
allocated = { "CP001/1" = 20.0 }
within = 5

[[step]]
at = 3
action = "leave"
connector = "CP001/1"
""",
        "FILE",
    )
    assert scenario.step == [
        Arrive(at=0, connector="CP001/1", vehicle=VehicleSpec(kind="dc", max_kw=120, soc=30)),
        Want(at=1.5, connector="CP001/1", kw=20),
        Grid(at=2, capacity_kw=80),
        Expect(at=2, allocated={"CP001/1": 20.0}, within=5),
        Leave(at=3, connector="CP001/1"),
    ]


def test_the_station_document_is_passed_on_unchanged() -> None:
    text = STATION + "staticLoad = 3\n"
    scenario = parse_scenario(text, "FILE")
    assert scenario.station == tomllib.loads(text)["station"]
    assert scenario.plan.static_load == 3
    assert scenario.station_with(80.0) == scenario.station | {"gridCapacity": 80.0}
    assert scenario.station["gridCapacity"] == 100


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "FILE: is not TOML"),
        ("name = 'x'", "station: Field required"),
        (STATION + "[[step]]\nat = 0\naction = 'dance'", "does not match any of the expected tags"),
        (STATION + "[[step]]\nat = -1\naction = 'grid'\ncapacity_kw = 1", "greater than or equal"),
        (
            STATION + "[[step]]\nat = 0\naction = 'leave'\nconnector = 'CP001/3'",
            "step.0: no connector CP001/3",
        ),
        (
            STATION + "[[step]]\nat = 0\naction = 'expect'\nallocated = { 'CP002/1' = 1 }",
            "step.0: no connector CP002/1",
        ),
        (STATION + "[[step]]\nat = 0\naction = 'leave'\nconnector = 'CP001'", "pattern"),
        (
            STATION + 2 * "[[step]]\nat = 0\naction = 'grid'\ncapacity_kw = 1\nwhy = 1\n",
            "Extra inputs are not permitted",
        ),
        (
            STATION
            + "[[step]]\nat = 5\naction = 'grid'\ncapacity_kw = 1\n"
            + "[[step]]\nat = 4\naction = 'grid'\ncapacity_kw = 1\n",
            "step.1: at = 4.0 is before the step above it",
        ),
        (STATION + "[simulated.CP009]\ndeaf = true", "simulated.CP009: no such charger"),
        (STATION.replace("maxPower", "power"), "chargers.0.maxPower: Field required"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, complaint: str) -> None:
    assert complaint in refused(text)


def test_a_file_can_be_played(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n' + STATION, encoding="utf-8")
    assert load_scenario(str(path)).name == "mine"


def test_a_scenario_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"(?s)nowhere.toml.*demo, ev_takes_less, s0"):
        load_scenario(str(tmp_path / "nowhere.toml"))


# ---------------------------------------------------------------------------- what it makes


def hardware(**keys: Any) -> Any:
    document = {"id": "CP001", "maxPower": 44, "connectors": 2} | keys
    return StationCharger.model_validate(document).hardware()


def test_a_charger_as_the_seeds_write_it_is_dc_and_takes_watts() -> None:
    made = hardware()
    assert made.charger_id == "CP001"
    assert made.max_w == 44_000.0
    assert made.rate_units == {RateUnit.WATTS}
    assert [(c.connector_id, c.max_w, c.current_type) for c in made.connectors] == [
        (1, 44_000.0, CurrentType.DC),
        (2, 44_000.0, CurrentType.DC),
    ]


def test_an_ac_charger_takes_amperes_unless_told_otherwise() -> None:
    made = hardware(type="AC", phases=1, voltage=240)
    assert made.rate_units == {RateUnit.AMPERES}
    assert {(c.current_type, c.phases, c.voltage_v) for c in made.connectors} == {
        (CurrentType.AC, 1, 240.0)
    }
    assert hardware(type="AC", unit="W").rate_units == {RateUnit.WATTS}


def test_connectors_may_differ() -> None:
    made = hardware(
        connectors=[
            {"id": 1, "maxPower": 22, "type": "AC", "fallback": 4},
            {"id": 2, "phases": 1, "voltage": 120},
        ]
    )
    first, second = made.connectors
    assert (first.max_w, first.current_type, first.phases) == (22_000.0, CurrentType.AC, 3)
    assert (second.max_w, second.current_type, second.phases) == (44_000.0, CurrentType.DC, 1)
    assert second.voltage_v == 120.0
    assert made.rate_units == {RateUnit.AMPERES}


def test_quirks_of_a_simulated_charger() -> None:
    scenario = parse_scenario(
        STATION + "[simulated.CP001]\nignore_profiles = true\nslow_answer_s = 2", "FILE"
    )
    quirks = scenario.simulated["CP001"]
    assert (quirks.ignore_profiles, quirks.slow_answer_s) == (True, 2.0)
    assert (quirks.deaf, quirks.no_boot_on_reconnect) == (False, True)


@pytest.mark.parametrize(
    ("spec", "kind", "max_w"),
    [
        (VehicleSpec(max_kw=150, draws_kw=60), ConstantVehicle, 150_000.0),
        (VehicleSpec(kind="dc", max_kw=120), DcVehicle, 120_000.0),
        (VehicleSpec(kind="ac", phases=1, max_a=32), AcVehicle, 7_360.0),
    ],
)
def test_vehicles_are_built(spec: VehicleSpec, kind: type, max_w: float) -> None:
    vehicle = spec.build()
    assert isinstance(vehicle, kind)
    assert vehicle.max_w == max_w


def test_each_arrival_brings_its_own_vehicle() -> None:
    spec = VehicleSpec(kind="dc", max_kw=120, soc=50, capacity_kwh=10)
    first, second = spec.build(), spec.build()
    first.charged(2_000.0)
    assert (first.soc_pct, second.soc_pct) == (70.0, 50.0)
