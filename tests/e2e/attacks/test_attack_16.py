"""A16: large valid messages.

The row asks for 100 hostile chargers at full rate and a p99 of 200 ms for the others; a test has
five of them, and counts: they are slowed, and the others are answered meanwhile. What that costs
the others is printed by `python -m tests.benchmarks.round_trips`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from csms.protocol.ocpp16 import routes
from csms.station.facts import MeterSample
from tests.e2e.hostile import SETTINGS, Bench, healthy

LARGE = replace(SETTINGS, max_frame_bytes=1 << 20)
HOSTILE = 5
SAMPLES_EACH = 5
"""Of one message a hundred values are read: five elements, each with one state of charge."""
AT_ONCE = 4
"""Messages of 64 KiB that may come at once."""


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


LARGE_MESSAGE = meter_values("x", 80, 20)


async def send_for_ever(charger: ClientConnection) -> None:
    """Large messages, each with an id of its own: a repeated one is answered and not read again."""
    with contextlib.suppress(ConnectionClosed):
        for number in itertools.count():
            await charger.send(LARGE_MESSAGE.replace('"x"', f'"{number}"', 1))


async def test_those_who_send_too_much_are_slowed_and_keep_nobody_waiting() -> None:
    bench = Bench(serve=routes.serve)
    assert 60_000 < len(LARGE_MESSAGE) < 65_536

    def heard(number: int) -> int:
        return samples(bench, f"BAD{number}") // SAMPLES_EACH

    async with bench.server, bench.dial("GOOD") as good, contextlib.AsyncExitStack() as stack:
        dialled = [bench.dial(f"BAD{n}", ping_interval=None) for n in range(HOSTILE)]
        hostile = [await stack.enter_async_context(each) for each in dialled]
        began = bench.recorder.clock.monotonic()
        async with asyncio.timeout(250), asyncio.TaskGroup() as tasks:
            floods = [tasks.create_task(send_for_ever(each)) for each in hostile]
            # Until each of them has been slowed, and was read again.
            while min(map(heard, range(HOSTILE))) < AT_ONCE + 3:
                await healthy(good)
                assert not any(flood.done() for flood in floods)
            took_s = bench.recorder.clock.monotonic() - began
            # 64 KiB/s each, after four seconds' worth at once; the last one is owed.
            most = (4 + took_s) * 65_536 / len(LARGE_MESSAGE) + 1
            assert max(map(heard, range(HOSTILE))) <= most
            for flood in floods:
                flood.cancel()
        for each in hostile:
            each.transport.abort()
