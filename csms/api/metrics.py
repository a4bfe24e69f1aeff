"""Prometheus metrics, read from the stations at the moment of the scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from csms.api.operations import Operations, VitalsOperations
from csms.control.status import StationStatus

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

GAUGES: tuple[tuple[str, str, Callable[[StationStatus], float]], ...] = (
    ("csms_sessions", "Running sessions", lambda s: len(s.sessions())),
    ("csms_grid_limit_watts", "Grid limit", lambda s: s.grid_limit_w),
    ("csms_available_watts", "Grid limit less load and reserve", lambda s: s.available_w),
    ("csms_allocated_watts", "Sum of the shares", lambda s: s.allocated_w),
    ("csms_measured_watts", "Sum of the newest readings", lambda s: s.measured_w),
    ("csms_worst_case_watts", "Sum of limits that may be in force", lambda s: s.worst_case_w),
    (
        "csms_overcommitted",
        "1 when the worst case is above the available",
        lambda s: s.overcommitted,
    ),
    ("csms_settled", "1 when every charger has answered", lambda s: s.settled),
    ("csms_chargers", "Chargers of the station", lambda s: len(s.chargers)),
    (
        "csms_connected_chargers",
        "Chargers that are connected",
        lambda s: sum(c.connected for c in s.chargers),
    ),
)


class StationCollector(Collector):
    """Every gauge, labelled by station."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of all stations, each station read once."""
        stations = [self._operations.status(i) for i in self._operations.station_ids()]
        for name, text, read in GAUGES:
            family = GaugeMetricFamily(name, text, labels=["station"])
            for station in stations:
                family.add_metric([station.station_id], float(read(station)))
            yield family


class ProcessCollector(Collector):
    """The gauges of the process."""

    def __init__(self, process: VitalsOperations) -> None:
        self._process = process

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How late the loop was, at worst, in the last moments."""
        text = "How late the event loop was in the last moments, at worst"
        yield GaugeMetricFamily("csms_loop_lag_seconds", text, value=self._process.lag_s())


def exposition(operations: Operations, process: VitalsOperations) -> bytes:
    """The metrics in Prometheus' text format, from a registry of their own."""
    registry = CollectorRegistry()
    registry.register(StationCollector(operations))
    registry.register(ProcessCollector(process))
    return generate_latest(registry)
