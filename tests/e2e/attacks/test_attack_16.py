"""A16: large valid messages.

The row asks for 100 hostile chargers at full rate and a p99 of 200 ms for the others; a test has
five of them for two seconds and asks for the median, as a shared machine has pauses of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from csms.protocol.ocpp16 import routes
from csms.station.facts import MeterSample
from tests.e2e.hostile import SETTINGS, Bench, healthy

LARGE = replace(SETTINGS, max_frame_bytes=1 << 20)
HOSTILE = 5
SECONDS = 2.0
ROUND_TRIP_S = 0.2


def meter_values(message_id: str, elements: int, values: int) -> str:
    element = {
        "timestamp": "2026-01-01T00:00:00Z",
        "sampledValue": [{"value": str(k), "measurand": "SoC"} for k in range(values)],
    }
    payload = {"connectorId": 1, "meterValue": [element] * elements}
    return json.dumps([2, message_id, "MeterValues", payload])


def samples(bench: Bench, charger_id: str) -> int:
    facts: list[Any] = bench.recorder.facts
    return sum(isinstance(f, MeterSample) and f.connector.charger_id == charger_id for f in facts)


async def test_of_a_large_message_a_hundred_values_are_read_and_all_of_it_is_answered() -> None:
    bench = Bench(LARGE, serve=routes.serve)
    async with bench.server, bench.dial() as charger:
        await charger.send(meter_values("a", 1_000, 1))
        assert await charger.recv() == '[3,"a",{}]'
        assert samples(bench, "CP1") == 100
        await charger.send(meter_values("b", 20, 50))
        assert await charger.recv() == '[3,"b",{}]'
        assert samples(bench, "CP1") == 102


async def test_a_long_vendor_name_is_cut() -> None:
    bench = Bench(serve=routes.serve)
    async with bench.server, bench.dial() as charger:
        vendor = {"chargePointVendor": "v" * 60_000, "chargePointModel": "m"}
        await charger.send(json.dumps([2, "b", "BootNotification", vendor]))
        assert json.loads(await charger.recv())[2]["status"] == "Accepted"


async def send_for_ever(charger: ClientConnection, frame: str) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await charger.send(frame)


async def test_those_who_send_too_much_keep_nobody_waiting() -> None:
    bench = Bench(serve=routes.serve)
    frame = meter_values("x", 80, 20)
    assert 60_000 < len(frame) < 65_536
    times: list[float] = []
    async with bench.server, bench.dial("GOOD") as good, contextlib.AsyncExitStack() as stack:
        hostile = [await stack.enter_async_context(bench.dial(f"BAD{n}")) for n in range(HOSTILE)]
        async with asyncio.TaskGroup() as tasks:
            floods = [tasks.create_task(send_for_ever(each, frame)) for each in hostile]
            stop_at = time.monotonic() + SECONDS
            while time.monotonic() < stop_at:
                began = time.monotonic()
                await healthy(good)
                times.append(time.monotonic() - began)
                await asyncio.sleep(0.1)
            for task in floods:
                task.cancel()
        for each in hostile:
            each.transport.abort()
    assert statistics.median(times) < ROUND_TRIP_S
    # 64 KiB/s each, after four seconds' worth at once.
    assert all(samples(bench, f"BAD{n}") <= 5 * (4 + SECONDS + 4) for n in range(HOSTILE))
