"""Who has followed a cut, and when."""

from __future__ import annotations

from csms.station.model import ConnectorKey
from tests.simulation.near_cuts import NearCuts

ONE, TWO = ConnectorKey("CP1", 1), ConnectorKey("CP2", 1)


def _near() -> NearCuts:
    return NearCuts([], {"CP1": 1000, "CP2": 1000}, lambda _: None)


def test_from_the_cut_until_it_draws_no_more_than_it_was_told() -> None:
    near = _near()
    near.begin(10.0, {"CP1": 9000.0, "CP2": 9000.0})
    near.told(10.1, ONE, 3000)
    near.look(10.5, {"CP1": {1: 9000.0}, "CP2": {1: 9000.0}}, 8000)
    near.look(11.0, {"CP1": {1: 3000.0}, "CP2": {1: 9000.0}}, 8000)
    assert near.took_s == [1.0]
    near.look(13.0, {"CP1": {1: 3000.0}, "CP2": {1: 5000.0}}, 8000)
    assert near.took_s == [1.0, 3.0]


def test_who_need_not_follow_is_not_counted() -> None:
    near = _near()
    near.told(10.0, ONE, 3000)
    near.begin(10.0, {"CP1": 9000.0, "CP2": 4000.0})
    near.look(10.0, {"CP1": {1: 9000.0}, "CP2": {1: 4000.0}}, 8000)
    near.look(11.0, {"CP1": {1: 3000.0}, "CP2": {1: 4000.0}}, 8000)
    assert near.took_s == [1.0]


def test_who_is_touched_or_meets_a_disturbed_csms_is_not_counted() -> None:
    near = _near()
    near.begin(10.0, {"CP1": 9000.0, "CP2": 9000.0})
    near.touched("CP1")
    near.look(15.0, {"CP1": {1: 0.0}, "CP2": {1: 0.0}}, 8000)
    near.disturbed(20.0)
    near.begin(21.0, {"CP1": 9000.0})
    near.look(22.0, {"CP1": {1: 0.0}, "CP2": {1: 0.0}}, 8000)
    assert near.took_s == [5.0]


def test_who_never_follows_counts_with_the_longest_time() -> None:
    near = _near()
    near.begin(10.0, {"CP1": 9000.0})
    near.look(80.0, {"CP1": {1: 9000.0}, "CP2": {1: 0.0}}, 8000)
    assert near.took_s == [70.0]
