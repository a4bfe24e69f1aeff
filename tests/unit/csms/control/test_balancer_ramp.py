"""A balancer of a station with a ramp."""

from __future__ import annotations

from dataclasses import replace

from csms.station.model import ConnectorKey, LimitSource
from tests.stations import charger, station
from tests.unit.csms.control.test_balancer import A1, A2, B1, B2, NOW, Bench


def ramped(fallback_w: int = 0) -> Bench:
    """Two chargers of 100 kW behind 200 kW, of which 20 kW more are given out in a minute."""
    chargers = (charger(name, max_power_w=100_000, fallback_w=fallback_w) for name in ("A", "B"))
    return Bench(station(*chargers, grid_limit_w=200_000, ramp_w_per_min=20_000))


def confirm(bench: Bench, *keys: ConnectorKey) -> None:
    for key in keys:
        bench.give(key, bench.balancer.goals[key].value_w, bench.state.session_on(key))


def test_what_is_given_out_rises_step_by_step() -> None:
    bench = ramped()
    bench.plug_in(A1)
    bench.plug_in(B1)
    assert bench.values() == {"A/1": 10_000, "B/1": 10_000}
    assert bench.balancer.goals[A1].source is LimitSource.RAMP
    confirm(bench, A1, B1)
    assert bench.values(NOW + 59) == {"A/1": 10_000, "B/1": 10_000}
    assert bench.values(NOW + 60) == {"A/1": 20_000, "B/1": 20_000}


def test_a_step_too_small_to_be_worth_a_message_is_told_all_the_same() -> None:
    bench = Bench(station(charger("A"), charger("B"), ramp_w_per_min=1_000))
    for key in (A1, A2, B1, B2):
        bench.plug_in(key)
    for minute in range(8):
        bench.balance(NOW + 60 * minute)
        confirm(bench, A1, A2, B1, B2)
    assert bench.values(NOW + 480) == dict.fromkeys(("A/1", "A/2", "B/1", "B/2"), 2_250)


def test_a_ramp_lowers_nobody_and_power_may_change_hands() -> None:
    bench = ramped()
    first = bench.plug_in(A1)
    bench.give(A1, 100_000, first)
    assert bench.values() == {"A/1": 100_000}
    bench.plug_in(A2)
    # On the same charger: what one gets the other gives, and no more is given out.
    assert bench.values(NOW + 1) == {"A/1": 50_000, "A/2": 50_000}
    bench.give(A1, 50_000, first)
    assert bench.values(NOW + 2) == {"A/1": 50_000, "A/2": 50_000}
    confirm(bench, A2)
    bench.plug_in(B1)
    assert bench.values(NOW + 3) == {"A/1": 50_000, "A/2": 50_000, "B/1": 20_000}


def test_after_a_cut_power_comes_back_step_by_step() -> None:
    bench = ramped()
    session = bench.plug_in(A1)
    bench.give(A1, 100_000, session)
    bench.balance()
    wide = bench.state.station
    bench.state.station = replace(wide, grid_limit_w=30_000)
    assert bench.values(NOW + 1) == {"A/1": 30_000}
    bench.state.station = wide
    # Whether the charger has confirmed the cut or not.
    assert bench.values(NOW + 2) == {"A/1": 50_000}
    bench.give(A1, 30_000, session)
    assert bench.values(NOW + 3) == {"A/1": 50_000}


def test_what_others_count_at_is_not_given_out_again_by_a_ramp() -> None:
    bench = ramped()
    bench.give(B1, 60_000)
    bench.plug_in(A1)
    assert bench.values() == {"A/1": 20_000}
    bench.give(B1, 0)
    # B's 60 kW are gone: what is given out may be 20 kW more than is left.
    assert bench.values(NOW + 1) == {"A/1": 40_000}
    assert bench.values(NOW + 60) == {"A/1": 60_000}


def test_a_fallback_is_told_whatever_the_ramp_says() -> None:
    bench = ramped(fallback_w=30_000)
    bench.plug_in(A1)
    bench.plug_in(A2)
    assert bench.values() == {"A/1": 40_000, "A/2": 40_000}


def test_without_its_ramp_a_station_gives_all_at_once() -> None:
    bench = ramped()
    bench.plug_in(A1)
    assert bench.values() == {"A/1": 20_000}
    ramp = bench.state.station
    bench.state.station = replace(ramp, ramp_w_per_min=None)
    assert bench.values(NOW + 1) == {"A/1": 100_000}
    bench.give(A1, 100_000, bench.state.session_on(A1))
    bench.state.station = ramp
    bench.plug_in(B1)
    assert bench.values(NOW + 2) == {"A/1": 100_000, "B/1": 20_000}
