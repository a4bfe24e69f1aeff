"""What the tests of hostile clients are made of: a server, a client by hand, and bad bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from csms.control.clock import SystemClock
from csms.protocol.connection import ConnectionSettings
from csms.protocol.server import OcppServer, ServerSettings
from csms.protocol.switchboard import ServeAction
from csms.station.facts import ChargerConnected, ChargerDisconnected
from tests.unit.csms.protocol.fakes import KeptFacts, KeptFrames, OpenDoor, OpenGate, serve_action

MAX_FRAME = 65536
OCPP = [Subprotocol("ocpp1.6")]
BOOT = '[2,"b","BootNotification",{}]'
HEARTBEAT = '[2,"h","Heartbeat",{}]'
MASK = b"\x00\x00\x00\x00"

SETTINGS = ServerSettings(
    host="127.0.0.1",
    port=0,
    max_frame_bytes=MAX_FRAME,
    open_timeout_s=1.0,
    rival_ping_s=0.3,
    connection=ConnectionSettings(boot_quiet_s=0.01, no_boot_wait_s=0.3, close_timeout_s=0.5),
)


class Bench:
    """A server on a free port, with what it was asked and what it recorded."""

    def __init__(
        self, settings: ServerSettings = SETTINGS, serve: ServeAction = serve_action
    ) -> None:
        clock = SystemClock()
        self.recorder = KeptFacts(clock)
        gate = OpenGate()
        self.door = OpenDoor(gate)
        self.server = OcppServer(
            settings,
            clock=clock,
            gate=gate,
            door=self.door,
            recorder=self.recorder,
            frames=KeptFrames(),
            serve_action=serve,
        )

    def dial(self, identity: str = "CP1", **options: Any) -> connect:
        url = f"ws://127.0.0.1:{self.server.port}/ocpp/{identity}"
        options.setdefault("subprotocols", OCPP)
        return connect(url, compression=None, **options)

    def changes(self, charger_id: str = "CP1") -> list[type]:
        facts = self.recorder.facts
        return [
            type(f)
            for f in facts
            if isinstance(f, (ChargerConnected, ChargerDisconnected)) and f.charger_id == charger_id
        ]


async def until(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Wait, for a while at most, until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def boot(charger: ClientConnection) -> None:
    await charger.send(BOOT)
    assert json.loads(await charger.recv())[0] == 3


async def healthy(charger: ClientConnection) -> None:
    """One exchange, which must go as if nothing had happened."""
    async with asyncio.timeout(5):
        await charger.send(HEARTBEAT)
        assert json.loads(await charger.recv())[:2] == [3, "h"]


# ---------------------------------------------------------------------------- a client by hand


class RawClient:
    """A TCP connection on which anything can be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[RawClient]:
        """A client of the server at this `ws://HOST:PORT/…`."""
        host, _, port = url.split("/")[2].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.timeout(20):
                yield cls(reader, writer)
        finally:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def upgrade(self, identity: str = "RAW") -> None:
        self.writer.write(request(identity))
        answer = await self.reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server: opcode and data."""
        head = await self.reader.readexactly(2)
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        return head[0] & 0x0F, await self.reader.readexactly(size)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read(-1)
        return b""


def request(identity: str = "RAW", *more: str) -> bytes:
    lines = [
        f"GET /ocpp/{identity} HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def raw_client(bench: Bench) -> AsyncIterator[RawClient]:
    async with RawClient.to(f"ws://127.0.0.1:{bench.server.port}/ocpp") as client:
        yield client


def masked(opcode: Opcode, data: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """A client's frame, with whatever is wrong about it; masked with zeros, so data stays data."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([fin << 7 | (0x80 >> rsv if rsv else 0) | opcode]) + length + MASK + data


