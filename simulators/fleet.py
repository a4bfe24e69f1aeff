"""A fleet for load: many charge points that boot, idle or charge, and time csms's answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from simulators.charge_point.client import ChargePointClient, ClientSettings, Dial
from simulators.charge_point.hardware import Hardware
from simulators.clock import Clock
from simulators.vehicle.vehicle import ConstantVehicle

MAX_CHARGERS = 5000
POWER_W = 11_000.0


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How many and how fast.

    `boots_per_s` paces the dialling; `charging` is the share, 0 to 1, that gets a vehicle;
    `duration_s` counts from the first dial.
    """

    chargers: int = 100
    boots_per_s: float = 50.0
    charging: float = 0.5
    duration_s: float = 60.0
    prefix: str = "FLEET"

    def __post_init__(self) -> None:
        if not 1 <= self.chargers <= MAX_CHARGERS:
            raise ValueError(f"chargers must be 1 to {MAX_CHARGERS}, not {self.chargers}")
        if not self.boots_per_s > 0:
            raise ValueError(f"boots_per_s must be above 0, not {self.boots_per_s}")
        if not 0 <= self.charging <= 1:
            raise ValueError(f"charging must be 0 to 1, not {self.charging}")

    def charger_ids(self) -> list[str]:
        """The ids of the fleet."""
        return [f"{self.prefix}{number:04d}" for number in range(1, self.chargers + 1)]

    def station(
        self, station_id: str = "FLEET", grid_capacity_kw: float = 1000.0
    ) -> dict[str, Any]:
        """A station document that has the fleet's chargers, for the csms under load."""
        return {
            "stationId": station_id,
            "gridCapacity": grid_capacity_kw,
            "chargers": [
                {"id": charger_id, "maxPower": POWER_W / 1000, "connectors": 1}
                for charger_id in self.charger_ids()
            ],
        }


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What csms did under the load. Latencies in seconds, None when nothing was answered.

    `refusals` counts the chargers that were not let in when they dialled last, by the reason.
    """

    chargers: int
    booted: int
    charging: int
    calls: int
    complaints: int
    median_s: float | None
    p99_s: float | None
    worst_s: float | None
    refusals: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {
            "chargers": self.chargers,
            "booted": self.booted,
            "charging": self.charging,
            "calls": self.calls,
            "complaints": self.complaints,
            "refusals": dict(self.refusals),
            "latency": {"median": self.median_s, "p99": self.p99_s, "worst": self.worst_s},
        }


async def run_fleet(
    plan: FleetPlan,
    dial_for: Callable[[str], Dial],
    clock: Clock,
    *,
    settings: ClientSettings | None = None,
    stop: asyncio.Event | None = None,
) -> FleetReport:
    """Run the fleet for its duration, or until `stop` is set."""
    settings = settings or ClientSettings(tick_s=1.0, meter_interval_s=60)
    stop = stop or asyncio.Event()
    points = [
        ChargePointClient(
            Hardware.uniform(charger_id, POWER_W), dial_for(charger_id), clock, settings=settings
        )
        for charger_id in plan.charger_ids()
    ]
    with_vehicle = round(plan.charging * plan.chargers)
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, point in enumerate(points):
            tasks.append(group.create_task(point.run()))
            if number < with_vehicle:
                tasks.append(group.create_task(_charge(point)))
            await _pause(1 / plan.boots_per_s, stop)
        await _pause(plan.duration_s - clock.monotonic(), stop)
        report = _report(points)
        for task in tasks:
            task.cancel()
    return report


async def _charge(point: ChargePointClient) -> None:
    await point.booted.wait()
    point.plug_in(1, ConstantVehicle(POWER_W))
    point.present_token(1, "FLEET")


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()


def _report(points: list[ChargePointClient]) -> FleetReport:
    latencies_s = sorted(latency_s for point in points for latency_s in point.latencies_s)

    def quantile(share: float) -> float | None:
        if not latencies_s:
            return None
        return round(latencies_s[min(int(share * len(latencies_s)), len(latencies_s) - 1)], 6)

    return FleetReport(
        chargers=len(points),
        booted=sum(point.booted.is_set() for point in points),
        charging=sum(
            connector.transaction is not None
            for point in points
            for connector in point.behaviour.connectors()
        ),
        calls=sum(point.calls for point in points),
        complaints=sum(len(point.complaints) for point in points),
        median_s=quantile(0.5),
        p99_s=quantile(0.99),
        worst_s=quantile(1.0),
        refusals=Counter(point.refusal for point in points if point.refusal),
    )
