from __future__ import annotations

from itertools import islice
from random import Random

from simulators.arrivals import arrivals
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.scenario import Arrive, Leave, Stream

SITE = [
    Hardware.uniform("DC1", 200_000.0, 2),
    Hardware.uniform("AC1", 22_000.0, 2, CurrentType.AC),
]
STREAM = Stream(from_s=60, gap_s=15, stay_s=45)


def first(count: int, seed: int = 1, taken: tuple[str, ...] = ()) -> list[Arrive | Leave]:
    return list(islice(arrivals(STREAM, SITE, taken, Random(seed)), count))


def test_the_same_seed_brings_the_same_vehicles() -> None:
    assert first(50, seed=3) == first(50, seed=3)
    assert first(50, seed=3) != first(50, seed=4)


def test_they_come_in_order_of_time_after_the_steps() -> None:
    times = [step.at for step in first(200)]
    assert times == sorted(times)
    assert times[0] >= 60


def test_nobody_arrives_at_a_taken_connector_or_leaves_a_free_one() -> None:
    occupied = {"DC1/1", "AC1/2"}
    for step in first(400, taken=("DC1/1", "AC1/2")):
        if isinstance(step, Arrive):
            assert step.connector not in occupied
            occupied.add(step.connector)
        else:
            occupied.remove(step.connector)


def test_each_kind_of_connector_gets_its_kind_of_vehicle() -> None:
    for step in first(200):
        if isinstance(step, Arrive):
            assert step.vehicle.kind == ("dc" if step.connector.startswith("DC") else "ac")


def test_some_are_declared_and_some_are_not() -> None:
    declared = {step.declare for step in first(100) if isinstance(step, Arrive)}
    assert declared == {True, False}


def test_stays_and_gaps_are_about_as_long_as_asked() -> None:
    came: dict[str, float] = {}
    stays = []
    for step in first(1000):
        if isinstance(step, Arrive):
            came[step.connector] = step.at
        else:
            stays.append(step.at - came.pop(step.connector))
    assert min(stays) >= 22.5
    assert max(stays) <= 67.5


def test_a_site_without_connectors_has_no_arrivals() -> None:
    assert list(arrivals(STREAM, [], (), Random(1))) == []