def bare(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes([first, second]) + rest


TEXT, BINARY, CONT, PING, CLOSE = (
    Opcode.TEXT,
    Opcode.BINARY,
    Opcode.CONT,
    Opcode.PING,
    Opcode.CLOSE,
)
CALL = HEARTBEAT.encode()


# ---------------------------------------------------------------------------- malformed frames


@dataclass(frozen=True)
class Bad:
    """Bytes after the handshake, and the WebSocket close code they must lead to."""

    name: str
    data: bytes
    code: int


BAD_FRAMES = [
    Bad("unmasked", bare(0x81, len(CALL), CALL), 1002),
    Bad("first reserved bit", masked(TEXT, CALL, rsv=1), 1002),
    Bad("second reserved bit", masked(TEXT, CALL, rsv=2), 1002),
    Bad("third reserved bit", masked(TEXT, CALL, rsv=3), 1002),
    Bad("reserved data opcode", bare(0x83, 0x80, MASK), 1002),
    Bad("reserved control opcode", bare(0x8B, 0x80, MASK), 1002),
    Bad("bad UTF-8", masked(TEXT, b'[2,"a","X",{"k":"\xff"}]'), 1007),
    Bad("overlong UTF-8", masked(TEXT, b'"\xc0\xaf"'), 1007),
    Bad("a surrogate in UTF-8", masked(TEXT, b'"\xed\xa0\x80"'), 1007),
    Bad("bad UTF-8 across frames", masked(TEXT, b"\xe2", fin=False) + masked(CONT, b"x"), 1007),
    Bad("oversize announced", bare(0x81, 0xFF, struct.pack("!Q", 2**40) + MASK), 1009),
    Bad("oversize sent", masked(TEXT, b"x" * (MAX_FRAME + 1)), 1009),
    Bad(
        "oversize in parts",
        masked(TEXT, b"x" * MAX_FRAME, fin=False) + masked(CONT, b"x"),
        1009,
    ),
    Bad("negative length", bare(0x81, 0xFF, b"\xff" * 8 + MASK), 1009),
    Bad(
        "parts without end",
        masked(TEXT, b"", fin=False) + masked(CONT, b"", fin=False) * 5000,
        1009,
    ),
    Bad("long control frame", bare(0x89, 0xFE, struct.pack("!H", 126) + MASK + b"x" * 126), 1002),
    Bad("control frame in parts", masked(PING, b"", fin=False), 1002),
    Bad("continuation of nothing", masked(CONT, CALL), 1002),
    Bad("text inside a text", masked(TEXT, b"[2,", fin=False) + masked(TEXT, CALL), 1002),
    Bad("close inside a text", masked(TEXT, b"[2,", fin=False) + masked(CLOSE, b"\x03\xe8"), 1002),
    Bad("close of one byte", masked(CLOSE, b"\x03"), 1002),
    Bad("close code 999", masked(CLOSE, struct.pack("!H", 999)), 1002),
    Bad("close code 1006", masked(CLOSE, struct.pack("!H", 1006)), 1002),
    Bad("close reason not UTF-8", masked(CLOSE, b"\x03\xe8\xff"), 1007),
]


@dataclass(frozen=True)
class Odd:
    """A well-formed WebSocket frame with something else than OCPP-J in it.

    `answer` is the beginning of what the server must answer, None for nothing.
    """

    name: str
    data: bytes
    answer: str | None = None
    opcode: Opcode = TEXT


def violation(message_id: str = "a") -> str:
    return f'[4,"{message_id}","FormationViolation",'


NOT_IMPLEMENTED = '[4,"a","NotImplemented",'

ODD_FRAMES = [
    Odd("empty", b""),
    Odd("white", b" \r\n\t"),
    Odd("not JSON", b"hello"),
    Odd("an object", b'{"type":2}'),
    Odd("a number", b"2"),
    Odd("null", b"null"),
    Odd("an empty list", b"[]"),
    Odd("a type alone", b"[2]"),
    Odd("a number as id", b'[2,7,"Heartbeat",{}]'),
    Odd("an id without end", f'[2,"{"i" * 300}","Heartbeat",{{}}]'.encode()),
    Odd("an unknown type", b'[9,"a",{}]'),
    Odd("a list as type", b'[[2],"a","Heartbeat",{}]'),
    Odd("truncated", b'[2,"a","Heartbeat",{"k":[1,', '[3,"a",{'),
    Odd("an empty value", b'[2,"a","StatusNotification",{"errorCode":,}]', '[3,"a",{'),
    Odd("a report beyond repair", b'[2,"a","MeterValues",{"k" 1}]', '[3,"a",{}]'),
    Odd("a request beyond repair", b'[2,"a","StopTransaction",{"k" 1}]', violation()),
    Odd("three elements", b'[2,"a","Heartbeat"]', '[3,"a",{'),
    Odd("five elements", b'[2,"a","Heartbeat",{},{}]', '[3,"a",{'),
    Odd("a number as action", b'[2,"a",7,{}]', violation()),
    Odd("a list as action", b'[2,"a",[],{}]', violation()),
    Odd("deep lists", b'[2,"a","X",' + b"[" * 30_000 + b"]" * 30_000 + b"]", violation()),
    Odd("deep objects", b'[2,"a","X",' + b'{"k":' * 12_000, violation()),
    Odd("NaN", b'[2,"a","X",{"k":NaN}]', NOT_IMPLEMENTED),
    Odd("infinity", b'[2,"a","X",{"k":1e999}]', NOT_IMPLEMENTED),
    Odd("a very long integer", b'[2,"a","X",{"k":' + b"9" * 50_000 + b"}]", NOT_IMPLEMENTED),
    Odd("an unclosed string", b'[2,"a","X","' + b"\\n" * 30_000, NOT_IMPLEMENTED),
    Odd("an unknown action", b'[2,"a","DropTables",{}]', NOT_IMPLEMENTED),
    Odd("an action of controls", b'[2,"a","\\u001b[2J\\r\\n",{}]', NOT_IMPLEMENTED),
    Odd("a lone surrogate as id", b'[2,"\\ud800","X",{}]', '[4,"\\ufffd","NotImplemented",'),
    Odd("an answer to nothing", b'[3,"forged",{"status":"Accepted"}]'),
    Odd("an error to nothing", b'[4,"forged"]'),
    Odd("binary that is not text", b"\x00\xff\xfe", None, BINARY),
    Odd("binary with a mark", b'\xef\xbb\xbf[2,"a","X",{}]', NOT_IMPLEMENTED, BINARY),
]

BAD_HANDSHAKES = {
    "not HTTP": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS": bytes.fromhex("160301010001000000") + b"\x00" * 64 + b"\r\n\r\n",
    "HTTP/1.0": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "POST": request().replace(b"GET", b"POST"),
    "bare line feeds": request().replace(b"\r\n", b"\n"),
    "a raw space": request("a b"),
    "a long line": request("x" * 100_000),
    "a long header": request("RAW", f"X: {'x' * 100_000}"),
    "many headers": request("RAW", *(f"X-{i}: x" for i in range(1000))),
    "no upgrade": request().replace(b"Upgrade: websocket\r\n", b""),
    "no key": request().replace(b"Sec-WebSocket-Key", b"X-Key"),
    "a short key": request().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"eA=="),
    "an old version": request().replace(b"Version: 13", b"Version: 8"),
    "no identity": request().replace(b"/ocpp/RAW", b"//"),
    "a path upwards": request("%2e%2e"),
    "a path with a NUL": request("CP%00"),
    "a broken escape": request("CP%zz"),
}
