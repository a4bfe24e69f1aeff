from __future__ import annotations

import pytest

from simulators.vehicle.battery import TYPICAL_DC_CURVE, PowerCurve, TractionBattery

CURVE = PowerCurve(((10.0, 100.0), (50.0, 100.0), (100.0, 0.0)))


@pytest.mark.parametrize(
    ("soc_pct", "power_w"),
    [(0, 100), (10, 100), (30, 100), (50, 100), (75, 50), (99, 2), (100, 0), (120, 0)],
)
def test_power_is_linear_between_points(soc_pct: float, power_w: float) -> None:
    assert CURVE.power_w(soc_pct) == pytest.approx(power_w)


def test_scaling_keeps_the_shape() -> None:
    scaled = CURVE.scaled(150_000.0)
    assert scaled.power_w(30) == 150_000.0
    assert scaled.power_w(75) == pytest.approx(75_000.0)


def test_the_typical_curve_is_flat_then_tapers() -> None:
    powers = [TYPICAL_DC_CURVE.power_w(soc) for soc in range(10, 101)]
    assert powers[0] == 1.0
    assert powers == sorted(powers, reverse=True)
    assert powers[-1] == 0.0


@pytest.mark.parametrize("points", [(), ((50.0, 1.0), (10.0, 1.0)), ((10.0, 1.0), (10.0, 2.0))])
def test_points_must_rise(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="rising"):
        PowerCurve(points)


def test_energy_fills_the_battery_and_no_more() -> None:
    battery = TractionBattery(capacity_wh=50_000.0, soc_pct=20.0)
    battery.add(25_000.0)
    assert battery.soc_pct == pytest.approx(70.0)
    assert not battery.full
    battery.add(25_000.0)
    assert battery.soc_pct == 100.0
    assert battery.full
