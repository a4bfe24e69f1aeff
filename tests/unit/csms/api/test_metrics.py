"""Metrics for Prometheus."""

from __future__ import annotations

from dataclasses import replace

from csms.station.document import parse_station
from tests.unit.csms.api.fakes import DOCUMENT, Api


async def test_every_station_has_its_gauges(api: Api) -> None:
    second = parse_station({**DOCUMENT, "stationId": "S2"}, "test")
    api.operations.stations["S2"] = second
    answer = await api.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for station in ("S1", "S2"):
        for line in (
            f'csms_sessions{{station="{station}"}} 1.0',
            f'csms_grid_limit_watts{{station="{station}"}} 400000.0',
            f'csms_available_watts{{station="{station}"}} 397000.0',
            f'csms_allocated_watts{{station="{station}"}} 133333.0',
            f'csms_measured_watts{{station="{station}"}} 131000.0',
            f'csms_worst_case_watts{{station="{station}"}} 150000.0',
            f'csms_overcommitted{{station="{station}"}} 0.0',
            f'csms_settled{{station="{station}"}} 1.0',
            f'csms_chargers{{station="{station}"}} 1.0',
            f'csms_connected_chargers{{station="{station}"}} 1.0',
        ):
            assert line in lines


async def test_the_gauges_follow_the_station(api: Api) -> None:
    api.operations.snapshot = replace(api.operations.snapshot, overcommitted=True, settled=False)
    lines = (await api.request("GET", "/metrics")).text.splitlines()
    assert 'csms_overcommitted{station="S1"} 1.0' in lines
    assert 'csms_settled{station="S1"} 0.0' in lines
