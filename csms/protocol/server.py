"""The WebSocket server chargers dial (OCPP-J 1.6 §3).

A handshake is decided on before the upgrade (`auth`); a socket is bounded (`wire`); from then on
the switchboard has it.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, Self, cast

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from csms.errors import StorageError
from csms.ports import Clock, Doorkeeper, FrameLog, Gate, Recorder
from csms.protocol import auth
from csms.protocol.arrivals import ArrivalPolicy, OpenSockets, Rate, come_again_s
from csms.protocol.auth import Refusal, Visitor
from csms.protocol.connection import Connection, ConnectionSettings
from csms.protocol.drain import CLOSE_RESTART, DrainPolicy, drain
from csms.protocol.framing import printable
from csms.protocol.redaction import redacted
from csms.protocol.switchboard import ServeAction, Switchboard, SwitchboardSettings
from csms.protocol.tls import certificate_names, watch
from csms.protocol.wire import ChargerSocket, TlsEntry, WireLimits

log = structlog.get_logger(__name__)

CLOSE_PROTOCOL = 1002
KEPT_FOR_SESSIONS = 0.1
"""The share of all connections that only chargers with a session may take."""

PROTOCOL_HEADER = "Sec-WebSocket-Protocol"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, and the bounds of it all.

    `accept_missing_subprotocol`: some chargers offer none and mean OCPP 1.6; OCPP-J 1.6 §3.1.2
    wants them closed. Of `max_connections` the last tenth is for chargers with a session; those in
    their handshake (`arrivals`) come on top.
    `port` None: not without TLS; `tls_port` None: not with it; `old_tls_port` None: not with TLS
    1.0, which is taken for no TLS (OCPP 1.6 security white paper, A00.FR.312).
    """

    host: str | None = None
    port: int | None = 9000
    tls_port: int | None = None
    tls: ssl.SSLContext | None = None
    old_tls_port: int | None = None
    old_tls: ssl.SSLContext | None = None
    accept_missing_subprotocol: bool = True
    max_connections: int = 2000
    arrivals: ArrivalPolicy = field(default_factory=ArrivalPolicy)
    open_timeout_s: float = 5.0
    backlog: int = 4096
    max_frame_bytes: int = 1 << 20
    rival_ping_s: float = 5.0
    wire: WireLimits = field(default_factory=WireLimits)
    connection: ConnectionSettings = field(default_factory=ConnectionSettings)
    drain: DrainPolicy = field(default_factory=DrainPolicy)


class ListenError(Exception):
    """A port cannot be listened on; `error` says why."""

    def __init__(self, port: int, error: OSError) -> None:
        super().__init__(f"port {port}: {error}")
        self.port = port
        self.error = error


class HasRoom(Protocol):
    """Whether there is memory for another connection."""

    def __call__(self, *, charging: bool) -> bool:
        """Whether there is; `charging`: of a charger with a session."""
        ...


def _always(*, charging: bool) -> bool:  # noqa: ARG001 - for all alike
    """There is room."""
    return True


