"""What chargers that send too much cost the others: round trips of one, without them and with them.

    python -m tests.benchmarks.round_trips [--hostile 5] [--trips 200]

Both are measured in one run on the same machine: trust the ratio, not the times.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from dataclasses import replace

from websockets.asyncio.client import ClientConnection

from csms.protocol.ocpp16 import routes
from csms.protocol.pace import PacePolicy
from tests.e2e.attacks.test_attack_16 import send_for_ever
from tests.e2e.hostile import SETTINGS, Bench, healthy

PACE = PacePolicy(frames_per_s=1e6, frames_burst=1e6)
"""One charger asks again and again: only how much is sent is bounded here, not how often."""


async def trips_s(charger: ClientConnection, count: int) -> list[float]:
    """How long each of so many requests took."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        await healthy(charger)
        found.append(time.perf_counter() - began)
    return found


async def measure(hostile: int, trips: int) -> tuple[list[float], list[float]]:
    """Round trips without a flood, and with one; seconds."""
    settings = replace(SETTINGS, connection=replace(SETTINGS.connection, pace=PACE))
    bench = Bench(settings, serve=routes.serve)
    async with bench.server, bench.dial("GOOD") as good, contextlib.AsyncExitStack() as stack:
        alone = await trips_s(good, trips)
        dialled = [bench.dial(f"BAD{n}", ping_interval=None) for n in range(hostile)]
        others = [await stack.enter_async_context(each) for each in dialled]
        async with asyncio.TaskGroup() as tasks:
            floods = [tasks.create_task(send_for_ever(each)) for each in others]
            among = await trips_s(good, trips)
            for flood in floods:
                flood.cancel()
        for each in others:
            each.transport.abort()
    return alone, among


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hostile", type=int, default=5)
    parser.add_argument("--trips", type=int, default=200)
    options = parser.parse_args()
    alone, among = asyncio.run(measure(options.hostile, options.trips))
    for name, found in (("alone", alone), ("in the flood", among)):
        worst = 1e3 * max(found)
        print(f"{name}: median {1e3 * statistics.median(found):.2f} ms, at worst {worst:.1f} ms")
    ratio = statistics.median(among) / statistics.median(alone)
    print(f"{ratio:.1f} times as long")


if __name__ == "__main__":
    main()
