"""Sharing power without a ledger breaks the limit, and hardly gives more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.policies import POLICIES
from tests.simulation.settings import WorldSettings
from tests.simulation.world import run_world

SEEDS = range(1, 4)
HOURS = 24.0
SETTINGS = replace(WorldSettings(), stop_at_first=True)


@pytest.mark.parametrize("name", ["lower_first", "send_and_assume"])
def test_a_naive_policy_breaks_the_limit_in_most_worlds(name: str) -> None:
    results = [run_world(seed, HOURS, SETTINGS, POLICIES[name]) for seed in SEEDS]
    broken = [r.seed for r in results if any(b.rule == "physics" for b in r.breaches)]
    assert len(broken) > len(SEEDS) / 2
