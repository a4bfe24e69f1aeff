"""The composition root: builds everything from the configuration. The only module that sees all."""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
import uvicorn
from fastapi import FastAPI

from csms.api.app import create_api
from csms.balancing.demand import DemandPolicy
from csms.config import Config
from csms.control import memory
from csms.control.attempts import AttemptLimits
from csms.control.boots import BootPolicy
from csms.control.clock import SystemClock
from csms.control.doorkeeper import DoorKeeper, DoorSettings
from csms.control.reconnects import ReconnectLimits
from csms.control.recorder import RecorderSettings
from csms.control.registration import RegistrationSettings
from csms.control.security import Security
from csms.control.signing import Sign
from csms.control.station_loop import LoopSettings
from csms.control.supervisor import Supervisor, SupervisorSettings, UnknownChargers
from csms.control.vitals import Vitals, VitalsPolicy
from csms.control.watchdog import Watchdog
from csms.dispatch.commands import SetLimit
from csms.dispatch.policy import DispatchPolicy
from csms.errors import ConfigError
from csms.ports import Answer, Clock, SecurityProfile, Store
from csms.protocol.arrivals import ArrivalPolicy
from csms.protocol.certificates import CertificateAuthority, Subject
from csms.protocol.connection import Connection, ConnectionSettings
from csms.protocol.drain import DrainPolicy
from csms.protocol.exposure import Exposure, exposure
from csms.protocol.link import OcppLink
from csms.protocol.liveness import LivenessSettings
from csms.protocol.ocpp16 import routes
from csms.protocol.pace import PacePolicy
from csms.protocol.server import ListenError, OcppServer, ServerSettings
from csms.protocol.tls import TlsSettings, old_context, server_context
from csms.protocol.wire import WireLimits
from csms.station.model import Station
from csms.station.units import kw_to_w
from csms.storage import SecretFile, SqlSettings, SqlStore
from csms.storage.writer import WriterSettings

log = structlog.get_logger(__name__)

API_CONNECTIONS = 500
API_DRAIN_S = 5
DAY_S = 86_400.0
MEGABYTE = 1_000_000
CONNECTION_BYTES = 32 * 1024
TLS_CONNECTION_BYTES = 320 * 1024
"""What a connection may take: measured at 14 KiB, and at 289 KiB with TLS (performance.md)."""

STALE_INTERVALS = 3
"""A reading says nothing once this many meter intervals have passed without another one."""


@dataclass(frozen=True, slots=True)
class App:
    """A running csms: where it is reached, and what runs in it.

    `ocpp_url` is without TLS where both are served; `ocpp_tls_url` None: not with TLS.
    """

    ocpp_url: str
    ocpp_tls_url: str | None
    api_url: str
    supervisor: Supervisor
    store: Store


