"""What `csms serve` would refuse, and what an operator would regret, found without serving."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from csms.app import charger_ports, door_settings, signer, tls_contexts
from csms.config import Config
from csms.control.kept_stations import KeptStation, Origin, in_force, require_default
from csms.errors import ConfigError, StorageError
from csms.protocol.exposure import Exposure, exposure
from csms.station.model import Charger, Connector, Station
from csms.station.units import w_to_kw
from csms.storage import peek

ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


@dataclass(frozen=True, slots=True)
class Preflight:
    """The stations that would be run, and what is odd but not wrong."""

    stations: list[KeptStation]
    warnings: list[str]


def preflight(config: Config, configured: Sequence[Station]) -> Preflight:
    """Look at everything a start depends on: addresses, the database and what is kept there.

    Raises ConfigError with all that `csms serve` would refuse.
    """
    problems = [*_address_problems(config)]
    if not problems:
        problems += _security_problems(config)
    try:
        kept = peek(config.database_url)
    except StorageError as error:
        problems.append(("database_url", str(error)))
    if problems:
        raise ConfigError("the settings", problems)
    stations = in_force(configured, kept.stations)
    require_default(config.default_station, stations)
    warnings = [
        *_exposure_warnings(config),
        *_token_warnings(config, kept.id_tokens),
        *_station_warnings(stations),
    ]
    return Preflight(stations, warnings)


def _address_problems(config: Config) -> Iterator[tuple[str, str]]:
    for setting, host in (("ocpp_host", config.ocpp_host), ("api_host", config.api_host)):
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            yield setting, f"{host!r} is no address of this machine: {error}"
    ports = charger_ports(config)
    hosts = {config.ocpp_host, config.api_host}
    if len(hosts) == 1 or hosts & ANY_ADDRESS:
        ports["api_port"] = config.api_port
    taken: dict[int, str] = {}
    for setting, port in ports.items():
        other = taken.setdefault(port, setting)
        if other != setting and port:
            yield setting, f"is {port}, as {other} is: they cannot be the same"


def _security_problems(config: Config) -> Iterator[tuple[str, str]]:
    for check in (door_settings, tls_contexts, signer):
        try:
            check(config)
        except ConfigError as error:
            yield from error.problems


def _exposure_warnings(config: Config) -> Iterator[str]:
    if exposure(config.ocpp_host) is not Exposure.PUBLIC:
        return
    risk = "keys of chargers can be read on the way; use TLS, or a network you trust"
    if config.ocpp_transport != "tls":
        transport = f"ocpp_transport is {config.ocpp_transport}"
        yield f"ocpp_host is {config.ocpp_host} and {transport}: {risk}"
    if config.ocpp_old_tls_port is not None:
        yield (
            f"ocpp_host is {config.ocpp_host} and ocpp_old_tls_port is "
            f"{config.ocpp_old_tls_port}, where TLS may be as old as 1.0: {risk}"
        )


def _token_warnings(config: Config, kept: int) -> Iterator[str]:
    if config.unknown_id_tokens == "reject" and not config.id_tokens and not kept:
        yield (
            'unknown_id_tokens is "reject", but there are no id_tokens, neither in the settings '
            "nor in the database: no driver can charge"
        )


def _station_warnings(stations: Sequence[KeptStation]) -> Iterator[str]:
    for each in stations:
        name = f"station {each.station.station_id}"
        if each.origin is Origin.CHANGED:
            yield f"{name} is {each.origin.value}"
        used = {charger.feeder_id for charger in each.station.chargers}
        for feeder in each.station.feeders:
            if feeder.feeder_id not in used:
                yield f"{name}: no charger is on feeder {feeder.feeder_id}"


# ------------------------------------------------------------------------------ in words


def resolved(station: Station) -> list[str]:
    """What holds at each connector, defaults filled in, a line each."""
    return [
        _resolved(charger, connector)
        for charger in station.chargers
        for connector in charger.connectors
    ]


def _resolved(charger: Charger, connector: Connector) -> str:
    unit = "asked" if charger.rate_unit is None else charger.rate_unit.value
    return (
        f"{connector.key}: {connector.current_type.value}, "
        f"maxPower {w_to_kw(connector.max_power_w):g}, "
        f"minPower {w_to_kw(connector.minimum_w):g}, "
        f"fallback {w_to_kw(connector.fallback_w):g}, unit {unit}"
    )
