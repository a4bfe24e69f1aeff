"""Kilowatts outside, whole watts inside. The same for energy.

Conversion is decimal, so that 99.25 kW is 99,250 W and half a watt is always rounded up.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

PER_KILO = 1000


def kw_to_w(power_kw: float) -> int:
    """Kilowatts to the nearest watt. Raises ValueError when negative, infinite or not a number."""
    return _kilo_to_one(power_kw, "kW")


def kwh_to_wh(energy_kwh: float) -> int:
    """Kilowatt-hours to the nearest watt-hour. Raises ValueError as `kw_to_w` does."""
    return _kilo_to_one(energy_kwh, "kWh")


def w_to_kw(power_w: int) -> float:
    """Watts to kilowatts."""
    return power_w / PER_KILO


def wh_to_kwh(energy_wh: int) -> float:
    """Watt-hours to kilowatt-hours."""
    return energy_wh / PER_KILO


def render_kw(power_w: int) -> str:
    """Watts as kilowatts with one decimal, as people read them: 133,333 W is `133.3`."""
    return str((Decimal(power_w) / PER_KILO).quantize(Decimal("0.1"), ROUND_HALF_UP))


def _kilo_to_one(value: float, unit: str) -> int:
    """The nearest whole number of thousandths, half upward."""
    exact = Decimal(str(value))
    if not exact.is_finite() or exact < 0:
        raise ValueError(f"{value} {unit} is not a usable amount")
    return int((exact * PER_KILO).to_integral_value(ROUND_HALF_UP))