@asynccontextmanager
async def running(
    config: Config,
    stations: Sequence[Station],
    *,
    store: Store | None = None,
    watchdog: Watchdog | None = None,
) -> AsyncIterator[App]:
    """Run csms until the block is left; then stop in order: chargers, API, stations, database.

    `store` None means the database of the configuration. `watchdog` ends the process when the loop
    stands still; None where it is not ours to end. Raises ConfigError when an address cannot be
    listened on, StorageError when the database cannot be used.
    """
    clock = SystemClock()
    kept = _store(config, clock) if store is None else store
    with _single_errors(), _listening(config.api_host, config.api_port, "api_port") as listener:
        await kept.open()
        try:
            parts = _built(config, stations, kept, clock, watchdog or Watchdog(0))
            supervisor, server, vitals = parts.supervisor, parts.server, parts.vitals
            api = create_api(supervisor, kept, parts.security.desk, vitals)
            async with (
                supervisor.running(),
                _looking(parts),
                _reminding(parts.door, config),
                _serving_api(api, listener),
                _serving_chargers(server, config, vitals),
            ):
                app = App(
                    *_ocpp_urls(server, config),
                    f"http://{_authority(config.api_host, listener.getsockname()[1])}",
                    supervisor,
                    kept,
                )
                log.info("running", ocpp=app.ocpp_url, api=app.api_url)
                yield app
        finally:
            await kept.close()
    log.info("stopped")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What runs inside a csms."""

    supervisor: Supervisor
    security: Security
    door: DoorKeeper
    server: OcppServer
    vitals: Vitals
    watchdog: Watchdog


def _built(
    config: Config, stations: Sequence[Station], kept: Store, clock: Clock, watchdog: Watchdog
) -> _Parts:
    wiring = _Wiring()
    link = OcppLink(wiring.connection, wiring, clock, frozenset(config.file_hosts))
    secret = SecretFile(config.key_secret_file)
    security = Security(
        store=kept,
        secret=secret,
        link=link,
        clock=clock,
        sign=signer(config),
        highest=highest_profile(config),
    )
    supervisor = Supervisor(
        stations,
        store=kept,
        link=link,
        clock=clock,
        settings=supervisor_settings(config),
        security=security,
        sheds=wiring.sheds,
    )
    told = functools.partial(link.disconnect, reason="it has a new key")
    door = DoorKeeper(supervisor, security.book, kept, clock, door_settings(config), told)
    settings = server_settings(config)
    vitals = Vitals(
        kept,
        clock,
        replayed=supervisor.healthy,
        resident=memory.resident_bytes,
        policy=vitals_policy(config, settings.max_connections),
        on_beat=watchdog.beat,
    )
    server = OcppServer(
        settings,
        clock=clock,
        gate=supervisor,
        door=door,
        recorder=supervisor.recorder,
        frames=kept,
        serve_action=routes.serve,
        has_room=vitals.takes_more,
    )
    wiring.supervisor, wiring.server, wiring.vitals = supervisor, server, vitals
    return _Parts(supervisor, security, door, server, vitals, watchdog)


class _Wiring:
    """The link needs the server and the supervisor, and both need the link; so with the vitals."""

    server: OcppServer
    supervisor: Supervisor
    vitals: Vitals

    def connection(self, charger_id: str) -> Connection | None:
        return self.server.connection(charger_id)

    def sheds(self) -> bool:
        return self.vitals.sheds()

    def late_answer(self, command: SetLimit, answer: Answer) -> None:
        self.supervisor.late_answer(command, answer)


# ------------------------------------------------------------------------------ settings


def supervisor_settings(config: Config) -> SupervisorSettings:
    """What the stations take from the configuration."""
    unknown = None
    if config.unknown_chargers == "accept":
        unknown = UnknownChargers(
            kw_to_w(config.unknown_charger_max_power_kw), config.unknown_charger_connectors
        )
    return SupervisorSettings(
        default_station=config.default_station,
        unknown_chargers=unknown,
        remote_timeout_s=config.remote_start_timeout_s,
        demand=DemandPolicy(
            grace_s=config.grace_s,
            dead_band_w=config.dead_band_w,
            raise_spacing_s=config.raise_spacing_s,
            stale_s=max(DemandPolicy().stale_s, STALE_INTERVALS * config.meter_interval_s),
        ),
        loop=LoopSettings(
            dispatch=DispatchPolicy(
                dead_band_w=config.dead_band_w,
                raise_spacing_s=config.raise_spacing_s,
                registration_grace_s=config.registration_grace_s,
                lease_s=config.lease_s,
                clock_skew_s=config.clock_skew_s,
            ),
            registration=RegistrationSettings(
                meter_interval_s=config.meter_interval_s,
                tokens_offline=config.unknown_id_tokens == "accept",
            ),
        ),
        recorder=RecorderSettings(
            heartbeat_interval_s=config.heartbeat_interval_s,
            boots=BootPolicy(config.handshakes_per_s, config.handshakes_burst),
            accept_unknown_tokens=config.unknown_id_tokens == "accept",
            id_tokens=frozenset(config.id_tokens),
            free_vend_token=config.free_vend_id_token,
        ),
    )


def door_settings(config: Config) -> DoorSettings:
    """Who may come in. Raises ConfigError when anybody could come from anywhere."""
    try:
        reach = exposure(config.ocpp_host)
    except OSError as error:
        raise _cannot_listen(config.ocpp_host, config.ocpp_port, "ocpp_host", error) from None
    anonymous = config.anonymous_chargers
    if anonymous == "accept" and reach is Exposure.PUBLIC:
        what = (
            f"is accept, but ocpp_host is {config.ocpp_host}, which anybody may reach: "
            "listen on one private address, or give the chargers keys"
        )
        raise ConfigError("csms", [("anonymous_chargers", what)])
    return DoorSettings(
        anonymous=anonymous == "accept" or (anonymous == "loopback" and reach is Exposure.LOOPBACK),
        organisation=config.tls_client_organisation,
        attempts=AttemptLimits(
            config.failures_per_source_per_min, config.failures_per_charger_per_min
        ),
        reconnects=ReconnectLimits(
            per_min=config.reconnects_per_min, per_h=config.reconnects_per_h
        ),
    )


def highest_profile(config: Config) -> SecurityProfile:
    """The highest security profile with which a charger can come."""
    if config.ocpp_transport == "plain":
        return SecurityProfile.BASIC
    if config.tls_client_ca_file is None:
        return SecurityProfile.TLS_BASIC
    return SecurityProfile.MUTUAL_TLS


def tls_contexts(config: Config) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """TLS towards chargers, and the old one; None where it is not served.

    Raises ConfigError when a file cannot be used.
    """
    pairs = list(zip(config.tls_certificate_files, config.tls_key_files, strict=True))
    settings = TlsSettings(pairs, config.tls_client_ca_file)
    return (
        None if config.ocpp_transport == "plain" else server_context(settings),
        None if config.ocpp_old_tls_port is None else old_context(settings),
    )


def signer(config: Config) -> Sign | None:
    """What signs certificates of chargers, None without a CA key. Raises ConfigError."""
    if config.tls_client_ca_file is None or config.tls_client_ca_key_file is None:
        return None
    try:
        certificate = config.tls_client_ca_file.read_bytes()
        key = config.tls_client_ca_key_file.read_bytes()
    except OSError as error:
        raise ConfigError("csms", [("tls_client_ca_key_file", str(error))]) from None
    authority = CertificateAuthority.load(certificate, key)

    def sign(request_pem: str, common_name: str, now: float) -> str:
        subject = Subject(common_name, config.tls_client_organisation or "")
        return authority.sign_request(request_pem, subject, now)

    return sign


def server_settings(config: Config) -> ServerSettings:
    """What the websocket server takes from the configuration. Raises ConfigError."""
    ports = charger_ports(config)
    tls, old_tls = tls_contexts(config)
    return ServerSettings(
        host=config.ocpp_host,
        port=ports.get("ocpp_port"),
        tls_port=ports.get("ocpp_tls_port"),
        tls=tls,
        old_tls_port=ports.get("ocpp_old_tls_port"),
        old_tls=old_tls,
        max_frame_bytes=config.max_frame_bytes,
        max_connections=config.max_connections,
        arrivals=ArrivalPolicy(
            per_s=config.handshakes_per_s,
            burst=config.handshakes_burst,
            opening=config.handshakes_open,
            slow_per_source=config.slow_handshakes_per_source,
        ),
        wire=WireLimits(write_buffer_bytes=config.write_buffer_bytes),
        connection=ConnectionSettings(
            call_timeout_s=config.call_timeout_s,
            call_gap_s=config.call_gap_s,
            boot_quiet_s=config.boot_quiet_s,
            no_boot_wait_s=config.no_boot_wait_s,
            max_frame_chars=config.max_frame_bytes,
            outward_calls=config.calls_waiting,
            unkept_close_s=config.unkept_close_s,
            pace=PacePolicy(
                frames_per_s=config.charger_messages_per_s,
                frames_burst=config.charger_messages_burst,
                chars_per_s=config.charger_bytes_per_s,
                chars_burst=max(PacePolicy().chars_burst, config.charger_bytes_per_s),
            ),
            liveness=LivenessSettings(
                ping_interval_s=config.ping_interval_s, idle_timeout_s=config.idle_timeout_s
            ),
        ),
        drain=DrainPolicy(work_s=config.drain_work_s, close_s=config.drain_close_s),
    )


def vitals_policy(config: Config, connections: int) -> VitalsPolicy:
    """When to worry about this process, with so many connections at most."""
    plain = charger_ports(config).keys() == {"ocpp_port"}
    each = CONNECTION_BYTES if plain else TLS_CONNECTION_BYTES
    allowed = config.memory_mb * MEGABYTE
    return VitalsPolicy(memory_bytes=allowed + each * connections if allowed else 0)


def _store(config: Config, clock: Clock) -> SqlStore:
    return SqlStore(
        config.database_url,
        clock=clock,
        settings=SqlSettings(
            writer=WriterSettings(window_s=config.commit_window_ms / 1_000),
            frames_kept=config.frames_kept,
            security_events_kept=config.security_events_kept,
            samples_kept_s=config.samples_kept_days * DAY_S,
            reserve_bytes=config.reserve_mb * MEGABYTE,
        ),
    )


# ------------------------------------------------------------------------------ listening


@contextmanager
def _listening(host: str, port: int, setting: str) -> Iterator[socket.socket]:
    """A bound socket. Raises ConfigError naming the setting."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=API_CONNECTIONS)
    except OSError as error:
        raise _cannot_listen(host, port, setting, error) from None
    with listener:
        yield listener


