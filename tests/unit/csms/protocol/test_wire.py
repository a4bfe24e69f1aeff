from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.server import Server
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from csms.protocol.arrivals import OpenSockets
from csms.protocol.wire import ChargerSocket, WireLimits
from tests.unit.csms.protocol.fakes import LoopClock, pass_time, virtual


class FakeTransport(asyncio.Transport):
    """Buffers what is written; nothing is ever read by the other side."""

    def __init__(self) -> None:
        super().__init__()
        self.buffered = bytearray()
        self.aborted = False
        self.eof = False
        self.halves = True

    def write(self, data: Any) -> None:
        self.buffered += data

    def get_write_buffer_size(self) -> int:
        return len(self.buffered)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Keep no limits."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.0.1", 1234) if name == "peername" else default

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def can_write_eof(self) -> bool:
        return self.halves

    def close(self) -> None:
        self.aborted = True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        """Go on."""

    def resume_reading(self) -> None:
        """Go on."""


class Bench:
    """A socket after its handshake, and the client's side of the protocol without a network."""

    def __init__(
        self, limits: WireLimits | None = None, sockets: OpenSockets[ChargerSocket] | None = None
    ) -> None:
        async def handler(_connection: object) -> None:
            """Do nothing: nobody serves this socket."""

        async def no_server() -> asyncio.Server:
            raise AssertionError

        self.sockets: OpenSockets[ChargerSocket] = sockets or OpenSockets(10)
        self.closings = 0
        self.socket = ChargerSocket(
            ServerProtocol(),
            Server(no_server, handler),
            clock=LoopClock(),
            limits=limits or WireLimits(),
            sockets=self.sockets,
            ping_interval=None,
        )
        self.socket.on_closing = self.note_closing
        self.transport = FakeTransport()
        self.socket.connection_made(self.transport)
        self.client = ClientProtocol(parse_uri("ws://charger/CP1"))

    def note_closing(self) -> None:
        self.closings += 1

    def pong_seen(self) -> bool:
        return self.socket.pong_seen

    def can_write(self) -> bool:
        return self.socket.open

    async def shake_hands(self) -> None:
        self.client.send_request(self.client.connect())
        self.deliver()
        await pass_time()
        request = self.socket.request
        assert request is not None
        self.socket.protocol.send_response(self.socket.protocol.accept(request))
        self.socket.send_data()
        self.read()

    def deliver(self) -> None:
        """Bring what the client wrote to the socket."""
        self.socket.data_received(b"".join(self.client.data_to_send()))

    def read(self) -> list[Frame]:
        """Read what the socket wrote, as the client would."""
        if self.transport.buffered:
            self.client.receive_data(bytes(self.transport.buffered))
        self.transport.buffered.clear()
        return [e for e in self.client.events_received() if isinstance(e, Frame)]


@virtual
async def test_text_goes_out_and_comes_in() -> None:
    bench = Bench()
    await bench.shake_hands()
    bench.socket.write("héllo")
    assert [(f.opcode, bytes(f.data)) for f in bench.read()] == [(Opcode.TEXT, "héllo".encode())]
    bench.client.send_text(b"one")
    bench.client.send_binary(b"two")
    bench.deliver()
    assert [await bench.socket.receive(), await bench.socket.receive()] == ["one", b"two"]


@virtual
async def test_any_frame_is_heard_and_a_pong_is_remembered() -> None:
    bench = Bench()
    await bench.shake_hands()
    await pass_time(5.0)
    bench.client.send_text(b"x")
    bench.deliver()
    assert bench.socket.heard_at == pytest.approx(5.0, abs=0.1)
    assert not bench.pong_seen()
    bench.socket.write_ping()
    await pass_time(5.0)
    assert [f.opcode for f in bench.read()] == [Opcode.PING]
    bench.deliver()
    assert bench.pong_seen()
    assert bench.socket.heard_at == pytest.approx(10.0, abs=0.1)


@virtual
async def test_a_client_that_does_not_read_what_is_written_is_dropped() -> None:
    bench = Bench(WireLimits(write_buffer_bytes=10_000))
    await bench.shake_hands()
    for _ in range(9):
        bench.socket.write("x" * 1000)
    assert not bench.transport.aborted
    bench.socket.write("x" * 1000)
    assert bench.transport.aborted


@virtual
async def test_a_client_that_does_not_read_its_pongs_is_dropped() -> None:
    bench = Bench(WireLimits(write_buffer_bytes=10_000, control_frames_per_s=1e9))
    await bench.shake_hands()
    for _ in range(70):
        bench.client.send_ping(b"x" * 125)
    bench.deliver()
    assert not bench.transport.aborted
    for _ in range(10):
        bench.client.send_ping(b"x" * 125)
    bench.deliver()
    assert bench.transport.aborted


