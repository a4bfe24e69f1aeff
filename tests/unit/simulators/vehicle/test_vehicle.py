from __future__ import annotations

import pytest

from simulators.vehicle.battery import PowerCurve, TractionBattery
from simulators.vehicle.vehicle import AcVehicle, ConstantVehicle, DcVehicle, Outlet, Ramp

OUTLET = Outlet()
ONE_PHASE = Outlet(phases=1)
FLAT = PowerCurve(((0.0, 1.0), (100.0, 1.0)))


def dc(soc_pct: float = 20.0, **settings: float) -> DcVehicle:
    return DcVehicle(TractionBattery(50_000.0, soc_pct), 150_000.0, curve=FLAT, **settings)


def ac(phases: int = 3, max_a: float = 16.0, soc_pct: float = 20.0) -> AcVehicle:
    battery = TractionBattery(50_000.0, soc_pct)
    return AcVehicle(battery, phases=phases, max_a=max_a, wake_s=0.0, ramp_s=0.0)


# ---------------------------------------------------------------------------- constant


def test_a_constant_vehicle_draws_the_offer_up_to_its_maximum() -> None:
    vehicle = ConstantVehicle(150_000.0)
    assert vehicle.power_w(133_300.0, 0.0, OUTLET) == 133_300.0
    assert vehicle.power_w(200_000.0, 0.0, OUTLET) == 150_000.0
    assert vehicle.power_w(0.0, 0.0, OUTLET) == 0.0
    assert vehicle.soc_pct is None


def test_a_constant_vehicle_may_draw_less_than_it_could() -> None:
    vehicle = ConstantVehicle(150_000.0, draws_w=60_000.0)
    vehicle.charged(1_000_000.0)
    assert vehicle.power_w(133_300.0, 0.0, OUTLET) == 60_000.0
    vehicle.want(150_000.0)
    assert vehicle.power_w(133_300.0, 0.0, OUTLET) == 133_300.0
    assert vehicle.max_w == 150_000.0


# ---------------------------------------------------------------------------- the start


def test_a_ramp_waits_then_rises() -> None:
    ramp = Ramp(wake_s=10.0, ramp_s=4.0)
    shares = [ramp.share(offered=True, now=now) for now in (0, 9.9, 10, 11, 12, 14, 100)]
    assert shares == [0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 1.0]


def test_after_a_pause_the_ramp_comes_again_but_not_the_wait() -> None:
    ramp = Ramp(wake_s=10.0, ramp_s=4.0)
    ramp.share(offered=True, now=0)
    assert ramp.share(offered=True, now=20) == 1.0
    assert ramp.share(offered=False, now=30) == 0.0
    assert ramp.share(offered=True, now=40) == 0.0
    assert ramp.share(offered=True, now=41) == 0.25


def test_the_wait_begins_with_the_first_offer() -> None:
    ramp = Ramp(wake_s=10.0, ramp_s=0.0)
    assert ramp.share(offered=False, now=0) == 0.0
    assert ramp.share(offered=True, now=100) == 0.0
    assert ramp.share(offered=True, now=110) == 1.0


def test_asking_twice_at_one_moment_changes_nothing() -> None:
    ramp = Ramp(wake_s=0.0, ramp_s=4.0)
    ramp.share(offered=True, now=0)
    assert ramp.share(offered=True, now=2) == ramp.share(offered=True, now=2) == 0.5


# ---------------------------------------------------------------------------- DC


def test_a_dc_vehicle_wakes_then_ramps_to_its_curve() -> None:
    vehicle = dc(wake_s=10.0, ramp_s=5.0)
    powers = [vehicle.power_w(200_000.0, now, OUTLET) for now in (0.0, 5.0, 11.0, 15.0)]
    assert powers == [0.0, 0.0, 30_000.0, 150_000.0]


def test_a_dc_vehicle_never_draws_more_than_it_is_offered() -> None:
    vehicle = dc(wake_s=0.0, ramp_s=0.0)
    assert vehicle.power_w(80_000.0, 0.0, OUTLET) == 80_000.0


def test_a_dc_vehicle_follows_its_curve_as_it_fills() -> None:
    battery = TractionBattery(50_000.0, 50.0)
    curve = PowerCurve(((50.0, 1.0), (100.0, 0.0)))
    vehicle = DcVehicle(battery, 100_000.0, curve=curve, wake_s=0.0, ramp_s=0.0)
    assert vehicle.power_w(200_000.0, 0.0, OUTLET) == 100_000.0
    vehicle.charged(12_500.0)
    assert vehicle.soc_pct == pytest.approx(75.0)
    assert vehicle.power_w(200_000.0, 1.0, OUTLET) == pytest.approx(50_000.0)


def test_a_full_dc_vehicle_draws_nothing() -> None:
    assert dc(soc_pct=100.0, wake_s=0.0, ramp_s=0.0).power_w(80_000.0, 0.0, OUTLET) == 0.0


def test_a_dc_vehicle_can_want_less() -> None:
    vehicle = dc(wake_s=0.0, ramp_s=0.0)
    vehicle.want(40_000.0)
    assert vehicle.power_w(200_000.0, 0.0, OUTLET) == 40_000.0
    assert vehicle.max_w == 150_000.0


# ---------------------------------------------------------------------------- AC


@pytest.mark.parametrize(
    ("phases", "max_a", "offered_w", "drawn_w"),
    [
        (3, 16.0, 11_040.0, 11_040.0),
        (3, 16.0, 22_080.0, 11_040.0),
        (3, 32.0, 22_080.0, 22_080.0),
        (1, 32.0, 22_080.0, 7_360.0),
        (1, 32.0, 11_040.0, 3_680.0),
        (2, 16.0, 11_040.0, 7_360.0),
        (3, 16.0, 4_140.0, 4_140.0),
        (3, 16.0, 4_139.0, 0.0),
        (1, 16.0, 4_139.0, 0.0),
        (3, 16.0, 0.0, 0.0),
    ],
)
def test_an_ac_vehicle_draws_per_phase_and_nothing_below_six_amperes(
    phases: int, max_a: float, offered_w: float, drawn_w: float
) -> None:
    assert ac(phases, max_a).power_w(offered_w, 0.0, OUTLET) == pytest.approx(drawn_w)


def test_a_three_phase_vehicle_on_one_phase_uses_one() -> None:
    assert ac(3, 16.0).power_w(7_360.0, 0.0, ONE_PHASE) == pytest.approx(3_680.0)


def test_an_ac_vehicle_tells_no_state_of_charge_and_stops_when_full() -> None:
    vehicle = ac(soc_pct=99.0)
    assert vehicle.soc_pct is None
    vehicle.charged(1_000.0)
    assert vehicle.power_w(11_040.0, 0.0, OUTLET) == 0.0


def test_an_ac_vehicle_can_want_less() -> None:
    vehicle = ac()
    assert vehicle.max_w == 11_040.0
    vehicle.want(6_900.0)
    assert vehicle.power_w(11_040.0, 0.0, OUTLET) == pytest.approx(6_900.0)


def test_an_ac_vehicle_wakes_only_to_an_offer_it_can_use() -> None:
    vehicle = AcVehicle(TractionBattery(50_000.0, 20.0), wake_s=5.0, ramp_s=0.0)
    assert vehicle.power_w(1_000.0, 0.0, OUTLET) == 0.0
    assert vehicle.power_w(11_040.0, 100.0, OUTLET) == 0.0
    assert vehicle.power_w(11_040.0, 105.0, OUTLET) == pytest.approx(11_040.0)
