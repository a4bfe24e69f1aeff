"""Kilowatts outside, whole watts inside."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.station.units import kw_to_w, kwh_to_wh, render_kw, w_to_kw, wh_to_kwh


@pytest.mark.parametrize(
    ("power_kw", "power_w"),
    [
        (0, 0),
        (150, 150_000),
        (99.25, 99_250),
        (133.3333, 133_333),
        (0.0004, 0),
        (0.0005, 1),
        (1.0005, 1_001),
        (-0.0, 0),
        (1e6, 1_000_000_000),
    ],
)
def test_kilowatts_become_the_nearest_watt(power_kw: float, power_w: int) -> None:
    assert kw_to_w(power_kw) == power_w


def test_kilowatt_hours_become_the_nearest_watt_hour() -> None:
    assert kwh_to_wh(200.0005) == 200_001


@pytest.mark.parametrize("amount", [-0.001, -1, math.nan, math.inf, -math.inf])
def test_an_amount_that_is_none_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match="kW is not a usable amount"):
        kw_to_w(amount)
    with pytest.raises(ValueError, match="kWh is not a usable amount"):
        kwh_to_wh(amount)


def test_watts_become_kilowatts() -> None:
    assert w_to_kw(99_250) == 99.25
    assert wh_to_kwh(1) == 0.001


@given(st.integers(0, 10**9))
def test_watts_survive_the_way_out_and_back(power_w: int) -> None:
    assert kw_to_w(w_to_kw(power_w)) == power_w


@pytest.mark.parametrize(
    ("power_w", "shown"),
    [(0, "0.0"), (133_333, "133.3"), (150_000, "150.0"), (99_250, "99.3"), (49, "0.0")],
)
def test_people_read_kilowatts_with_one_decimal(power_w: int, shown: str) -> None:
    assert render_kw(power_w) == shown
