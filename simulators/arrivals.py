"""Vehicles that come and go at random, the same ones for the same seed (pure)."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from random import Random

from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.scenario import Arrive, Leave, Stream, VehicleSpec

DC_PEAKS_KW = (50.0, 75.0, 100.0, 150.0, 175.0, 220.0)
AC_CARS = ((1, 32.0), (3, 16.0), (3, 32.0))


def arrivals(
    stream: Stream, hardware: Sequence[Hardware], taken: Collection[str], random: Random
) -> Iterator[Arrive | Leave]:
    """Arrivals and departures in order of time, without an end.

    `taken` are the connectors with a vehicle when the stream begins: those leave first.
    """
    kinds = {
        f"{charger.charger_id}/{connector.connector_id}": connector.current_type
        for charger in hardware
        for connector in charger.connectors
    }
    moments: list[tuple[float, str, bool]] = []
    for name in kinds:
        leaves = name in taken
        mean_s = stream.stay_s if leaves else stream.gap_s
        moments.append((stream.from_s + random.uniform(0, mean_s), name, leaves))
    heapq.heapify(moments)
    while moments:
        at, name, leaves = heapq.heappop(moments)
        if leaves:
            yield Leave(at=at, connector=name)
        else:
            vehicle = _vehicle(kinds[name], random)
            yield Arrive(at=at, connector=name, vehicle=vehicle, declare=random.random() < 0.5)
        mean_s = stream.gap_s if leaves else stream.stay_s
        heapq.heappush(moments, (at + random.uniform(0.5, 1.5) * mean_s, name, not leaves))


def _vehicle(current_type: CurrentType, random: Random) -> VehicleSpec:
    soc = round(random.uniform(5, 70), 1)
    capacity_kwh = float(random.choice((40, 58, 77, 100)))
    if current_type is CurrentType.AC:
        phases, max_a = random.choice(AC_CARS)
        return VehicleSpec(
            kind="ac", phases=phases, max_a=max_a, soc=soc, capacity_kwh=capacity_kwh
        )
    max_kw = random.choice(DC_PEAKS_KW)
    return VehicleSpec(kind="dc", max_kw=max_kw, soc=soc, capacity_kwh=capacity_kwh)
