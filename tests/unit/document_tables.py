"""The tables of the README: as they are written there, and as the code says they must be.

`python -m tests.unit.document_tables` prints the second, ready to be put into the README after a
change of the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from fastapi import FastAPI

from csms.api.app import create_api, routes
from csms.config import settings_table
from csms.protocol.ocpp16.routes import CoverageRow, coverage
from tests.unit.source_tree import ROOT

Row = tuple[str, ...]


def read(path: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def section(heading: str, path: str = "README.md") -> str:
    """What stands under a heading, up to the next heading of any level."""
    text = re.split(rf"^#+ {re.escape(heading)}$", read(path), maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def written(heading: str, path: str = "README.md") -> list[Row]:
    """The cells of the table under a heading, without its head."""
    lines = [line for line in section(heading, path).splitlines() if line.startswith("|")]
    return [tuple(c.strip() for c in line.strip().strip("|").split("|")) for line in lines[2:]]


def settings() -> list[Row]:
    """Every setting: name, default, bounds, description."""
    return [
        (f"`{name}`", f"`{default}`", bounds, description)
        for name, default, bounds, description in settings_table()
    ]


def ocpp_coverage() -> list[Row]:
    """Per feature profile: what chargers may send, what csms sends, what is not served yet."""
    rows = coverage()
    inbound = {r.direction for r in rows if r.action == "BootNotification"}

    def names(profile: str, wanted: Callable[[CoverageRow], bool]) -> str:
        found = [
            f"{r.action} ({r.note})" if r.note else r.action
            for r in rows
            if r.profile == profile and wanted(r)
        ]
        return ", ".join(found) or "-"

    return [
        (
            profile,
            names(profile, lambda r: r.served and r.direction in inbound),
            names(profile, lambda r: r.served and r.direction not in inbound),
            names(profile, lambda r: not r.served),
        )
        for profile in dict.fromkeys(r.profile for r in rows)
    ]


def api() -> FastAPI:
    """The API, with nothing behind it."""
    return create_api(*cast("Any", (None, None, None, None)))


def http_api() -> list[Row]:
    """Every call: method and path, what it does."""
    return [(f"`{method} {path}`", " ".join(text.split())) for method, path, text in routes(api())]


TABLES: Mapping[str, Callable[[], list[Row]]] = {
    "HTTP API": http_api,
    "Settings": settings,
    "OCPP 1.6 coverage": ocpp_coverage,
}


def lines(rows: list[Row]) -> Iterator[str]:
    """The rows as Markdown."""
    return ("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    for name, rows in TABLES.items():
        sys.stdout.write("\n".join([f"## {name}", *lines(rows()), "", ""]))
