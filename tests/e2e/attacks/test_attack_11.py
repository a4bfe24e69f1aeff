"""A11: pings without reading the pongs, and clients that do not read at all.

The row asks for 60 s of pings, and to be dropped within a second; a test sends until it is dropped,
counts what was answered before, and looks that nobody else notices.
`tests/e2e/test_hostile_clients.py` floods for as long as one likes (HOSTILE_FLOOD_S) and watches
the memory.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from csms.protocol.pace import PacePolicy
from csms.protocol.wire import WireLimits
from tests.e2e.hostile import PING, SETTINGS, TEXT, Bench, boot, healthy, masked, raw_client

PINGS = 31
"""Three seconds' worth at 10/s, and one more."""


async def test_a_ping_flood_is_dropped_after_three_seconds_worth() -> None:
    bench = Bench()
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        async with raw_client(bench) as client:
            await client.upgrade()
            await client.say(masked(PING, b"x" * 125) * 5_000)
            async with asyncio.timeout(60):
                pongs = await client.rest()
            # What came before the limit may have been answered, nothing after it.
            assert len(pongs) <= PINGS * 127
        await healthy(good)


async def test_pings_as_they_should_be_are_answered() -> None:
    bench = Bench()
    async with bench.server, raw_client(bench) as client:
        await client.upgrade()
        await client.say(masked(PING, b"?") * 10)
        assert [await client.frame() for _ in range(10)] == [(0x0A, b"?")] * 10


async def test_a_client_that_does_not_read_its_answers_is_dropped() -> None:
    fast = replace(SETTINGS.connection, pace=PacePolicy(1e9, 1e9, 1e9, 1e9))
    settings = replace(SETTINGS, connection=fast, wire=WireLimits(write_buffer_bytes=65_536))
    bench = Bench(settings)
    frame = masked(TEXT, b'[2,"%s","Unknown",{}]' % (b"i" * 200))
    async with bench.server, bench.dial("GOOD") as good:
        await boot(good)
        async with raw_client(bench) as client:
            await client.upgrade()
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001
            async with asyncio.timeout(10):
                while not client.writer.is_closing():
                    await client.say(frame * 1_000)
                    await asyncio.sleep(0)
        await healthy(good)
