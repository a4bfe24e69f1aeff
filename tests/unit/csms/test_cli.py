"""The command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from csms import __version__
from csms.cli import app

STATION: dict[str, Any] = {
    "stationId": "S1",
    "gridCapacity": 400.0,
    "chargers": [{"id": "CP001", "maxPower": 200.0, "connectors": 2}],
}


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env=env)


@pytest.fixture
def station(tmp_path: Path) -> Path:
    path = tmp_path / "paris.json"
    path.write_text(json.dumps(STATION), encoding="utf-8")
    return path


def test_the_commands_are_listed() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for command in ("serve", "demo", "check-config", "migrate", "make-ca"):
        assert command in result.output


def test_certificates_for_development_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    made = run("make-ca", folder, "--charger", "CP001")
    assert made.exit_code == 0
    assert made.output.count("# wrote ") == 8
    assert 'ocpp_transport = "tls"' in made.output.splitlines()
    assert run("make-ca", folder, "--charger", "CP001").output.count("# wrote ") == 0
    refused = run("make-ca", folder, "--charger", "../CP001")
    assert (refused.exit_code, "no charger can be called" in refused.output) == (2, True)


def test_check_config_prints_settings_and_stations(station: Path) -> None:
    result = run("check-config", station, env={"CSMS_OCPP_PORT": "9001"})
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "ocpp_port = 9001" in lines
    assert "api_port = 8080" in lines
    assert f'stations = "{station}"' in lines
    assert "default_station = none" in lines
    shown = result.output.partition("station S1, as in its file:\n")[2]
    document, _, connectors = shown.partition("with defaults, in kW:\n")
    assert json.loads(document) == STATION
    assert connectors.splitlines() == [
        "  CP001/1: DC, maxPower 200, minPower 0, fallback 0, unit W",
        "  CP001/2: DC, maxPower 200, minPower 0, fallback 0, unit W",
    ]


def test_check_config_prints_warnings(tmp_path: Path, station: Path) -> None:
    result = run("check-config", station, env={"CSMS_UNKNOWN_ID_TOKENS": "reject"})
    assert result.exit_code == 0
    assert 'warning: unknown_id_tokens is "reject"' in result.output


def test_check_config_tells_what_serve_would_refuse(tmp_path: Path, station: Path) -> None:
    result = run("check-config", station, env={"CSMS_DATABASE_URL": "sqlite:///no/such/csms.db"})
    assert result.exit_code == 2
    assert "database_url: the database folder " in result.output


def test_the_version_is_printed() -> None:
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"csms {__version__}\n")


def test_check_config_prints_what_is_wrong_and_where(tmp_path: Path) -> None:
    path = tmp_path / "csms.toml"
    path.write_text('ocpp_port = "many"\nnonsense = 1\n', encoding="utf-8")
    result = run("check-config", path)
    assert result.exit_code == 2
    assert result.output.splitlines() == [
        f"{path}: the configuration cannot be used",
        "  ocpp_port: Input should be a valid integer (got 'many')",
        "  nonsense: is not a known key (value 1)",
    ]


def test_check_config_looks_at_the_stations_too(station: Path) -> None:
    station.write_text(json.dumps({**STATION, "gridCapacity": -5}), encoding="utf-8")
    result = run("check-config", station)
    assert result.exit_code == 2
    assert "gridCapacity: " in result.output
    assert "-5" in result.output


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_bad_configuration_ends_every_command(command: str) -> None:
    result = run(command, env={"CSMS_API_PORT": "-1"})
    assert result.exit_code == 2
    assert "CSMS_API_PORT" in result.output


def test_serve_without_stations_says_so(tmp_path: Path) -> None:
    result = run("serve", env={"CSMS_STATIONS": str(tmp_path / "none")})
    assert result.exit_code == 2
    assert "there is no such file or folder" in result.output


def test_migrate_makes_the_database(tmp_path: Path) -> None:
    database = tmp_path / "csms.db"
    result = run("migrate", env={"CSMS_DATABASE_URL": f"sqlite:///{database}"})
    assert (result.exit_code, result.output) == (0, "the database is up to date\n")
    assert database.exists()


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'missing' / 'csms.db'}"
    result = run("migrate", env={"CSMS_DATABASE_URL": url})
    assert result.exit_code == 1
    assert result.output.startswith("the database cannot be used: ")


def test_a_scenario_nobody_knows_is_named(tmp_path: Path) -> None:
    result = run("demo", "--scenario", tmp_path / "nothing.toml")
    assert result.exit_code == 2
    assert "nothing.toml" in result.output


@pytest.mark.parametrize(
    "arguments", [("--duration", "0"), ("--speed", "0"), ("--seed", "-1"), ("--duration", "long")]
)
def test_options_of_the_demo_are_bounded(arguments: tuple[str, str]) -> None:
    assert run("demo", *arguments).exit_code == 2


# ------------------------------------------------------------------------------ commission


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_commission_prints_the_report_and_fails_with_it(
    monkeypatch: pytest.MonkeyPatch, passed: bool, code: int
) -> None:
    asked: list[Any] = []

    async def answered(_api: object, *what: Any, tell: Any) -> dict[str, Any]:
        asked.extend(what)
        tell("zero: passed")
        known = {"lease": "yes"}
        return {"chargerId": "C", "connector": 2, "trials": [], "capability": known} | {
            "passed": passed
        }

    monkeypatch.setattr("csms.cli.follow", answered)
    result = run("commission", "C", "--connector", "2", "--lease", "30")
    assert result.exit_code == code
    assert asked == ["C", 2, 30.0]
    ended = "passed" if passed else "not everything as it should be"
    assert result.output.splitlines() == [
        "zero: passed",
        f"charger C, connector 2: {ended}",
        "  lease: yes",
    ]


def test_commission_says_what_an_address_looks_like() -> None:
    result = run("commission", "C", "--api", "localhost:39180")
    assert result.exit_code == 2
    assert "write it as http://HOST:PORT" in result.output


def test_commission_without_a_server_is_a_readable_error() -> None:
    result = run("commission", "C", "--api", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "http://127.0.0.1:1 cannot be asked" in result.output


# ------------------------------------------------------------------------------ tokens


def test_tokens_of_a_file_are_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text("idToken\nA\nB\n", encoding="utf-8")

    async def imported(_api: object, content: bytes) -> int:
        return content.count(b"\n") - 1

    monkeypatch.setattr("csms.cli.import_tokens", imported)
    result = run("tokens", "import", file)
    assert (result.exit_code, result.output) == (0, "2 id tokens imported\n")


def test_tokens_that_cannot_be_imported_are_a_readable_error(tmp_path: Path) -> None:
    file = tmp_path / "tokens.csv"
    result = run("tokens", "import", file)
    assert result.exit_code == 1
    assert "cannot be read" in result.output
    file.write_text("idToken\nA\n", encoding="utf-8")
    result = run("tokens", "import", file, "--api", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "http://127.0.0.1:1 cannot be asked" in result.output


# ------------------------------------------------------------------------------ call


@pytest.mark.parametrize(("outcome", "code"), [("accepted", 0), ("rejected", 1)])
def test_call_prints_the_answer_and_fails_with_it(
    monkeypatch: pytest.MonkeyPatch, outcome: str, code: int
) -> None:
    asked: list[Any] = []

    async def answered(_api: object, *what: Any, force: bool) -> dict[str, Any]:
        asked.extend([*what, force])
        times = {"messageId": "m1", "askedAt": "A", "answeredAt": "B"}
        return {"outcome": outcome, "answer": {"status": "x"}, "error": None} | times

    monkeypatch.setattr("csms.cli.call_charger", answered)
    result = run("call", "C", "Reset", '{"type": "Soft"}', "--force")
    assert result.exit_code == code
    assert asked == ["C", "Reset", {"type": "Soft"}, True]
    assert '"status": "x"' in result.output
    assert f"message m1, asked A, answered B: {outcome}" in result.output


def test_call_takes_json_only() -> None:
    result = run("call", "C", "Reset", "Soft")
    assert result.exit_code == 2
    assert "the payload is not JSON" in result.output


def test_call_without_a_server_is_a_readable_error() -> None:
    result = run("call", "C", "Reset", "--api", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "http://127.0.0.1:1 cannot be asked" in result.output
