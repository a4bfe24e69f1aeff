from __future__ import annotations

import pytest

from simulators.charge_point.hardware import CurrentType
from simulators.charge_point.meter import SUPPORTED_MEASURANDS, Meter, Reading, sampled_values

DC = Reading(energy_wh=1234, power_w=100_000.0, offered_w=133_300.0, soc_pct=55.5)
AC = Reading(
    energy_wh=10, power_w=6_900.0, offered_w=11_040.0, current_type=CurrentType.AC, phases=3
)


def test_energy_is_power_over_time() -> None:
    meter = Meter()
    meter.power_w = 60_000.0
    assert meter.advance(30.0) == 500.0
    meter.power_w = 0.0
    assert meter.advance(3000.0) == 0.0
    meter.power_w = 3_600.0
    assert meter.advance(3001.5) == 1.5
    assert meter.energy_wh == 501.5
    assert meter.register_wh == 501


def test_time_that_goes_back_counts_nothing_twice() -> None:
    meter = Meter(power_w=3_600.0, read_at=10.0)
    assert meter.advance(5.0) == 0.0
    assert meter.advance(11.0) == 1.0


@pytest.mark.parametrize(
    ("measurand", "reading", "values"),
    [
        ("Energy.Active.Import.Register", DC, [("1234", "Wh", None)]),
        ("Power.Active.Import", DC, [("100000.0", "W", None)]),
        ("Power.Offered", DC, [("133300.0", "W", None)]),
        ("Current.Import", DC, [("250.0", "A", None)]),
        ("Voltage", DC, [("400.0", "V", None)]),
        ("SoC", DC, [("55.5", "Percent", None)]),
        ("Current.Import", AC, [("10.0", "A", "L1"), ("10.0", "A", "L2"), ("10.0", "A", "L3")]),
        (
            "Voltage",
            AC,
            [("230.0", "V", "L1-N"), ("230.0", "V", "L2-N"), ("230.0", "V", "L3-N")],
        ),
    ],
)
def test_each_measurand(
    measurand: str, reading: Reading, values: list[tuple[str, str, str | None]]
) -> None:
    samples = sampled_values(reading, [measurand])
    assert [(s["value"], s["unit"], s.get("phase")) for s in samples] == values
    assert {s["measurand"] for s in samples} == {measurand}
    assert {s["context"] for s in samples} == {"Sample.Periodic"}


def test_every_measurand_named_is_known() -> None:
    assert len(sampled_values(DC, sorted(SUPPORTED_MEASURANDS))) == 6


def test_a_sample_is_never_empty() -> None:
    for measurands in ([], ["Temperature"], ["SoC"]):
        samples = sampled_values(AC, measurands, "Trigger")
        assert [(s["measurand"], s["value"], s["context"]) for s in samples] == [
            ("Energy.Active.Import.Register", "10", "Trigger")
        ]
