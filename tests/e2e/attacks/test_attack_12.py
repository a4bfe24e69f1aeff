"""A12, of TLS: handshakes that are never finished.

Those of HTTP are in tests/e2e/test_hostile_clients.py. The row asks for 5,000; a test takes 300, as
many as any limit of open files allows.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.e2e.secured import KEY, basic, client_tls, secured

HALF_OPEN = 300
HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(32)


async def test_half_open_tls_keeps_no_charger_waiting_and_is_dropped(tmp_path: Path) -> None:
    async with secured(tmp_path) as csms:
        await csms.secure("CP001", 2, key=KEY)
        assert csms.app.ocpp_tls_url is not None
        host, _, port = csms.app.ocpp_tls_url.split("/")[2].rpartition(":")
        stalled = []
        for number in range(HALF_OPEN):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(HELLO[: number % len(HELLO)])
            stalled.append((reader, writer))
        async with asyncio.timeout(60):
            assert await csms.outcome("CP001", basic("CP001", KEY), client_tls()) == (101, b"")
            # None of them had anything to say, and none is left.
            for reader, writer in stalled:
                await drained(reader)
                writer.close()


async def drained(reader: asyncio.StreamReader) -> None:
    """Read to the end, whichever way it comes."""
    try:
        await reader.read()
    except ConnectionError:
        return
