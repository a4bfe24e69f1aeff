from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import app

# Nothing listens there: what the commands do without a csms.
NOWHERE = ["--url", "ws://127.0.0.1:1/ocpp"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["charger", "site", "fleet", "scenario"])
def test_every_command_explains_itself(command: str) -> None:
    code, output = run(command, "--help")
    assert code == 0
    assert "Usage" in output


def test_the_scenarios_are_listed() -> None:
    code, output = run("scenario")
    assert code == 0
    assert output.split() == ["demo", "ev_takes_less", "s0", "s1", "s2", "static_load"]


def test_a_scenarios_station_is_printed_as_json() -> None:
    code, output = run("scenario", "S1")
    assert code == 0
    assert json.loads(output) == {
        "stationId": "S1",
        "gridCapacity": 400,
        "chargers": [{"id": "CP001", "maxPower": 200, "connectors": 2}],
    }


@pytest.mark.parametrize("command", [["scenario"], ["site", "--scenario"]])
def test_a_scenario_that_is_not_there(command: list[str], tmp_path: Path) -> None:
    code, output = run(*command, str(tmp_path / "none.toml"))
    assert code == 2
    assert "scenarios known by name: demo" in output


def test_a_fleets_station_is_printed_as_json() -> None:
    code, output = run("fleet", "--chargers", "2", "--station")
    assert code == 0
    assert [charger["id"] for charger in json.loads(output)["chargers"]] == [
        "FLEET0001",
        "FLEET0002",
    ]


def test_a_fleet_without_a_csms_reports_that_nothing_booted() -> None:
    code, output = run("fleet", *NOWHERE, "--chargers", "1", "--duration", "0.2")
    assert code == 1
    report = json.loads(output)
    assert (report["chargers"], report["booted"]) == (1, 0)
    assert sum(report["refusals"].values()) == 1


def test_a_charger_that_is_never_let_in_fails_when_its_duration_is_over() -> None:
    code, output = run("charger", *NOWHERE, "--duration", "0.2", "--json", "--ac")
    assert code == 1
    *lines, last = output.splitlines()
    assert last.startswith("CP001 was not let in at ws://127.0.0.1:1/ocpp: ")
    assert "Connect call failed" in last
    events = [json.loads(line) for line in lines]
    assert {event["event"] for event in events} == {"dial_failed"}
    assert {event["charger"] for event in events} == {"CP001"}


def test_a_charger_is_given_quirks() -> None:
    quirks = ["--quirk", "deaf", "--quirk", "slow_answer_s=30"]
    code, _ = run("charger", *NOWHERE, "--duration", "0.05", *quirks)
    assert code == 1  # it never reached a csms, and said so
    code, output = run("charger", *NOWHERE, "--duration", "0.05", "--quirk", "dumb")
    assert code == 2
    assert "no quirk 'dumb'; there are" in output


def test_a_site_without_a_csms_fails() -> None:
    api = ["--api", "http://127.0.0.1:1"]
    code, output = run(
        "site", *NOWHERE, *api, "--scenario", "s1", "--patience", "0.01", "--duration", "0.2"
    )
    assert code == 1
    assert "S1: FAILED" in output
    assert "failed: csms did not bring every charger under control" in output


def test_a_site_reports_in_json_at_last() -> None:
    api = ["--api", "http://127.0.0.1:1"]
    code, output = run("site", *NOWHERE, *api, "--scenario", "s1", "--patience", "0.01", "--json")
    assert code == 1
    lines = [json.loads(line) for line in output.splitlines()]
    assert lines[0]["event"] == "dial_failed"
    assert lines[-1]["event"] == "report"
    assert lines[-1]["passed"] is False


@pytest.mark.parametrize(("option", "scheme"), [("--api", "http://"), ("--url", "ws://")])
def test_an_address_without_a_scheme_is_refused(option: str, scheme: str) -> None:
    code, output = run("site", option, "localhost:39180")
    assert code == 2
    assert f"does not begin with {scheme}" in output