def charger_ports(config: Config) -> dict[str, int]:
    """Where chargers are listened for, by the name of the setting."""
    ports = {}
    if config.ocpp_transport != "tls":
        ports["ocpp_port"] = config.ocpp_port
    if config.ocpp_transport != "plain":
        ports["ocpp_tls_port"] = config.ocpp_tls_port
    if config.ocpp_old_tls_port is not None:
        ports["ocpp_old_tls_port"] = config.ocpp_old_tls_port
    return ports


def _cannot_listen(host: str, port: int, setting: str, error: OSError) -> ConfigError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        setting = f"{setting.partition('_')[0]}_host"
    return ConfigError("csms", [(setting, f"cannot listen on {host} port {port}: {error}")])


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ocpp_urls(server: OcppServer, config: Config) -> tuple[str, str | None]:
    """Where chargers connect, and where with TLS."""
    secure = None
    if config.ocpp_transport != "plain":
        secure = f"wss://{_authority(config.ocpp_host, server.tls_port)}/ocpp"
        if config.ocpp_transport == "tls":
            return secure, secure
    return f"ws://{_authority(config.ocpp_host, server.port)}/ocpp", secure


@asynccontextmanager
async def _reminding(door: DoorKeeper, config: Config) -> AsyncIterator[None]:
    """As long as chargers may come without proof, by the operator's word, the log says so."""
    async with asyncio.TaskGroup() as tasks:
        reminder = None
        if config.anonymous_chargers == "accept":
            reminder = tasks.create_task(door.remind())
        try:
            yield
        finally:
            if reminder is not None:
                reminder.cancel()


