"""The command line: serve, demo, check-config, commission, call, tokens, migrate, make-ca."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from csms import __version__, logs
from csms.app import running
from csms.call import accepted, lines, read_payload
from csms.call import call as call_charger
from csms.client import ApiError
from csms.commission import follow, show
from csms.config import Config, load, load_stations
from csms.control.clock import SystemClock
from csms.control.watchdog import Watchdog
from csms.demo.run import DemoOptions, run_demo
from csms.errors import ConfigError, StorageError
from csms.make_ca import make_ca, settings_for
from csms.preflight import preflight, resolved
from csms.station.document import dump_station
from csms.station.model import Station
from csms.storage import migrate as migrate_database
from csms.token_import import ImportFailedError, import_tokens

EXIT_FAILED = 1
API_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 660.0
"""A request may wait for `call_timeout_s` behind others, and as long for its answer."""
EXIT_BAD_CONFIGURATION = 2

app = typer.Typer(
    help="A central system for EV charging sites over OCPP 1.6J.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Settings (TOML) or a station (JSON); else only CSMS_* variables."
    ),
]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"csms {__version__}")
        raise typer.Exit


@app.callback()
def describe(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Share a site's grid connection fairly among its chargers, and never exceed it."""


@app.command()
def serve(config: ConfigFile = None) -> None:
    """Run the server until SIGINT or SIGTERM."""
    with _readable_errors():
        settings, stations = _read(config)
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(_serve(settings, stations))


async def _serve(settings: Config, stations: Sequence[Station]) -> None:
    stop = asyncio.Event()
    with _stopping(stop):
        async with running(settings, stations, watchdog=Watchdog(settings.stall_abort_s)):
            await stop.wait()


