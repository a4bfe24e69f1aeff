from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulators.charge_point.habits.speaking import payload, said

ENERGY = {"value": "1500", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
POWER = {"value": "6900.0", "measurand": "Power.Active.Import", "unit": "W"}
LINES = [
    {"value": "10.0", "measurand": "Current.Import", "unit": "A", "phase": f"L{n}"}
    for n in (1, 2, 3)
]
SENT = {
    "connectorId": 1,
    "transactionId": 7,
    "meterValue": [{"timestamp": "T", "sampledValue": [ENERGY, POWER, *LINES]}],
}


def samples(name: str) -> list[dict[str, Any]]:
    """The sampled values that are sent instead."""
    found: list[dict[str, Any]] = payload(name, "MeterValues", SENT)["meterValue"][0][
        "sampledValue"
    ]
    return found


def values(name: str) -> list[tuple[str, str, str]]:
    """What they show: value, unit and phase."""
    return [(s["value"], s.get("unit", ""), s.get("phase", "")) for s in samples(name)]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("padded_readings", (" 1500 ", "Wh", "")),
        ("quoted_readings", ('"1500"', "Wh", "")),
        ("kilo_units", ("1.5", "kWh", "")),
        ("no_units", ("1500", "", "")),
        ("odd_samples", ("50.0", "Hz", "")),
        ("signed_data", ("99999999", "", "")),
    ],
)
def test_the_first_of_the_samples(name: str, first: tuple[str, str, str]) -> None:
    assert values(name)[0] == first


def test_other_samples() -> None:
    assert values("decimal_commas")[1] == ("6900,0", "W", "")
    assert values("empty_readings")[5:] == [
        ("", s["unit"], s.get("phase", "")) for s in [ENERGY, POWER, *LINES]
    ]
    assert [s["context"] for s in samples("begin_values_last")[5:]] == ["Transaction.Begin"] * 5
    assert values("kilo_units")[2] == ("10000.0", "mA", "L1")
    assert values("power_per_phase")[1:] == [("2300.00", "W", f"L{n}") for n in (1, 2, 3)]
    assert values("current_to_neutral")[1:] == [("10.0", "A", f"L{n}-N") for n in (1, 2, 3)]
    assert values("one_current")[1:3] == [("10.00", "A", ""), ("230", "V", "L1-N")]
    assert values("zero_phases")[1:] == [
        ("30.00", "A", "L1"),
        ("0.0", "A", "L2"),
        ("0.0", "A", "L3"),
    ]


def test_units_that_have_no_thousand_stay() -> None:
    percent = {"value": "50", "measurand": "SoC", "unit": "Percent"}
    sent = {"meterValue": [{"timestamp": "T", "sampledValue": [percent]}]}
    assert payload("kilo_units", "MeterValues", sent) == sent


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("huge_transaction_id", "transactionId", 2**63 - 1),
        ("no_transaction_id", "transactionId", None),
        ("zero_transaction_id", "transactionId", 0),
        ("meter_on_connector_zero", "connectorId", 0),
    ],
)
def test_other_fields(name: str, field: str, value: int | None) -> None:
    assert payload(name, "MeterValues", SENT).get(field) == value


def test_what_goes_before_or_after() -> None:
    frame = [2, "i", "MeterValues", SENT]
    none, empty, own = said("empty_lists", frame)
    assert (none[3]["meterValue"], own) == ([], frame)
    assert empty[3]["meterValue"] == [{"timestamp": "T", "sampledValue": []}]
    own, dropout = said("register_dropouts", frame)
    assert own == frame
    assert dropout[3]["meterValue"][0]["sampledValue"] == [ENERGY | {"value": "0"}]


@pytest.mark.parametrize(
    "name", ["empty_lists", "register_dropouts", "no_units", "no_transaction_id"]
)
def test_other_messages_stay(name: str) -> None:
    frame = [2, "i", "Heartbeat", {}]
    assert said(name, frame) == [frame]
