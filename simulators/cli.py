"""The simulators on the command line: `python -m simulators charger|site|fleet|scenario`."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from simulators.charge_point.client import ChargePointClient, ClientSettings, websocket_dialler
from simulators.charge_point.credentials import Credentials, key_bytes
from simulators.charge_point.events import Event, Watcher
from simulators.charge_point.hardware import CurrentType, Hardware
from simulators.charge_point.quirks import Quirks, parse_quirks
from simulators.clock import Clock
from simulators.fleet import FleetPlan, run_fleet
from simulators.runner import Options, ScenarioReport, run_scenario
from simulators.scenario import (
    Scenario,
    ScenarioError,
    VehicleSpec,
    load_scenario,
    scenario_names,
)
from simulators.site import networked

app = typer.Typer(
    help="Simulated OCPP 1.6J charge points, sites and fleets. They meet csms on the wire only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _begins_with(*schemes: str) -> Callable[[str], str]:
    def checked(address: str) -> str:
        if not address.startswith(schemes):
            raise typer.BadParameter(f"{address!r} does not begin with {schemes[0]}")
        return address

    return checked


Url = Annotated[
    str,
    typer.Option(
        callback=_begins_with("ws://", "wss://"),
        help="Where csms takes chargers: ws://host:port/path.",
    ),
]
Key = Annotated[
    str | None, typer.Option(help="Key of HTTP Basic: as text, or 32 or more hex digits.")
]
User = Annotated[str | None, typer.Option(help="User of HTTP Basic; else the id.")]
CaFile = Annotated[
    Path | None, typer.Option(help="CA of the server's certificate; else any is believed.")
]
CertificateFile = Annotated[
    Path | None, typer.Option(help="Certificate to show, with --private-key.")
]
KeyFile = Annotated[Path | None, typer.Option(help="Private key of --certificate.")]
OriginHeader = Annotated[str | None, typer.Option(help="Origin header, as browsers send.")]
Api = Annotated[
    str,
    typer.Option(
        callback=_begins_with("http://", "https://"),
        help="Where csms serves its HTTP API: http://host:port.",
    ),
]
Duration = Annotated[float | None, typer.Option(min=0.0, help="End after this many real seconds.")]
Speed = Annotated[
    float,
    typer.Option(min=0.001, help="Scenario time runs this much faster than real time."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Result = TypeVar("Result")
LEAVE_S = 2.0
DEFAULT_URL = "ws://127.0.0.1:9000/ocpp"
DEFAULT_API = "http://127.0.0.1:8080"


def _watcher(*, as_json: bool) -> Watcher:
    def print_json(event: Event) -> None:
        typer.echo(json.dumps(event.as_json()))

    def print_text(event: Event) -> None:
        where = event.connector or event.charger_id
        detail = " ".join(f"{key}={value}" for key, value in event.detail.items())
        typer.echo(f"{event.at:8.2f}  {where:<10} {event.name:<12} {detail}".rstrip())

    return print_json if as_json else print_text


def _until_stopped(work: Callable[[asyncio.Event], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await work(stop)

    return asyncio.run(run())


def _load(name: str) -> Scenario:
    try:
        return load_scenario(name)
    except ScenarioError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def _quirks(words: list[str]) -> Quirks:
    try:
        return parse_quirks(words)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


@app.command()
def charger(
    url: Url = DEFAULT_URL,
    charger_id: Annotated[str, typer.Option("--id", help="OCPP identity.")] = "CP001",
    connectors: Annotated[int, typer.Option(min=1, max=64)] = 1,
    max_kw: Annotated[float, typer.Option(min=0.1, help="Power of the charge point.")] = 150.0,
    ac: Annotated[bool, typer.Option("--ac", help="AC, three phases; otherwise DC.")] = False,
    vehicle_kw: Annotated[
        float, typer.Option(min=0.0, help="Plug a vehicle of this power into connector 1; 0: none.")
    ] = 0.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="The vehicle's driver shows no token: csms may start it.")
    ] = False,
    id_tag: Annotated[str, typer.Option(help="The driver's token.")] = "SIMULATED",
    quirk: Annotated[
        list[str] | None,
        typer.Option(help="How it misbehaves: deaf, slow_answer_s=30, … May be given again."),
    ] = None,
    key: Key = None,
    user: User = None,
    ca: CaFile = None,
    certificate: CertificateFile = None,
    private_key: KeyFile = None,
    origin: OriginHeader = None,
    duration: Duration = None,
    speed: Speed = 1.0,
    as_json: AsJson = False,
) -> None:
    """Run one charge point until it is stopped. Exit code 1 when csms never accepted it."""
    kind = CurrentType.AC if ac else CurrentType.DC
    settings = ClientSettings()
    quirks = _quirks(quirk or [])
    credentials = Credentials(key_bytes(key), user, ca, certificate, private_key, origin)
    point = ChargePointClient(
        Hardware.uniform(charger_id, max_kw * 1000, connectors, kind),
        websocket_dialler(url, charger_id, settings, quirks, credentials),
        Clock(speed),
        settings=settings,
        quirks=quirks,
        watcher=_watcher(as_json=as_json),
        credentials=credentials,
    )

    async def work(stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            living = group.create_task(point.run())
            driving = group.create_task(_drive(point, vehicle_kw, "" if wait else id_tag))
            await _stopped_or_over(stop, duration)
            driving.cancel()
            await _leave(point)
            living.cancel()

    _until_stopped(work)
    if not point.boots:
        reason = point.refusal or "it does not accept this charger"
        typer.echo(f"{charger_id} was not let in at {url}: {reason}", err=True)
        raise typer.Exit(1)


async def _drive(point: ChargePointClient, vehicle_kw: float, id_tag: str) -> None:
    await point.booted.wait()
    if vehicle_kw > 0:
        point.plug_in(1, VehicleSpec(kind="dc", max_kw=vehicle_kw).build())
        if id_tag:
            point.present_token(1, id_tag)


async def _stopped_or_over(stop: asyncio.Event, duration_s: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(duration_s):
            await stop.wait()


async def _leave(point: ChargePointClient) -> None:
    """The vehicle leaves, and csms is told: nothing is left running there."""
    point.empty()
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_S):
            await point.flushed()


@app.command()
def site(
    url: Url = DEFAULT_URL,
    api: Api = DEFAULT_API,
    scenario: Annotated[str, typer.Option(help="Name of a scenario, or its file.")] = "demo",
    duration: Duration = None,
    speed: Speed = 1.0,
    seed: Annotated[int, typer.Option(help="Of the vehicles that come at random.")] = 0,
    patience: Annotated[
        float, typer.Option(min=0.01, help="Multiplies every wait for something expected.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Play a scenario on a whole site.

    Exit code 1 when an expectation was not met, when it was stopped before it began or before its
    last step, or when the limits in force ever summed above the grid limit by the chargers' own
    record.
    """
    played = _load(scenario)
    options = Options(duration_s=duration, seed=seed, patience=patience)
    watcher = _watcher(as_json=as_json)

    async def work(stop: asyncio.Event) -> ScenarioReport:
        return await run_scenario(
            played, url, api, speed=speed, options=options, watcher=watcher, stop=stop
        )

    report = _until_stopped(work)
    typer.echo(json.dumps({"event": "report"} | report.as_json()) if as_json else _told(report))
    raise typer.Exit(0 if report.passed else 1)


