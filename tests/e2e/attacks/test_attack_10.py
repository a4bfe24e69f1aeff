"""A10: compression bombs.

200 MiB of zeros as 200 KB, as the row has it. csms agrees to no compression, so that a compressed
frame is a broken one.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import psutil

from tests.e2e.dialogue import csms_of, station
from tests.e2e.hostile import CLOSE, TEXT, RawClient, masked, request

MIB = 1 << 20
GROWTH_BYTES = 20 * MIB


def bomb(mebibytes: int) -> bytes:
    """A permessage-deflate frame that would become so much."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(deflate.compress(bytes(MIB)) for _ in range(mebibytes))
    packed += deflate.flush(zlib.Z_SYNC_FLUSH)
    return masked(TEXT, packed.removesuffix(b"\x00\x00\xff\xff"), rsv=1)


async def test_a_compressed_frame_is_not_unpacked(tmp_path: Path) -> None:
    data = bomb(200)
    assert len(data) < 300_000
    process = psutil.Process()
    async with csms_of(tmp_path, station("A", "B")) as csms, csms.dial("B") as other:
        await other.boot()
        before = process.memory_info().rss
        for offer in ("permessage-deflate", "permessage-deflate; client_no_context_takeover", "br"):
            async with RawClient.to(csms.app.ocpp_url) as client:
                await client.say(request("A", f"Sec-WebSocket-Extensions: {offer}"))
                answer = await client.reader.readuntil(b"\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 101 ")
                assert b"Sec-WebSocket-Extensions" not in answer
                await client.say(data)
                opcode, said = await client.frame()
                assert (opcode, struct.unpack("!H", said[:2])[0]) == (CLOSE, 1002)
        assert process.memory_info().rss - before < GROWTH_BYTES
        assert await other.told("Heartbeat", {})


async def test_a_compressed_handshake_body_is_not_read(tmp_path: Path) -> None:
    packed = zlib.compress(bytes(50 * MIB), 9)
    process = psutil.Process()
    async with csms_of(tmp_path, station("A")) as csms:
        before = process.memory_info().rss
        # The same towards the API: a body is taken as it comes.
        answer = await csms.api.post(
            "/stations/S/config",
            content=packed,
            headers={"Content-Encoding": "deflate", "Content-Type": "application/json"},
        )
        assert answer.status_code == 422
        assert json.loads(answer.text)["status"] == 422
        assert process.memory_info().rss - before < GROWTH_BYTES