@virtual
async def test_control_frames_have_a_rate_and_a_burst() -> None:
    bench = Bench(WireLimits(control_frames_per_s=10.0))
    await bench.shake_hands()
    for _ in range(20):
        for _ in range(10):
            bench.client.send_ping(b"")
        bench.deliver()
        bench.read()
        await pass_time(1.0)
    assert not bench.transport.aborted
    for _ in range(31):
        bench.client.send_ping(b"")
    bench.deliver()
    assert bench.transport.aborted


@virtual
async def test_a_close_is_written_without_waiting() -> None:
    bench = Bench()
    await bench.shake_hands()
    assert bench.can_write()
    bench.socket.start_close(1008, "replaced")
    (close,) = bench.read()
    assert Close.parse(close.data) == Close(1008, "replaced")
    assert not bench.can_write()
    bench.socket.write("late")
    bench.socket.write_ping()
    bench.socket.start_close(1008, "again")
    assert bench.read() == []


@virtual
@pytest.mark.parametrize(("code", "told"), [(1000, 0), (1008, 0), (1012, 1), (1013, 1)])
async def test_a_close_that_is_not_the_chargers_fault_is_told_once(code: int, told: int) -> None:
    bench = Bench()
    calls: list[None] = []
    bench.socket.on_sent_away = lambda: calls.append(None)
    await bench.shake_hands()
    bench.socket.start_close(code, "restarting")
    bench.socket.start_close(code, "again")
    assert len(calls) == told


@virtual
async def test_a_close_of_the_chargers_own_is_its_own() -> None:
    bench = Bench()
    bench.socket.on_sent_away = lambda: pytest.fail("nobody sent it away")
    await bench.shake_hands()
    bench.client.send_close(1013)
    bench.deliver()
    assert not bench.can_write()


@virtual
async def test_whoever_serves_the_socket_hears_of_its_end() -> None:
    bench = Bench()
    await bench.shake_hands()
    assert bench.closings == 0
    bench.client.send_close(1000)
    bench.deliver()
    assert bench.closings == 1
    bench.socket.connection_lost(None)
    assert bench.closings == 2
    assert await bench.socket.receive() is None


@virtual
async def test_a_closing_handshake_ends_our_half_or_the_whole_where_there_are_no_halves() -> None:
    plain, tls = Bench(), Bench()
    tls.transport.halves = False
    for bench in (plain, tls):
        await bench.shake_hands()
        bench.client.send_close(1000)
        bench.deliver()
    assert (plain.transport.eof, plain.transport.aborted) == (True, False)
    assert (tls.transport.eof, tls.transport.aborted) == (False, True)


@virtual
async def test_a_client_that_takes_nothing_for_a_while_is_dropped() -> None:
    bench = Bench(WireLimits(stuck_s=10.0))
    await bench.shake_hands()
    bench.socket.write("one")
    await pass_time(9.0)
    bench.socket.write("two")
    assert not bench.transport.aborted
    await pass_time(2.0)
    bench.socket.write_ping()
    assert bench.transport.aborted


@virtual
async def test_a_client_that_takes_its_time_is_kept() -> None:
    bench = Bench(WireLimits(stuck_s=10.0))
    await bench.shake_hands()
    await pass_time(100.0)
    for _ in range(5):
        bench.socket.write("x" * 100)
        await pass_time(9.0)
        del bench.transport.buffered[:50]
        bench.socket.write_ping()
        assert not bench.transport.aborted
    bench.transport.buffered.clear()
    await pass_time(100.0)
    bench.socket.write("one")
    assert not bench.transport.aborted


@virtual
async def test_nothing_is_written_to_a_client_that_is_gone() -> None:
    bench = Bench()
    await bench.shake_hands()
    bench.transport.abort()
    bench.socket.write("late")
    assert bench.transport.buffered == b""


@virtual
async def test_abort_drops_the_connection() -> None:
    bench = Bench()
    bench.socket.abort()
    assert bench.transport.aborted


@virtual
async def test_sockets_are_counted_and_those_too_many_dropped() -> None:
    sockets: OpenSockets[ChargerSocket] = OpenSockets(2)
    benches = [Bench(sockets=sockets) for _ in range(3)]
    assert sockets.count == 3
    assert [b.transport.aborted for b in benches] == [False, False, True]
    benches[2].socket.connection_lost(None)
    benches[0].socket.connection_lost(None)
    assert sockets.count == 1
    assert not Bench(sockets=sockets).transport.aborted