@asynccontextmanager
async def _looking(parts: _Parts) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(parts.vitals.run())
        try:
            yield
        finally:
            looking.cancel()
            parts.watchdog.stop()


@asynccontextmanager
async def _serving_chargers(
    server: OcppServer, config: Config, vitals: Vitals
) -> AsyncIterator[None]:
    try:
        await server.start()
    except ListenError as failed:
        ports = {port: setting for setting, port in charger_ports(config).items()}
        setting = ports[failed.port]
        raise _cannot_listen(config.ocpp_host, failed.port, setting, failed.error) from None
    try:
        yield
    finally:
        vitals.draining = True
        try:
            await server.drain()
        finally:
            await server.stop()


class _ApiServer(uvicorn.Server):
    """uvicorn inside another loop: says when it listens, and leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving_api(api: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    server = _ApiServer(
        uvicorn.Config(
            api,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=API_CONNECTIONS,
            timeout_graceful_shutdown=API_DRAIN_S,
        )
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[listener]))
        await server.listens.wait()
        try:
            yield
        finally:
            server.should_exit = True


@contextmanager
def _single_errors() -> Iterator[None]:
    """Unpack a lone error from the groups that task groups put it in."""
    try:
        yield
    except BaseExceptionGroup as group:
        lone: BaseException = group
        while isinstance(lone, BaseExceptionGroup) and len(lone.exceptions) == 1:
            lone = lone.exceptions[0]
        if lone is group or isinstance(lone, BaseExceptionGroup):
            raise
        raise lone from None
