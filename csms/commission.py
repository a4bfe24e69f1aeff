"""The commissioning test from the command line: begun and followed by the API, then printed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from csms.client import ask
from csms.dispatch.commissioning import Verdict

STYLES = {Verdict.PASSED.value: "green", Verdict.FAILED.value: "bold red"}


async def follow(
    api: httpx.AsyncClient,
    charger_id: str,
    connector: int,
    lease_s: float,
    *,
    tell: Callable[[str], None],
    poll_s: float = 1.0,
) -> dict[str, Any]:
    """Begin a test and wait for its end; every trial is told as it ends. Returns the report.

    Raises ApiError.
    """
    path = f"/chargers/{quote(charger_id, safe='')}/commission"
    asked = {"connector": connector, "leaseS": lease_s}
    report = await ask(api, "POST", path, json=asked)
    told = 0
    while True:
        for trial in report["trials"][told:]:
            tell(line(trial))
        told = len(report["trials"])
        if report["state"] != "running":
            return report
        await asyncio.sleep(poll_s)
        report = await ask(api, "GET", path)


def cells(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """One trial as text: what, verdict, allowed, measured, why."""
    measured = _amount(trial["measured"], "kW")
    if trial["energy"] is not None:
        measured = _amount(trial["energy"], "kWh")
    allowed = _amount(trial["limit"], "kW")
    return trial["trial"], trial["verdict"], allowed, measured, trial["why"]


def line(trial: Mapping[str, Any]) -> str:
    """One trial in one line."""
    what, verdict, allowed, measured, why = cells(trial)
    return f"{what}: {verdict} ({why}; allowed {allowed}, measured {measured})"


def summary(report: Mapping[str, Any]) -> list[str]:
    """What is known of the charger now, line by line."""
    name = f"charger {report['chargerId']}, connector {report['connector']}"
    if report["capability"] is None:
        return [f"{name}: the test was stopped"]
    known = {key: "not known" if v is None else v for key, v in report["capability"].items()}
    ended = "passed" if report["passed"] else "not everything as it should be"
    return [f"{name}: {ended}", *(f"  {key}: {value}" for key, value in known.items())]


def show(report: Mapping[str, Any], console: Console) -> None:
    """The report: a table on a terminal; elsewhere its trials have been told already."""
    if console.is_terminal:
        table = Table("trial", "verdict", "allowed", "measured", "why", box=box.SIMPLE)
        for trial in report["trials"]:
            what, verdict, *rest = (Text(cell) for cell in cells(trial))
            verdict.stylize(STYLES.get(trial["verdict"], "yellow"))
            table.add_row(what, verdict, *rest)
        console.print(table)
    for text in summary(report):
        console.print(Text(text), soft_wrap=True)


def _amount(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:g} {unit}"
