from __future__ import annotations

import dataclasses

import pytest

from simulators.charge_point.quirks import Quirks


def test_the_default_charge_point_does_as_it_should() -> None:
    assert dataclasses.asdict(Quirks()) == {
        "no_boot_on_reconnect": True,
        "refuse_profiles": False,
        "ignore_profiles": False,
        "deaf": False,
        "slow_answer_s": 0.0,
        "forget_profiles_on_reboot": False,
    }


def test_quirks_do_not_change_while_a_charge_point_runs() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Quirks().deaf = True  # type: ignore[misc]
