"""How the show looks: a live screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from csms.api.render import clean
from csms.control.events import Event
from csms.control.status import ConnectorView, StationStatus
from csms.station.units import render_kw

COLUMNS = ("connector", "status", "wants", "limit", "source", "state", "measured", "kWh", "reason")
LEAST_LOG_LINES = 3
FRAME_LINES = 14
"""Lines of the screen that are neither connectors nor log."""

SHOWN_EVENTS = {"arrived", "left", "wants", "grid", "problem", "complaint", "expect", "said"}


def _kw(power_w: int | None) -> str:
    return "-" if power_w is None else render_kw(power_w)


def cells(view: ConnectorView) -> tuple[str, ...]:
    """One connector as text, in the order of `COLUMNS`."""
    session = view.session
    if session is None:
        return (str(view.key), view.status.value, "-", "-", "-", "-", "-", "-", view.reason or "-")
    limit = session.limit
    return (
        str(view.key),
        view.status.value,
        _kw(session.demanded_w),
        "-" if limit is None else _kw(limit.value_w),
        "-" if limit is None else limit.source.value,
        "-" if limit is None else limit.state.value,
        _kw(session.measured_w),
        f"{session.energy_wh / 1_000:.2f}",
        view.reason or "-",
    )


def totals(status: StationStatus) -> str:
    """The station's sums in one line."""
    return (
        f"{status.station_id}: may be in force {_kw(status.worst_case_w)} of "
        f"{_kw(status.available_w)} kW, allocated {_kw(status.allocated_w)}, "
        f"measured {_kw(status.measured_w)} "
        f"(grid limit {_kw(status.grid_limit_w)}, other load {_kw(status.static_load_w)})"
    )


def screen(status: StationStatus, links: str, log: Sequence[str], height: int) -> RenderableType:
    """The whole screen; as much of the log as fits into `height` lines with all the rest."""
    table = Table(box=box.SIMPLE_HEAD, title="powers in kW", title_justify="left", padding=0)
    for number, name in enumerate(COLUMNS):
        words = number < 2 or name == "reason"
        table.add_column(name, justify="left" if words else "right", no_wrap=name != "reason")
    for charger in status.chargers:
        for view in charger.connectors:
            style = "" if charger.connected else "dim"
            table.add_row(*cells(view), style=style if view.session is None else "bold")
    lines = log[-max(LEAST_LOG_LINES, height - FRAME_LINES - table.row_count) :]
    return Group(
        Text(links),
        table,
        Text(totals(status), style="bold red" if status.overcommitted else "bold"),
        _bars(status),
        Panel(
            Text("\n".join(lines), overflow="ellipsis", no_wrap=True),
            title="what happened",
            title_align="left",
        ),
    )


def _bars(status: StationStatus) -> RenderableType:
    full = max(1, status.available_w)
    style = "red" if status.overcommitted else "green"
    bars = Table.grid(expand=True, padding=(0, 1))
    bars.add_column(width=16)
    bars.add_column(ratio=1)
    for name, value_w in (
        ("may be in force", status.worst_case_w),
        ("measured", status.measured_w),
    ):
        done = min(full, value_w)
        bars.add_row(
            name,
            ProgressBar(total=full, completed=done, complete_style=style, finished_style=style),
        )
    return bars


def block(status: StationStatus) -> str:
    """The same as plain text, without the log."""
    rows = [COLUMNS, *(cells(view) for c in status.chargers for view in c.connectors)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = (
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return "\n".join([totals(status), *(f"  {line}" for line in lines)])


def event_line(event: Event, since: float) -> str:
    """An event of csms; `since` is when the show began."""
    return f"{event.at - since:7.1f} s  csms       {event.kind}: {clean(event.text)}"


def simulated_line(event: Mapping[str, Any], elapsed_s: float) -> str | None:
    """An event of the simulated site, or None for one that is not worth a line."""
    name = str(event.get("event", ""))
    if name not in SHOWN_EVENTS:
        return None
    where = event.get("connector") or event.get("charger") or "site"
    words = [
        f"{key}={value}"
        for key, value in event.items()
        if key not in {"t", "event", "connector", "charger"}
    ]
    return f"{elapsed_s:7.1f} s  simulator  {clean(' '.join([str(where), name, *words]))}"
