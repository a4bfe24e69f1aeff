"""The settings of one csms process: a TOML file, overlaid by environment variables `CSMS_<NAME>`.

Every setting has its unit in its name, a default, bounds and a description; unknown keys are
errors. A station's JSON document may stand in the place of the file: it is then the one station,
with default settings.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from csms.errors import ConfigError
from csms.protocol.ocpp16 import locations
from csms.station.document import parse_station
from csms.station.feasibility import feasibility
from csms.station.model import Station
from csms.station.problems import keys_once, problems_of

ENVIRONMENT_PREFIX = "CSMS_"
# Kubernetes sets these for a service that is named csms; they are no settings of ours.
FOREIGN_VARIABLES = re.compile(r"CSMS_(SERVICE_|PORT$|PORT_\d)")
HEARTBEATS_MISSED = 3
FILES_BESIDE_SETTINGS = (
    "stations",
    "tls_certificate_files",
    "tls_key_files",
    "tls_client_ca_file",
    "tls_client_ca_key_file",
)
SAY_WHERE = "name a station's file with --config, or in the setting stations (CSMS_STATIONS)"
NO_STATIONS = f"there is no such file or folder: {SAY_WHERE}"


Port = Annotated[int, Field(ge=0, le=65_535)]
FilePath = Annotated[Path, Field(strict=False)]


def _host(text: str) -> str:
    if not locations.is_host(text):
        raise ValueError("must be a host name in lower case, *. and a name, or an address")
    return text


FileHost = Annotated[str, AfterValidator(_host)]


class Config(BaseModel):
    """Every setting. Frozen: a change of settings is a restart."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    ocpp_host: str = Field("127.0.0.1", min_length=1, description="address chargers connect to")
    ocpp_port: Port = Field(9000, description="port chargers connect to; 0 takes a free one")
    ocpp_transport: Literal["plain", "tls", "both"] = Field(
        "plain", description="how chargers connect: ws on ocpp_port, wss on ocpp_tls_port, or both"
    )
    ocpp_tls_port: Port = Field(
        9443, description="port chargers connect to with TLS; 0 takes a free one"
    )
    ocpp_old_tls_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="a port more, for chargers that know TLS 1.0 or 1.1 only: it counts as one "
        "without TLS; 0 takes a free one",
    )
    tls_certificate_files: list[FilePath] = Field(
        [], max_length=8, description="certificate chains in PEM (RSA and ECDSA), served at once"
    )
    tls_key_files: list[FilePath] = Field(
        [], max_length=8, description="their private keys in PEM, in the same order"
    )
    tls_client_ca_file: FilePath | None = Field(
        None, description="CA of the certificates of chargers (security profile 3), in PEM"
    )
    tls_client_ca_key_file: FilePath | None = Field(
        None,
        description="private key of that CA, in PEM: csms signs certificates chargers ask for",
    )
    tls_client_organisation: str | None = Field(
        None, min_length=1, description="organisation the certificates of chargers must name"
    )
    anonymous_chargers: Literal["loopback", "accept", "refuse"] = Field(
        "loopback",
        description="chargers without key or certificate: accepted when ocpp_host is a loopback "
        "address, accepted unless it is public, or refused",
    )
    key_secret_file: FilePath = Field(
        Path("csms.secret"),
        description="file of the secret keys of chargers are hashed with; made with the first key",
    )
    failures_per_source_per_min: int = Field(
        60, ge=1, le=100_000, description="failed authentications of one address before it waits"
    )
    failures_per_charger_per_min: int = Field(
        10, ge=1, le=100_000, description="the same, as one charger from one address"
    )
    api_host: str = Field("127.0.0.1", min_length=1, description="address of the HTTP API")
    api_port: Port = Field(8080, description="port of the HTTP API; 0 takes a free one")
    database_url: str = Field(
        "sqlite:///csms.db", min_length=1, description="SQLAlchemy URL of the database"
    )
    stations: Path = Field(
        Path("stations"),
        strict=False,
        description="a station's JSON file or a folder of them, relative to the settings file",
    )
    default_station: str | None = Field(
        None, description="station of the API's short form when there are several"
    )
    file_hosts: list[FileHost] = Field(
        [],
        max_length=1_000,
        description="the only hosts that chargers may be sent to for files, `*.example.org` for "
        "names below one; none: any (comma-separated in a variable)",
    )
    unknown_chargers: Literal["refuse", "accept"] = Field(
        "refuse", description="what happens to a charger that is in no station"
    )
    unknown_charger_max_power_kw: float = Field(
        22.0, gt=0, le=100_000, description="maximum power of an accepted unknown charger"
    )
    unknown_charger_connectors: int = Field(
        1, ge=1, le=64, description="connectors of an accepted unknown charger"
    )
    unknown_id_tokens: Literal["accept", "reject"] = Field(
        "accept", description="what happens to a driver's token that is not in the list"
    )
    id_tokens: list[Annotated[str, Field(min_length=1, max_length=20)]] = Field(
        [],
        max_length=10_000,
        description="tokens put into the list of those that may charge at the start, unless it "
        "has them, and taken out when they are listed no more (comma-separated in a variable)",
    )
    free_vend_id_token: str | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="token that may always charge, also for chargers that send an empty one",
    )
    call_timeout_s: float = Field(
        30.0, ge=1, le=300, description="how long a charger may take to answer a request"
    )
    call_gap_s: float = Field(
        0.1, ge=0, le=10, description="least time between two requests to a charger"
    )
    remote_start_timeout_s: float = Field(
        60.0, ge=1, le=600, description="how long a remote start may wait for the session"
    )
    heartbeat_interval_s: int = Field(
        300, ge=10, le=86_400, description="heartbeat interval chargers are told"
    )
    meter_interval_s: int = Field(
        10, ge=1, le=3_600, description="interval of meter values chargers are told"
    )
    boot_quiet_s: float = Field(
        1.0, ge=0, le=60, description="pause after a boot before the first request"
    )
    no_boot_wait_s: float = Field(
        5.0, ge=0, le=300, description="how long a boot is awaited on a new connection"
    )
    registration_grace_s: float = Field(
        15.0, ge=0, le=600, description="how long a known charger may take to confirm its fallbacks"
    )
    max_frame_bytes: int = Field(
        1_048_576, ge=4_096, le=16_777_216, description="largest frame a charger may send"
    )
    write_buffer_bytes: int = Field(
        262_144, ge=16_384, le=16_777_216, description="most that may wait to be sent to a charger"
    )
    max_connections: int = Field(
        2_000,
        ge=10,
        le=100_000,
        description="connections of chargers at once; the last tenth is for those with a session",
    )
    handshakes_per_s: float = Field(
        200.0,
        ge=1,
        le=100_000,
        description="connections of chargers let through in a second, and boots served",
    )
    handshakes_burst: int = Field(
        400, ge=2, le=1_000_000, description="the same, at once after a silence"
    )
    handshakes_open: int = Field(
        500, ge=10, le=100_000, description="connections that may be in their handshake"
    )
    slow_handshakes_per_source: int = Field(
        20, ge=1, le=100_000, description="of one address, those that take longer than a second"
    )
    reconnects_per_min: int = Field(
        10,
        ge=1,
        le=1_000_000,
        description="connections of a charger in a minute before it waits one",
    )
    reconnects_per_h: int = Field(
        60,
        ge=1,
        le=1_000_000,
        description="connections of a charger in an hour before it waits one",
    )
    charger_messages_per_s: float = Field(
        10.0, ge=0.1, le=100_000, description="messages of a charger read in a second, at length"
    )
    charger_messages_burst: int = Field(
        60, ge=1, le=1_000_000, description="messages of a charger read at once after a silence"
    )
    charger_bytes_per_s: int = Field(
        65_536,
        ge=1_024,
        le=1_073_741_824,
        description="bytes of a charger read in a second, a character for one byte",
    )
    calls_waiting: int = Field(
        8, ge=1, le=1_000, description="requests that may wait for a charger, beside its limits"
    )
    idle_timeout_s: float = Field(
        900.0, ge=10, le=86_400, description="a connection silent for this long is closed"
    )
    ping_interval_s: float = Field(
        30.0, ge=1, le=3_600, description="interval of websocket pings to chargers"
    )
    raise_spacing_s: float = Field(
        30.0, ge=0, le=3_600, description="least time between raises that follow demand"
    )
    dead_band_w: int = Field(
        1_000, ge=0, le=1_000_000, description="changes of demand smaller than this are left alone"
    )
    lease_s: float = Field(
        300.0, ge=30, le=3_600, description="a limit that is not renewed ends after this time"
    )
    clock_skew_s: float = Field(
        60.0, ge=1, le=600, description="how far a charger's clock may be off and still be trusted"
    )
    grace_s: float = Field(
        90.0, ge=0, le=3_600, description="time a vehicle has to start drawing power"
    )
    frames_kept: int = Field(
        100_000, ge=0, le=100_000_000, description="newest OCPP frames kept in the database"
    )
    security_events_kept: int = Field(
        10_000, ge=100, le=10_000_000, description="newest security events kept in the database"
    )
    samples_kept_days: int = Field(
        400, ge=1, le=36_500, description="time meter samples are kept in the database"
    )
    commit_window_ms: float = Field(
        2.0, ge=0, le=50, description="time writes are collected for one commit"
    )
    unkept_close_s: float = Field(
        30.0,
        ge=1,
        le=600,
        description="a charger whose transaction cannot be kept is closed after this time",
    )
    reserve_mb: int = Field(
        64,
        ge=0,
        le=10_000,
        description="file beside a SQLite database that is deleted when the disk is full, to have "
        "room for limits; 0 none",
    )
    stall_abort_s: float = Field(
        5.0,
        ge=0,
        le=600,
        description="the process ends when its loop stands still for so long; 0 never",
    )
    drain_work_s: float = Field(
        10.0, ge=0, le=600, description="at an orderly end, time for requests that are in work"
    )
    drain_close_s: float = Field(
        30.0, ge=0, le=900, description="at an orderly end, most time to close the connections in"
    )
    memory_mb: int = Field(
        200,
        ge=0,
        le=1_000_000,
        description="memory csms may take beyond what it starts with and what connections need; 0 "
        "any",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least important log records written"
    )
    log_format: Literal["console", "json"] = Field("console", description="form of log records")

    @model_validator(mode="after")
    def _idle_is_longer_than_heartbeats(self) -> Config:
        # A charger may be silent between two heartbeats (OCPP 1.6 §4.6), and one may get lost.
        least_s = HEARTBEATS_MISSED * self.heartbeat_interval_s
        if self.idle_timeout_s < least_s:
            raise ValueError(
                f"idle_timeout_s is {self.idle_timeout_s:g}, but must be at least {least_s}: "
                f"{HEARTBEATS_MISSED} times heartbeat_interval_s"
            )
        return self

    @model_validator(mode="after")
    def _every_certificate_has_its_key(self) -> Config:
        if len(self.tls_certificate_files) != len(self.tls_key_files):
            raise ValueError(
                f"there are {len(self.tls_certificate_files)} tls_certificate_files, but "
                f"{len(self.tls_key_files)} tls_key_files"
            )
        if self.tls_client_ca_key_file is not None and self.tls_client_ca_file is None:
            raise ValueError("there is a tls_client_ca_key_file, but no tls_client_ca_file")
        if self.ocpp_transport != "plain" and not self.tls_certificate_files:
            raise ValueError(
                f"ocpp_transport is {self.ocpp_transport}, but there are no tls_certificate_files"
            )
        if self.ocpp_old_tls_port is not None and not self.tls_certificate_files:
            raise ValueError(
                f"ocpp_old_tls_port is {self.ocpp_old_tls_port}, but there are no "
                "tls_certificate_files"
            )
        return self

    @model_validator(mode="after")
    def _leases_outlive_a_wrong_clock(self) -> Config:
        # Limits are renewed at half their life; a clock so far ahead would have ended them before.
        if 2 * self.clock_skew_s > self.lease_s:
            raise ValueError(
                f"clock_skew_s is {self.clock_skew_s:g}, but must be at most half of lease_s, "
                f"which is {self.lease_s:g}"
            )
        return self