def _told(report: ScenarioReport) -> str:
    lines = [
        f"{report.scenario}: {'passed' if report.passed else 'FAILED'}",
        f"  peak of limits in force {report.peak_limit_sum_w / 1000:.1f} kW",
        f"  peak of power {report.peak_power_sum_w / 1000:.1f} kW",
    ]
    lines += [f"  failed: {failure}" for failure in report.failures]
    lines += [f"  problem: {problem}" for problem in report.problems]
    return "\n".join(lines)


@app.command()
def fleet(
    url: Url = DEFAULT_URL,
    chargers: Annotated[int, typer.Option(min=1, max=5000)] = 100,
    boots_per_s: Annotated[float, typer.Option(min=0.1, help="Pace of dialling.")] = 50.0,
    charging: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share that gets a vehicle.")
    ] = 0.5,
    duration: Annotated[float, typer.Option(min=0.0, help="Real seconds.")] = 60.0,
    prefix: Annotated[str, typer.Option(help="Of the charger ids.")] = "FLEET",
    station: Annotated[
        bool, typer.Option("--station", help="Print a station document for the fleet and end.")
    ] = False,
) -> None:
    """Put a load of many charge points on csms and print how it answered, as JSON.

    Exit code 1 when csms accepted none of them.
    """
    plan = FleetPlan(chargers, boots_per_s, charging, duration, prefix)
    if station:
        typer.echo(json.dumps(plan.station(), indent=2))
        return
    settings = ClientSettings(tick_s=1.0, meter_interval_s=60)
    report = _until_stopped(
        lambda stop: run_fleet(
            plan, networked(url, settings), Clock(), settings=settings, stop=stop
        )
    )
    typer.echo(json.dumps(report.as_json()))
    raise typer.Exit(0 if report.booted else 1)


@app.command()
def scenario(
    name: Annotated[
        str | None, typer.Argument(help="Name of a scenario, or its file. None: list the names.")
    ] = None,
) -> None:
    """Print the station document of a scenario: what csms is configured with to play it."""
    if name is None:
        for known in scenario_names():
            typer.echo(known)
        return
    typer.echo(json.dumps(_load(name).station, indent=2))


def main() -> None:
    """Run the command line."""
    app()
