from __future__ import annotations

import pytest

from simulators.charge_point.hardware import CurrentType, Hardware, share_out


def test_uniform_connectors_are_numbered_from_one() -> None:
    hardware = Hardware.uniform("CP001", 44_000.0, 2, CurrentType.AC, phases=1)
    assert [c.connector_id for c in hardware.connectors] == [1, 2]
    assert [c.max_w for c in hardware.connectors] == [44_000.0, 44_000.0]
    assert {c.current_type for c in hardware.connectors} == {CurrentType.AC}
    assert {c.phases for c in hardware.connectors} == {1}


@pytest.mark.parametrize(
    ("wishes", "cap", "shares"),
    [
        ([], 100, []),
        ([30, 40], 100, [30, 40]),
        ([80, 90], 100, [50, 50]),
        ([20, 90], 100, [20, 80]),
        ([90, 20], 100, [80, 20]),
        ([10, 50, 90], 100, [10, 45, 45]),
        ([0, 90], 50, [0, 50]),
        ([50, 50], 0, [0, 0]),
        ([50, 50], -5, [0, 0]),
    ],
)
def test_power_is_shared_fairly(wishes: list[float], cap: float, shares: list[float]) -> None:
    assert share_out(wishes, cap) == shares
