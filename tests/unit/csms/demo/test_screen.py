"""How the show looks."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from csms.control.events import Event
from csms.control.status import StationStatus
from csms.demo.screen import block, cells, event_line, screen, simulated_line, totals
from tests.unit.csms.api.fakes import RUNNING, STATUS

CHARGER = STATUS.chargers[0]


def drawn(status: StationStatus, *, height: int = 40, log: int = 50) -> str:
    console = Console(file=io.StringIO(), width=80, height=height, force_terminal=False)
    console.print(screen(status, "links", [f"line {n}." for n in range(log)], height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_session_shows_what_it_wants_gets_and_takes() -> None:
    assert cells(CHARGER.connectors[0]) == (
        "CP001/1",
        "Charging",
        "150.0",
        "133.3",
        "grid",
        "confirmed",
        "131.0",
        "1.23",
        "-",
    )


def test_what_is_not_there_is_a_dash() -> None:
    assert cells(CHARGER.connectors[1]) == ("CP001/2", "Available", *["-"] * 7)
    never = replace(CHARGER.connectors[1], reason="never seen")
    assert cells(never)[-1] == "never seen"
    bare = replace(RUNNING, limit=None, measured_w=None)
    assert cells(replace(CHARGER.connectors[0], session=bare))[3:] == (
        "-",
        "-",
        "-",
        "-",
        "1.23",
        "-",
    )


def test_the_totals_stand_against_the_grid_limit() -> None:
    assert totals(STATUS) == (
        "S1: may be in force 150.0 of 397.0 kW, allocated 133.3, measured 131.0 "
        "(grid limit 400.0, other load 3.0)"
    )


def test_plain_text_has_one_line_for_each_connector() -> None:
    lines = block(STATUS).splitlines()
    assert lines[0] == totals(STATUS)
    assert lines[1].split() == [
        "connector",
        "status",
        "wants",
        "limit",
        "source",
        "state",
        "measured",
        "kWh",
        "reason",
    ]
    assert [line.split()[0] for line in lines[2:]] == ["CP001/1", "CP001/2"]
    assert all(line == line.rstrip() for line in lines)


def test_the_screen_shows_everything_in_eighty_columns() -> None:
    text = drawn(STATUS)
    for part in ("links", "CP001/1", "133.3", "confirmed", "1.23", "may be in force", "line 49."):
        assert part in text
    assert "…" not in text


def test_the_log_takes_the_room_there_is() -> None:
    assert drawn(STATUS, height=40).count("line ") == 24
    assert drawn(STATUS, height=5).count("line ") == 3
    assert len(drawn(STATUS, height=40).splitlines()) <= 40


def test_a_station_without_room_or_charger_can_be_drawn() -> None:
    empty = replace(
        STATUS, available_w=0, worst_case_w=1, overcommitted=True, chargers=(), allocated_w=0
    )
    assert "may be in force 0.0 of 0.0 kW" in drawn(empty)
    offline = replace(STATUS, chargers=(replace(CHARGER, connected=False),))
    assert "CP001/2" in drawn(offline)


def test_an_event_of_csms_is_a_line() -> None:
    event = Event(7, 1_002.34, "S1", "session_started", "CP001/1 by \x1bCARD")
    assert event_line(event, 1_000.0) == "    2.3 s  csms       session_started: CP001/1 by �CARD"


def test_an_event_of_the_site_is_a_line_when_it_matters() -> None:
    arrived = {"t": 1.0, "event": "arrived", "connector": "DC1/1", "vehicle_max_kw": 150.0}
    assert simulated_line(arrived, 12.0) == (
        "   12.0 s  simulator  DC1/1 arrived vehicle_max_kw=150.0"
    )
    assert simulated_line({"event": "grid", "capacity_kw": 200}, 0.0) == (
        "    0.0 s  simulator  site grid capacity_kw=200"
    )
    assert simulated_line({"event": "complaint", "charger": "DC1", "reason": "x"}, 0.0) == (
        "    0.0 s  simulator  DC1 complaint reason=x"
    )
    assert simulated_line({"event": "limit", "connector": "DC1/1"}, 0.0) is None
    assert simulated_line({}, 0.0) is None
