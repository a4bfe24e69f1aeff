from __future__ import annotations

import time

import pytest

from csms.control.clock import SystemClock
from csms.ports import Clock

Machine = dict[str, float]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine's two clocks, set by hand."""
    read: Machine = {"time": 1_700_000_000.0, "monotonic": 50.0}
    monkeypatch.setattr(time, "time", lambda: read["time"])
    monkeypatch.setattr(time, "monotonic", lambda: read["monotonic"])
    return read


def test_now_is_utc(machine: Machine) -> None:
    clock: Clock = SystemClock()
    assert clock.now() == 1_700_000_000.0
    assert clock.monotonic() == 50.0


def test_both_follow_the_time_that_passes(machine: Machine) -> None:
    clock = SystemClock()
    machine["monotonic"] += 2.5
    machine["time"] += 2.5
    assert clock.now() == 1_700_000_002.5
    assert clock.monotonic() == 52.5


@pytest.mark.parametrize("jump_s", [-3_600.0, 3_600.0])
def test_setting_the_machine_s_clock_changes_nothing(machine: Machine, jump_s: float) -> None:
    clock = SystemClock()
    machine["time"] += jump_s
    machine["monotonic"] += 1.0
    assert clock.now() == 1_700_000_001.0
    assert SystemClock().now() == 1_700_000_000.0 + jump_s
