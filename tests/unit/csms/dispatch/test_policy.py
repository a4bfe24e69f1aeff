from __future__ import annotations

from csms.dispatch.policy import DispatchPolicy


def test_the_dead_band_is_the_larger_of_watts_and_fraction() -> None:
    policy = DispatchPolicy(dead_band_w=1_000, dead_band_fraction=0.02)
    assert policy.dead_band(10_000) == 1_000
    assert policy.dead_band(50_000) == 1_000
    assert policy.dead_band(150_000) == 3_000


def test_a_limit_is_renewed_at_half_its_life() -> None:
    assert DispatchPolicy().renew_at(1_000.0, 1_300.0) == 1_150.0
