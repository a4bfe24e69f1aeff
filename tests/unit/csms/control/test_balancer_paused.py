"""Which of the connectors that a limit has paused may resume."""

from __future__ import annotations

import pytest

from csms.control.balancer import Watched
from tests.unit.csms.control.test_balancer import A1, B1, Bench, two_chargers


@pytest.mark.parametrize(
    ("grid_limit_w", "told_w"),
    [
        (500_000, {"A/1": 100_000, "B/1": 0}),
        (300_000, {"A/1": 0, "B/1": 0}),
    ],
)
def test_those_that_do_not_obey_resume_one_at_a_time_where_all_of_it_fits(
    grid_limit_w: int, told_w: dict[str, int]
) -> None:
    bench = Bench(two_chargers(grid_limit_w))
    for key in (A1, B1):
        bench.give(key, 0, bench.plug_in(key))
        bench.ledger.suspect(key, 200_000)
    bench.watched = Watched(paused=[A1, B1], on_probation=[A1, B1])
    assert bench.values() == told_w


def test_one_that_a_test_has_paused_keeps_no_other_from_resuming() -> None:
    bench = Bench(two_chargers(500_000))
    for key in (A1, B1):
        bench.give(key, 0, bench.plug_in(key))
    bench.watched = Watched(paused=[A1, B1], on_probation=[A1], under_test=[A1])
    assert bench.values()["B/1"] == 100_000
