"""A13: frames that are no WebSocket frames. Forty of them, each with its close code.

Against the bare server they are in tests/e2e/test_hostile_clients.py; here behind them is a csms
with its database, and no handler may have run.
"""

from __future__ import annotations

import struct
from pathlib import Path

from websockets.frames import Opcode

from tests.e2e.dialogue import csms_of, station, until
from tests.e2e.hostile import (
    BAD_FRAMES,
    BINARY,
    CALL,
    CLOSE,
    CONT,
    MASK,
    MAX_FRAME,
    PING,
    TEXT,
    Bad,
    RawClient,
    bare,
    masked,
)

PONG = Opcode.PONG
MORE = [
    Bad("all reserved bits", bytes([0xF1, 0x80]) + MASK, 1002),
    Bad("reserved opcode 4", bare(0x84, 0x80, MASK), 1002),
    Bad("reserved opcode 7", bare(0x87, 0x80, MASK), 1002),
    Bad("reserved opcode 12", bare(0x8C, 0x80, MASK), 1002),
    Bad("reserved opcode 15", bare(0x8F, 0x80, MASK), 1002),
    Bad("unmasked ping", bare(0x89, 0), 1002),
    Bad("unmasked close", bare(0x88, 2, b"\x03\xe8"), 1002),
    Bad("unmasked binary", bare(0x82, 1, b"x"), 1002),
    Bad("ping with a reserved bit", masked(PING, b"x", rsv=1), 1002),
    Bad("pong in parts", masked(PONG, b"", fin=False), 1002),
    Bad("close in parts", masked(CLOSE, b"\x03\xe8", fin=False), 1002),
    Bad("long pong", bare(0x8A, 0xFE, struct.pack("!H", 200) + MASK + b"x" * 200), 1002),
    Bad("long close", bare(0x88, 0xFE, struct.pack("!H", 126) + MASK + b"\x03\xe8" * 63), 1002),
    Bad("close code 0", masked(CLOSE, b"\x00\x00"), 1002),
    Bad("close code 1005", masked(CLOSE, struct.pack("!H", 1005)), 1002),
    Bad("close code 5000", masked(CLOSE, struct.pack("!H", 5000)), 1002),
    Bad("binary inside a text", masked(TEXT, b"[2,", fin=False) + masked(BINARY, CALL), 1002),
    Bad("end of nothing", masked(CONT, b""), 1002),
    Bad("a cut character", masked(TEXT, b"\xf0\x9f\x94"), 1007),
    Bad("a character too large", masked(TEXT, b"\xf4\x90\x80\x80"), 1007),
    Bad("oversize binary", masked(BINARY, b"x" * (MAX_FRAME + 1)), 1009),
]
FRAMES = [*BAD_FRAMES, *MORE]


def test_there_are_forty() -> None:
    assert len({frame.name for frame in FRAMES}) == len(FRAMES) >= 40


async def test_each_closes_its_own_socket_with_its_code_and_is_no_message(tmp_path: Path) -> None:
    async with (
        csms_of(tmp_path, station("A", "B"), max_frame_bytes=MAX_FRAME) as csms,
        csms.dial("B") as other,
    ):
        await other.boot()
        for bad in FRAMES:
            async with RawClient.to(csms.app.ocpp_url) as client:
                await client.upgrade("A")
                await client.say(bad.data)
                opcode, said = await client.frame()
                found = (opcode, struct.unpack("!H", said[:2])[0])
                assert (bad.name, found) == (bad.name, (CLOSE, bad.code))
        assert await other.told("Heartbeat", {})
        loop = csms.app.supervisor.loop_of("A")
        assert loop is not None
        await until(lambda: not loop.state.chargers["A"].connected)
        assert (await csms.get("/chargers/A/frames"))["frames"] == []
        assert csms.events("charger_booted") == ["B V M"]