class OcppServer:
    """Listens from `start` to `stop`; also an asynchronous context manager.

    `has_room` is asked before every connection.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clock: Clock,
        gate: Gate,
        door: Doorkeeper,
        recorder: Recorder,
        frames: FrameLog,
        serve_action: ServeAction,
        has_room: HasRoom = _always,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._door = door
        self._has_room = has_room
        self._switchboard = Switchboard(
            SwitchboardSettings(
                connection=replace(settings.connection, max_frame_chars=settings.max_frame_bytes),
                rival_ping_s=settings.rival_ping_s,
                caches_kept=2 * settings.max_connections,
            ),
            clock=clock,
            gate=gate,
            recorder=recorder,
            frames=frames,
            serve_action=serve_action,
        )
        most = settings.max_connections + settings.arrivals.opening
        self._sockets: OpenSockets[ChargerSocket] = OpenSockets(most, settings.arrivals)
        self._rate = Rate(settings.arrivals, clock.monotonic())
        self._gate = gate
        self._connections = 0
        self._plain: Server | None = None
        self._secure: Server | None = None
        self._old: Server | None = None

    # ------------------------------------------------------------------ for others

    @property
    def port(self) -> int:
        """The TCP port listened on without TLS. Raises RuntimeError when there is none."""
        return _port(self._plain)

    @property
    def tls_port(self) -> int:
        """The TCP port listened on with TLS. Raises RuntimeError when there is none."""
        return _port(self._secure)

    @property
    def old_tls_port(self) -> int:
        """The TCP port listened on with TLS 1.0 and later. Raises RuntimeError without one."""
        return _port(self._old)

    def connection(self, charger_id: str) -> Connection | None:
        """The charger's live, proven connection; None when there is none that can be used."""
        return self._switchboard.connection(charger_id)

    async def start(self) -> None:
        """Listen. Raises ListenError when an address cannot be used."""
        settings = self._settings
        try:
            if settings.port is not None:
                self._plain = await self._listen(settings.port)
            if settings.tls_port is not None and settings.tls is not None:
                self._secure = await self._listen(settings.tls_port, settings.tls)
            if settings.old_tls_port is not None and settings.old_tls is not None:
                self._old = await self._listen(settings.old_tls_port, settings.old_tls)
        except BaseException:
            await self.stop()
            raise

    async def _listen(self, port: int, context: ssl.SSLContext | None = None) -> Server:
        settings, tls = self._settings, None
        if context is not None:
            watch(context, functools.partial(self._door.turned_away, "tls_failed", ""))
            tls = TlsEntry(context, settings.open_timeout_s, settings.connection.close_timeout_s)
        new_socket = functools.partial(
            ChargerSocket, clock=self._clock, limits=settings.wire, sockets=self._sockets, tls=tls
        )
        listening = serve(
            self._on_socket,
            settings.host,
            port,
            process_request=self._on_request,
            select_subprotocol=_first,
            compression=None,  # OCPP-J 1.6 §5.1; also what a decompression bomb needs
            max_size=settings.max_frame_bytes,
            max_queue=(8, 2),
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.connection.close_timeout_s,
            ping_interval=None,  # `liveness` pings: a missing pong alone closes nothing
            ping_timeout=None,
            server_header=None,
            backlog=settings.backlog,
            create_connection=cast("type[ServerConnection]", new_socket),
        )
        try:
            listener = await listening
        except OSError as error:
            raise ListenError(port, error) from error
        log.info(
            "listening_for_chargers",
            port=_port(listener),
            tls=context is not None,
            old_tls=context is not None and context is settings.old_tls,
        )
        return listener

    async def drain(self) -> None:
        """Accept nobody any more, finish what is in work, close everybody a few at a time (1012).

        `stop` comes afterwards.
        """
        for listener in self._listeners():
            listener.close(close_connections=False)
        await asyncio.sleep(0)  # the listeners close in tasks of their own
        await drain(self._switchboard.connections, self._settings.drain, self._clock)

    async def stop(self) -> None:
        """Close every connection (1012: service restart), and return when all have ended."""
        listeners = self._listeners()
        self._plain = self._secure = self._old = None
        for listener in listeners:
            listener.close(code=CLOSE_RESTART, reason="restarting")
        for listener in listeners:
            await listener.wait_closed()

    def _listeners(self) -> list[Server]:
        return [one for one in (self._plain, self._secure, self._old) if one is not None]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # ------------------------------------------------------------------ before the upgrade

    async def _on_request(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse, or leave on the request just the subprotocol to agree on."""
        assert isinstance(socket, ChargerSocket)
        headers = request.headers
        if not self._has_place(charging=True):
            return self._refuse(socket, request, FULL)
        try:
            verdict = await self._admit(socket, request)
        except StorageError as error:
            log.warning("handshake_not_kept", peer=_address(socket), error=printable(str(error)))
            return self._refuse(socket, request, NOT_NOW)
        if isinstance(verdict, Refusal):
            return self._refuse(socket, request, verdict)
        # Only now: those who guess have bounds of their own, and take nobody's place.
        charging = self._gate.has_session(verdict.charger_id)
        if not self._has_place(charging=charging):
            return self._refuse(socket, request, FULL)
        if not self._rate.take(self._clock.monotonic(), charging=charging):
            return self._refuse(socket, request, NOT_NOW)
        self._door.came(verdict.charger_id, _address(socket))
        socket.visitor = verdict
        if headers.get_all(PROTOCOL_HEADER):
            del headers[PROTOCOL_HEADER]
        if verdict.subprotocol is not None:
            headers[PROTOCOL_HEADER] = verdict.subprotocol
        return None

    def _has_place(self, *, charging: bool) -> bool:
        most = self._settings.max_connections
        if not charging:
            most -= int(most * KEPT_FOR_SESSIONS)
        return self._connections < most and self._has_room(charging=charging)

    async def _admit(self, socket: ChargerSocket, request: Request) -> Visitor | Refusal:
        headers, unsafe = request.headers, (None, self._settings.old_tls)
        return await auth.admit(
            self._door,
            request.path,
            origins=headers.get_all("Origin"),
            protocols=headers.get_all(PROTOCOL_HEADER),
            address=_address(socket),
            authorizations=headers.get_all("Authorization"),
            secure=socket.transport.get_extra_info("sslcontext") not in unsafe,
            certificate=certificate_names(socket.transport.get_extra_info("peercert")),
        )

    def _refuse(self, socket: ChargerSocket, request: Request, refusal: Refusal) -> Response:
        log.debug(  # the doorkeeper tells of it, but not as often as an outsider likes
            "handshake_refused",
            peer=_address(socket),
            target=printable(redacted(request.path.partition("?")[0])),
            status=int(refusal.status),
        )
        response = socket.respond(refusal.status, refusal.text)
        if refusal.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = CHALLENGE
        elif refusal.status is HTTPStatus.TOO_MANY_REQUESTS:
            response.headers["Retry-After"] = RETRY_AFTER_S
        elif refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(come_again_s(request.path))
        return response

    # ------------------------------------------------------------------ after the upgrade

    async def _on_socket(self, socket: ServerConnection) -> None:
        """Serve one socket from its handshake to its end."""
        assert isinstance(socket, ChargerSocket)
        visitor = socket.visitor
        assert visitor is not None
        self._sockets.opened(socket)
        socket.on_sent_away = functools.partial(
            self._door.sent_away, visitor.charger_id, _address(socket)
        )
        if not self._speaks_ocpp(visitor):
            # The letter of OCPP-J 1.6 §3.1.2: finish the handshake without the header, then close.
            log.info("no_common_subprotocol", charger_id=visitor.charger_id)
            await socket.close(CLOSE_PROTOCOL, "subprotocol ocpp1.6 is needed")
            return
        if not visitor.offered:
            log.info("no_subprotocol_offered", charger_id=visitor.charger_id)
        self._connections += 1
        try:
            await self._switchboard.serve(socket, visitor.charger_id)
        finally:
            self._connections -= 1

    def _speaks_ocpp(self, visitor: Visitor) -> bool:
        if visitor.offered:
            return visitor.subprotocol is not None
        return self._settings.accept_missing_subprotocol


CHALLENGE = 'Basic realm="csms", charset="UTF-8"'
RETRY_AFTER_S = "60"
FULL = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections.\n")
NOT_NOW = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Not now.\n")


def _port(listener: Server | None) -> int:
    if listener is None:
        raise RuntimeError("the server is not listening")
    port: int = listener.sockets[0].getsockname()[1]
    return port


def _first(_socket: ServerConnection, offers: Sequence[Subprotocol]) -> Subprotocol | None:
    """Agree to what `_on_request` left on the request."""
    return offers[0] if offers else None


def _address(socket: ServerConnection) -> str:
    """The other side's IP address; empty when it is already gone."""
    peer = socket.remote_address
    return str(peer[0]) if peer else ""
