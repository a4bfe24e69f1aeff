"""Without any one of its safety rules, csms is caught in few worlds; as it is, in none of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.alterations import Alteration
from tests.simulation.mutants import MUTANTS
from tests.simulation.report import failure
from tests.simulation.settings import WorldSettings
from tests.simulation.world import run_world

SEEDS = 8
HOURS = 12.0
SETTINGS = replace(WorldSettings(), stop_at_first=True)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_missing_rule_is_noticed(name: str) -> None:
    mutant = MUTANTS[name]
    for seed in range(mutant.first_seed, mutant.first_seed + SEEDS):
        found = run_world(seed, HOURS, SETTINGS, mutant)
        if found.breaches:
            break
    else:
        pytest.fail(f"without the rule against {mutant.text} nothing breaks")
    assert found.breaches[0].rule != "error"
    whole = Alteration("whole", "csms as it is", lambda: (), mutant.settings)
    sound = run_world(seed, found.hours + 0.1, SETTINGS, whole)
    assert not sound.breaches, failure(sound)