@contextmanager
def _stopping(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask for an orderly stop; the second one ends the process at once."""
    loop = asyncio.get_running_loop()
    asked = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        stop.set()
        for number in asked:
            loop.remove_signal_handler(number)
            # Of SIGINT Python would make a KeyboardInterrupt, which cancels what is to end in turn.
            signal.signal(number, signal.SIG_DFL)

    for number in asked:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in asked:
            loop.remove_signal_handler(number)


@app.command("check-config")
def check_config(file: Annotated[Path, typer.Argument(help="Settings or a station.")]) -> None:
    """Print the settings and the stations in force, or what `serve` would refuse.

    Exit code 2 when something is wrong; warnings do not count.
    """
    with _readable_errors():
        settings, stations = _read(file)
        found = preflight(settings, stations)
    for name, value in settings.model_dump(mode="json").items():
        typer.echo(f"{name} = {'none' if value is None else json.dumps(value)}")
    for each in found.stations:
        typer.echo(f"\nstation {each.station.station_id}, {each.origin.value}:")
        typer.echo(json.dumps(dump_station(each.station), indent=2))
        typer.echo("with defaults, in kW:")
        for line in resolved(each.station):
            typer.echo(f"  {line}")
    for warning in found.warnings:
        typer.echo(f"warning: {warning}", err=True)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the database to this version of csms."""
    with _readable_errors():
        migrate_database(load(config, os.environ).database_url)
    typer.echo("the database is up to date")


@app.command("make-ca")
def make_development_ca(
    folder: Annotated[Path, typer.Argument(help="Where the files go; a CA there is used again.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or address chargers reach the server by. May be given again."),
    ] = None,
    charger: Annotated[
        list[str] | None,
        typer.Option(help="A charger that gets a certificate. May be given again."),
    ] = None,
    organisation: Annotated[str, typer.Option(help="Organisation in all of them.")] = "csms",
) -> None:
    """Make a CA and certificates for development, and print the settings that use them."""
    hosts = host or ["localhost", "127.0.0.1", "::1"]
    with _readable_errors():
        written = make_ca(folder, hosts, charger or [], organisation, SystemClock().now())
    for path in written:
        typer.echo(f"# wrote {path}")
    typer.echo(settings_for(folder.absolute()))


def _web_address(address: str) -> str:
    """The address as it is, if a request can be sent there."""
    if not address.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{address!r}: write it as http://HOST:PORT")
    return address


@app.command()
def commission(
    charger: Annotated[str, typer.Argument(help="The charger, with a vehicle charging.")],
    connector: Annotated[int, typer.Option(min=1, help="Where the vehicle charges.")] = 1,
    lease: Annotated[float, typer.Option(min=2, max=3600, help="Seconds of its lease.")] = 60.0,
    api: Annotated[
        str, typer.Option(callback=_web_address, help="Where csms runs: http://HOST:PORT.")
    ] = "http://127.0.0.1:8080",
) -> None:
    """Try how a charger takes limits, with a vehicle charging, and print the report.

    Exit code 1 when a trial failed, or the test could not be made.
    """
    console = Console()
    try:
        report = asyncio.run(_commission(charger, connector, lease, api))
    except ApiError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    show(report, console)
    raise typer.Exit(0 if report["passed"] else EXIT_FAILED)


async def _commission(charger: str, connector: int, lease_s: float, url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, timeout=API_TIMEOUT_S, trust_env=False) as api:
        return await follow(api, charger, connector, lease_s, tell=typer.echo)


tokens = typer.Typer(help="Id tokens of a running csms.", no_args_is_help=True)
app.add_typer(tokens, name="tokens")


@tokens.callback()
def describe_tokens() -> None:
    """Id tokens of a running csms."""


@tokens.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV; its first line names the columns.")],
    api: Annotated[str, typer.Option(help="Where csms runs.")] = "http://127.0.0.1:8080",
) -> None:
    """Import id tokens, replacing those of the same names: all of them or none.

    Exit code 1 when a line is wrong, or the tokens could not be imported.
    """
    try:
        imported = asyncio.run(_import(file.read_bytes(), api))
    except OSError as error:
        typer.echo(f"{file} cannot be read: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except ImportFailedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(f"{imported} id tokens imported")


async def _import(content: bytes, url: str) -> int:
    async with httpx.AsyncClient(base_url=url, timeout=API_TIMEOUT_S, trust_env=False) as api:
        return await import_tokens(api, content)


@app.command()
def call(
    charger: Annotated[str, typer.Argument(help="The charger.")],
    action: Annotated[str, typer.Argument(help="The OCPP 1.6 action, as GetLog.")],
    payload: Annotated[str, typer.Argument(help="The payload as JSON.")] = "{}",
    force: Annotated[
        bool, typer.Option("--force", help="Send also what is not as the standard has it.")
    ] = False,
    api: Annotated[str, typer.Option(help="Where csms runs.")] = "http://127.0.0.1:8080",
) -> None:
    """Send any OCPP request to a charger and print its answer.

    Exit code 1 when it was not accepted or could not be sent, 2 when the payload is not JSON.
    """
    try:
        asked = read_payload(payload)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BAD_CONFIGURATION) from None
    try:
        answered = asyncio.run(_call(charger, action, asked, api, force=force))
    except ApiError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
    said, about = lines(answered)
    typer.echo(said)
    typer.echo(about, err=True)
    raise typer.Exit(0 if accepted(answered) else EXIT_FAILED)


async def _call(
    charger: str, action: str, payload: dict[str, Any], url: str, *, force: bool
) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, timeout=CALL_TIMEOUT_S, trust_env=False) as api:
        return await call_charger(api, charger, action, payload, force=force)


@app.command()
def demo(
    duration: Annotated[
        float | None, typer.Option(min=1, help="Seconds to run; else until Ctrl-C.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.1, max=100, help="How fast vehicles live and charge.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Which vehicles come when.")] = 1,
    scenario: Annotated[str, typer.Option(help="A scenario's name or file.")] = "demo",
) -> None:
    """Show simulated chargers being balanced. Exit code 1 if the grid limit was exceeded."""
    with _readable_errors():
        logs.configure("error", "console")
        raise typer.Exit(run_demo(DemoOptions(duration, speed, seed, scenario)))


def _read(file: Path | None) -> tuple[Config, list[Station]]:
    settings = load(file, os.environ)
    return settings, load_stations(settings)


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_BAD_CONFIGURATION) from None
    except StorageError as error:
        typer.echo(f"the database cannot be used: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def main() -> None:
    """Run the command line; the entry of the `csms` command."""
    sys.exit(app())
