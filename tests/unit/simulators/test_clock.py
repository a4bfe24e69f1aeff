from __future__ import annotations

import pytest

from simulators.clock import Clock


def test_time_does_not_go_back() -> None:
    clock = Clock()
    moments = [clock.moment() for _ in range(100)]
    assert [m.utc_s for m in moments] == sorted(m.utc_s for m in moments)
    assert moments[0].scenario_s >= 0


def test_scenario_time_runs_at_its_speed() -> None:
    clock = Clock(speed=1000.0)
    before, moment, after = clock.monotonic(), clock.moment(), clock.monotonic()
    assert 1000 * before <= moment.scenario_s <= 1000 * after


def test_utc_runs_at_real_speed_whatever_the_scenario_does() -> None:
    clock = Clock(speed=1e9)
    first, second = clock.moment(), clock.moment()
    scenario_s = second.scenario_s - first.scenario_s
    assert scenario_s > 0
    assert second.utc_s - first.utc_s == pytest.approx(scenario_s / 1e9, abs=1e-5)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_must_be_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(speed)
