"""How fast what is given out may rise."""

from __future__ import annotations

from csms.balancing.allocation import Leaf, Share
from csms.balancing.allocators import max_min
from csms.balancing.ramp import Ramp, hold_back
from csms.station.model import ConnectorKey, LimitSource

A, B, C = (ConnectorKey(name, 1) for name in "ABC")
STEP_W = 10_000
VEHICLE, GRID, RAMP = LimitSource.VEHICLE, LimitSource.GRID, LimitSource.RAMP


def leaf(key: ConnectorKey, upper_w: int = 100_000, minimum_w: int = 0, quantum_w: int = 1) -> Leaf:
    return Leaf(key, upper_w, VEHICLE, minimum_w=minimum_w, quantum_w=quantum_w)


def held(
    leaves: list[Leaf], shares: dict[ConnectorKey, int], kept: dict[ConnectorKey, int], most_w: int
) -> dict[ConnectorKey, Share]:
    full = {key: Share(value_w, GRID) for key, value_w in shares.items()}
    return hold_back(leaves, full, kept, most_w, max_min.allocate, 0.0)


def test_the_first_window_begins_with_what_is_given_out() -> None:
    ramp = Ramp()
    assert ramp.began_at is None
    assert ramp.ceiling_w(50_000, STEP_W, 100.0) == 60_000
    assert ramp.began_at == 100.0


def test_the_least_of_a_window_counts_until_it_ends() -> None:
    ramp = Ramp()
    ramp.ceiling_w(50_000, STEP_W, 100.0)
    assert ramp.ceiling_w(20_000, STEP_W, 101.0) == 30_000
    assert ramp.ceiling_w(30_000, STEP_W, 159.9) == 30_000
    assert ramp.began_at == 100.0
    assert ramp.ceiling_w(30_000, STEP_W, 160.0) == 40_000
    assert ramp.began_at == 160.0


def test_another_step_counts_from_the_same_moment() -> None:
    ramp = Ramp()
    ramp.ceiling_w(50_000, STEP_W, 100.0)
    assert ramp.ceiling_w(55_000, 7_000, 101.0) == 57_000


def test_a_clock_that_was_set_back_begins_a_window() -> None:
    ramp = Ramp()
    ramp.ceiling_w(50_000, STEP_W, 100.0)
    assert ramp.ceiling_w(60_000, STEP_W, 99.0) == 70_000


def test_what_was_given_last_is_what_is_there_and_else_what_counts() -> None:
    ramp = Ramp()
    assert ramp.present_w({A: 5}) == {A: 5}
    ramp.gave({A: 40, B: 50})
    assert ramp.present_w({A: 100, C: 7}) == {A: 40, C: 7}
    ramp.gave({})
    assert ramp.present_w({A: 100}) == {A: 100}


def test_what_fits_is_not_held_back() -> None:
    assert held([leaf(A), leaf(B)], {A: 40_000, B: 60_000}, {A: 0, B: 0}, 100_000) == {}
    assert held([], {A: 40_000}, {}, -5) == {}


def test_raises_share_what_there_is_and_say_so() -> None:
    shares = {A: 40_000, B: 60_000}
    assert held([leaf(A), leaf(B)], shares, {A: 0, B: 0}, 20_000) == {
        A: Share(10_000, RAMP),
        B: Share(10_000, RAMP),
    }


def test_nobody_is_lowered_and_a_lower_is_not_held_back() -> None:
    shares = {A: 30_000, B: 60_000, C: 50_000}
    kept = {A: 80_000, B: 0, C: 50_000}
    # A is lowered to its share, C keeps what it has, and only B's raise is cut.
    assert held([leaf(A), leaf(B), leaf(C)], shares, kept, 85_000) == {B: Share(5_000, RAMP)}


def test_where_there_is_no_room_at_all_everybody_keeps_what_it_has() -> None:
    shares, kept = {A: 40_000, B: 60_000}, {A: 30_000, B: 20_000}
    assert held([leaf(A), leaf(B)], shares, kept, -1) == {
        A: Share(30_000, RAMP),
        B: Share(20_000, RAMP),
    }


def test_minima_and_steps_of_chargers_hold_below_a_ramp_too() -> None:
    leaves = [leaf(A, minimum_w=4_140, quantum_w=690), leaf(B, minimum_w=4_140, quantum_w=690)]
    shares = {A: 11_040, B: 11_040}
    cut = held(leaves, shares, {A: 0, B: 0}, 6_000)
    assert sorted(share.value_w for share in cut.values()) == [0, 5_520]
    assert {share.source for share in cut.values()} == {RAMP}