# ---------------------------------------------------------------------------- reading it


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The settings in a file, overlaid by the environment. `path` None means: environment only.

    Raises `ConfigError` that names every bad setting with its value.
    """
    origin = "the environment" if path is None else str(path)
    values = {} if path is None else _read(path)
    base = Path() if path is None else path.parent
    if path is not None and "stationId" in values:
        values = {"stations": path.name}
    names = _overlay(values, environ)
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        problems = [
            (_place(where, names), what)
            for where, what in problems_of(
                error.errors(include_url=False, include_context=False),
                values,
                lambda _: Config.model_fields,
            )
        ]
        raise ConfigError(origin, problems) from None
    return _from_folder(config, base, names)


def _from_folder(config: Config, base: Path, names: Mapping[str, str]) -> Config:
    """Relative files are meant from the settings file; in a variable from where csms is started."""
    found: dict[str, Any] = {}
    for name in FILES_BESIDE_SETTINGS:
        value = getattr(config, name)
        if name in names or value is None:
            continue
        found[name] = [base / each for each in value] if isinstance(value, list) else base / value
    return config.model_copy(update=found)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [("", f"cannot be read: {error}")]) from None
    if path.suffix.lower() == ".json" or text.lstrip().startswith("{"):
        return _json_object(text, str(path))
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(str(path), [("", f"is not TOML: {error}")]) from None


def _json_object(text: str, origin: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=keys_once)
    except (ValueError, RecursionError) as error:
        raise ConfigError(origin, [("", f"is not JSON: {error}")]) from None
    if not isinstance(document, dict):
        raise ConfigError(origin, [("", "is not a JSON object")])
    return document


def _overlay(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    # Puts the environment's settings into `values`; returns the variable of each.
    names: dict[str, str] = {}
    for variable in sorted(environ):
        if not variable.startswith(ENVIRONMENT_PREFIX) or FOREIGN_VARIABLES.match(variable):
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        field = Config.model_fields.get(name)
        text = environ[variable]
        values[name] = text if field is None else _from_text(field, text)
        names[name] = variable
    return names


def _from_text(field: FieldInfo, text: str) -> object:
    # Text that is not of the field's type stays text: validation then names it.
    if get_origin(field.annotation) is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    kinds = get_args(field.annotation) or (field.annotation,)
    number = next((kind for kind in kinds if kind in (int, float)), None)
    if number is None:
        return text
    try:
        return TypeAdapter[object](number).validate_strings(text.strip())
    except ValidationError:
        return text


def _place(where: str, names: Mapping[str, str]) -> str:
    name = re.split(r"[.\[]", where, maxsplit=1)[0]
    return names.get(name, name) + where.removeprefix(name)


# ---------------------------------------------------------------------------- stations


def load_stations(config: Config) -> list[Station]:
    """The stations of the configuration, by file name.

    Raises `ConfigError` when a file cannot be used, a station cannot hold, or two stations share
    an id or a charger.
    """
    found: dict[str, Path] = {}
    owners: dict[str, str] = {}
    stations: list[Station] = []
    for path in _station_files(config.stations):
        station = parse_station(_json_object_in(path), str(path))
        problems = [("", reason) for reason in feasibility(station)]
        if station.station_id in found:
            other = found[station.station_id]
            problems.append(("stationId", f"{station.station_id!r} is also in {other}"))
        for index, charger in enumerate(station.chargers):
            owner = owners.setdefault(charger.charger_id, station.station_id)
            if owner != station.station_id:
                problems.append(
                    (f"chargers[{index}].id", f"{charger.charger_id!r} is also in station {owner}")
                )
        if problems:
            raise ConfigError(str(path), problems)
        found[station.station_id] = path
        stations.append(station)
    return stations


def _station_files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise ConfigError(
                str(path), [("stations", f"the folder has no *.json file: {SAY_WHERE}")]
            )
        return files
    if not path.exists():
        raise ConfigError(str(path), [("stations", NO_STATIONS)])
    return [path]


def _json_object_in(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [("", f"cannot be read: {error}")]) from None
    return _json_object(text, str(path))


# ---------------------------------------------------------------------------- showing it


def settings_table() -> list[tuple[str, str, str, str]]:
    """Every setting as (name, default, bounds or choices, description), in their order."""
    return [
        (name, _default(field), _bounds(field), field.description or "")
        for name, field in Config.model_fields.items()
    ]


def _default(field: FieldInfo) -> str:
    if field.default == []:
        return "[]"
    if field.default is None:
        return "none"
    return f"{field.default}"


def _bounds(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(str(choice) for choice in get_args(field.annotation))
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(item, name)}"
        for item in field.metadata
        for name, sign in signs.items()
        if getattr(item, name, None) is not None
    ]
    if bounds:
        return ", ".join(bounds)
    paths = "path" in f"{field.annotation}".casefold()
    if get_origin(field.annotation) is list:
        return "list of paths" if paths else "list of texts"
    return "path" if paths else "text"
