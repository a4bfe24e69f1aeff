"""What chargers and people told us: values that cannot change once said."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from csms.station.facts import ChargerConnected, Fact, MeterSample
from csms.station.model import ConnectorKey


def test_every_fact_says_when_it_was_learned() -> None:
    assert all("at" in {f.name for f in fields(kind)} for kind in get_args(Fact))


def test_a_fact_does_not_change() -> None:
    fact = ChargerConnected("CP001", 1.0)
    with pytest.raises(FrozenInstanceError):
        fact.at = 2.0  # type: ignore[misc]


def test_a_sample_holds_only_what_was_reported() -> None:
    sample = MeterSample(ConnectorKey("CP001", 1), 1.0, power_w=0)
    assert (sample.power_w, sample.energy_wh, sample.soc_pct) == (0, None, None)
