"""Watts in the steps a charger can be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.balancing.quantize import amperes, quantum_w
from csms.station.model import Connector, ConnectorKey, RateUnit

KEY = ConnectorKey("CP001", 1)


@pytest.mark.parametrize(
    ("phases", "voltage_v", "expected_w"), [(3, 230, 69), (1, 230, 23), (3, 231, 70), (1, 5, 1)]
)
def test_a_quantum_in_amperes(phases: int, voltage_v: int, expected_w: int) -> None:
    connector = Connector(KEY, 22_000, phases=phases, voltage_v=voltage_v)
    assert quantum_w(connector, RateUnit.AMPERES) == expected_w


@pytest.mark.parametrize(
    ("step_a", "expected_w"), [(0.1, 69), (1.0, 690), (0.5, 345), (0.3, 207), (0.0, 69), (2, 1_380)]
)
def test_a_charger_may_take_larger_steps(step_a: float, expected_w: int) -> None:
    assert quantum_w(Connector(KEY, 22_000), RateUnit.AMPERES, step_a) == expected_w


def test_a_quantum_in_watts_is_one() -> None:
    assert quantum_w(Connector(KEY, 22_000), RateUnit.WATTS) == 1
    assert quantum_w(Connector(KEY, 22_000), RateUnit.WATTS, 1.0) == 1


@pytest.mark.parametrize(
    ("limit_w", "phases", "voltage_v", "expected_a"),
    [
        (0, 3, 230, 0.0),
        (22_080, 3, 230, 32.0),
        (22_079, 3, 230, 31.9),
        (4_140, 3, 230, 6.0),
        (4_139, 3, 230, 5.9),
        (7_360, 1, 230, 32.0),
        (10_000, 3, 230, 14.4),
    ],
)
def test_amperes_are_rounded_down(
    limit_w: int, phases: int, voltage_v: int, expected_a: float
) -> None:
    assert amperes(limit_w, phases, voltage_v) == expected_a


@given(st.integers(0, 1_000_000), st.integers(1, 3), st.integers(100, 500))
def test_amperes_never_draw_more_than_the_limit(limit_w: int, phases: int, voltage_v: int) -> None:
    tenths = round(amperes(limit_w, phases, voltage_v) * 10)
    assert tenths * phases * voltage_v <= limit_w * 10 < (tenths + 1) * phases * voltage_v


@given(st.integers(0, 400), st.integers(1, 3), st.integers(100, 500))
def test_every_quantum_buys_a_step(quanta: int, phases: int, voltage_v: int) -> None:
    connector = Connector(KEY, 22_000, phases=phases, voltage_v=voltage_v)
    limit_w = quanta * quantum_w(connector, RateUnit.AMPERES)
    assert amperes(limit_w, phases, voltage_v) >= quanta / 10


@pytest.mark.parametrize("arguments", [(-1, 3, 230), (1, 0, 230), (1, 3, 0)])
def test_nonsense_is_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="is not a current"):
        amperes(*arguments)
