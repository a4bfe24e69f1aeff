"""A charger's WebSocket, held on a short leash.

`websockets` does the protocol (RFC 6455); this adds what a hostile or half-dead client calls for:
writes that never wait, a cap on what is buffered for a client that does not read, a cap on control
frames, and the time anything was last heard.
"""

from __future__ import annotations

import contextlib
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import structlog
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CTRL_OPCODES, Frame, Opcode
from websockets.protocol import SEND_EOF, Event, State
from websockets.server import ServerProtocol

from csms.control.attempts import source_of
from csms.control.buckets import TokenBucket
from csms.ports import Clock
from csms.protocol.arrivals import OpenSockets
from csms.protocol.auth import Visitor
from csms.protocol.connection import CLOSE_TRY_AGAIN
from csms.protocol.drain import CLOSE_RESTART

if TYPE_CHECKING:
    import asyncio

log = structlog.get_logger(__name__)

NOT_ITS_FAULT = frozenset({CLOSE_RESTART, CLOSE_TRY_AGAIN})
CONTROL_BURST_S = 3.0
"""So many seconds' worth of control frames may come at once."""


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one socket (safety.md A11, §3.2).

    Of control frames three seconds' worth may come at once. A client that takes nothing of
    what is buffered for it in `stuck_s` is dropped when it is next looked at: at the next frame
    either way, which is the next ping at the latest.
    """

    write_buffer_bytes: int = 256 * 1024
    control_frames_per_s: float = 10.0
    stuck_s: float = 10.0


@dataclass(frozen=True, slots=True)
class TlsEntry:
    """TLS of a socket, and how long its handshake and its end may take."""

    context: ssl.SSLContext
    handshake_s: float
    shutdown_s: float


def _nobody() -> None:
    """Tell nobody."""


class ChargerSocket(ServerConnection):
    """One accepted TCP connection, from before its handshakes to its end.

    asyncio's own TLS servers tell of a connection only when its TLS handshake is over, so that one
    which stalls there would be in no bound. TLS is therefore put on the connection here.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        server: Server,
        *,
        clock: Clock,
        limits: WireLimits,
        sockets: OpenSockets[ChargerSocket],
        tls: TlsEntry | None = None,
        **options: Any,
    ) -> None:
        super().__init__(protocol, server, **options)
        self._clock = clock
        self._limits = limits
        self._sockets = sockets
        self._tls = tls
        self._tcp: asyncio.Transport | None = None
        self._secured = False
        self._pings = 0
        now = clock.monotonic()
        rate = limits.control_frames_per_s
        self._control = TokenBucket(rate, CONTROL_BURST_S * rate, now)
        self._written = 0
        self._taken = 0
        self._taken_at = now
        self._was_empty = True
        self.heard_at = now
        """When any frame last came, monotonic seconds."""
        self.pong_seen = False
        """Whether this client answers pings (some never do, so that alone proves nothing)."""
        self.visitor: Visitor | None = None
        """Who this is, set when the handshake is let through."""
        self.on_closing: Callable[[], None] = _nobody
        """Called (more than once, perhaps) when the socket begins to close or is lost."""
        self.on_sent_away: Callable[[], None] = _nobody
        """Called when the socket is closed for no reason of the charger's."""

    # ------------------------------------------------------------------ for the shell above

    @property
    def open(self) -> bool:
        """Whether frames can still be written."""
        return self.state is State.OPEN

    async def receive(self) -> str | bytes | None:
        """The next message; None when the connection has ended."""
        try:
            return await self.recv()
        except ConnectionClosed:
            return None

    def write(self, text: str) -> None:
        """Write a text frame without waiting. Does nothing on a closing connection."""
        if self.state is State.OPEN:
            self.protocol.send_text(text.encode())
            self._flush()

    def write_ping(self) -> None:
        """Write a ping without waiting. Its pong counts as a frame heard."""
        if self.state is State.OPEN:
            self._pings += 1
            self.protocol.send_ping(self._pings.to_bytes(8, "big"))
            self._flush()

    def start_close(self, code: int, reason: str) -> None:
        """Write a close frame without waiting for the answer; `abort` when none comes."""
        if self.state is State.OPEN:
            self.protocol.send_close(code, reason)
            self._flush()
            if code in NOT_ITS_FAULT:
                self.on_sent_away()

    def abort(self) -> None:
        """Drop the TCP connection and everything buffered for it."""
        self.transport.abort()

    def send_data(self) -> None:
        """Write what the protocol has to say, in one piece and only while somebody may hear it.

        A thousand pongs one by one to a client that is gone would be a thousand warnings.
        """
        pieces = self.protocol.data_to_send()
        if self.transport.is_closing():
            return
        data = b"".join(pieces)
        if data:
            self._written += len(data)
            self.transport.write(data)
        if SEND_EOF in pieces:
            self._end_writing()

    def _end_writing(self) -> None:
        """Close our half, as the closing handshake ends (RFC 6455 §7.1.1); TLS has no halves."""
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):
                self.transport.write_eof()
        else:
            self.transport.close()

    def _flush(self) -> None:
        self.send_data()
        self._check_write_buffer()

    def _check_write_buffer(self) -> None:
        """A client that sends and never reads would otherwise grow the buffer without end."""
        size = self.transport.get_write_buffer_size()
        if size > self._limits.write_buffer_bytes and not self.transport.is_closing():
            log.warning("client_does_not_read", peer=str(self.remote_address), buffered_bytes=size)
            self.transport.abort()
        elif self._is_stuck(size) and not self.transport.is_closing():
            log.warning("client_takes_nothing", peer=str(self.remote_address), buffered_bytes=size)
            self.transport.abort()

    def _is_stuck(self, size: int) -> bool:
        """Whether nothing of what is buffered has gone for too long."""
        now = self._clock.monotonic()
        taken = self._written - size
        if size == 0 or self._was_empty or taken > self._taken:
            self._taken, self._taken_at = taken, now
        self._was_empty = size == 0
        return now - self._taken_at > self._limits.stuck_s

    # ------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TCP connection was accepted, or the TLS handshake on it is over."""
        if self._tcp is None:
            self._tcp = cast("asyncio.Transport", transport)
            self._arrive(self._tcp)
        else:
            self._secured = True
            super().connection_made(transport)

    def _arrive(self, tcp: asyncio.Transport) -> None:
        """A TCP connection was accepted. Beyond the bounds one is dropped at once."""
        if self._tls is None:
            super().connection_made(tcp)
        else:
            self._begin_tls(tcp, self._tls)
        peer = tcp.get_extra_info("peername")
        source = source_of(str(peer[0])) if peer else ""
        for each in self._sockets.arrived(self, source, self._clock.monotonic()):
            each.drop()

    def drop(self) -> None:
        """Drop the TCP connection, also in the middle of its TLS handshake."""
        if self._tcp is not None:
            self._tcp.abort()

    def _begin_tls(self, tcp: asyncio.Transport, tls: TlsEntry) -> None:
        over = self.loop.create_future()
        over.add_done_callback(self._tls_over)
        layer = SSLProtocol(
            self.loop,
            self,
            tls.context,
            over,
            server_side=True,
            ssl_handshake_timeout=tls.handshake_s,  # type: ignore[arg-type]  # takes any number
            ssl_shutdown_timeout=tls.shutdown_s,
        )
        tcp.set_protocol(layer)
        layer.connection_made(tcp)

    def _tls_over(self, over: asyncio.Future[None]) -> None:
        """The TLS handshake is over. Why one failed is told by `tls.watch`."""
        over.exception()  # asked for, so that asyncio does not complain that nobody did
        if not self._secured:
            self._sockets.gone(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        self._sockets.gone(self)
        super().connection_lost(exc)
        self.on_closing()

    def data_received(self, data: bytes) -> None:
        """Bytes came. Pongs they called for have been buffered when the check runs."""
        super().data_received(data)
        self._check_write_buffer()
        if self.state in (State.CLOSING, State.CLOSED):
            self.on_closing()

    def process_event(self, event: Event) -> None:
        """One request line or frame came."""
        if isinstance(event, Frame):
            self.heard_at = self._clock.monotonic()
            if event.opcode in CTRL_OPCODES:
                self._count_control(event)
        super().process_event(event)

    def _count_control(self, frame: Frame) -> None:
        owed_s = self._control.take(1, self.heard_at)
        if frame.opcode is Opcode.PONG:
            self.pong_seen = True
        if owed_s > 0 and not self.transport.is_closing():
            log.warning("too_many_control_frames", peer=str(self.remote_address))
            self.transport.abort()
