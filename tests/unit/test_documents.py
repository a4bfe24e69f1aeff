"""The documents say what the code does."""

from __future__ import annotations

import json
import re
import typing
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel

import csms.cli
import simulators.cli
import simulators.scenario
from csms.config import Config
from csms.dispatch.ledger import EntryState
from csms.dispatch.standing import Condition
from csms.station.document import (
    BatteryDocument,
    CapabilitiesDocument,
    ChargerDocument,
    ConnectorDocument,
    FeederDocument,
    GridLimitSourceDocument,
    StationDocument,
    parse_station,
)
from csms.station.feasibility import feasibility
from csms.station.model import LimitSource
from simulators.scenario import Scenario, Stream, VehicleSpec
from tests.unit import document_tables
from tests.unit.source_tree import ROOT, modules

DOCUMENTS = ("README.md", "csms/README.md", "tests/README.md")
MAP = "The code in reading order"


@pytest.mark.parametrize("heading", list(document_tables.TABLES))
def test_a_table_says_what_the_code_says(heading: str) -> None:
    assert document_tables.written(heading) == document_tables.TABLES[heading]()


def test_the_two_commands_are_there_to_the_letter() -> None:
    lines = document_tables.section("Try it").splitlines()
    assert "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/csms demo" in lines
    assert "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest" in lines


def test_every_key_of_a_station_file_is_in_the_table() -> None:
    listed = {cell[0].strip("`* ") for cell in document_tables.written("Station file")}
    assert listed == {
        *keys(StationDocument, ""),
        *keys(FeederDocument, "feeders[]."),
        *keys(BatteryDocument, "battery."),
        *keys(GridLimitSourceDocument, "gridLimitSource."),
        *keys(ChargerDocument, "chargers[]."),
        *keys(CapabilitiesDocument, "chargers[].capabilities."),
        *keys(ConnectorDocument, "chargers[].connectors[]."),
    }


def keys(model: type[BaseModel], prefix: str) -> set[str]:
    return {f"{prefix}{field.alias}" for field in model.model_fields.values()}


def test_the_keys_that_must_be_there_are_marked() -> None:
    marked = {cell[0] for cell in document_tables.written("Station file") if "*" in cell[0]}
    assert {key.strip("`* ").rpartition(".")[2] for key in marked} == {
        str(field.alias)
        for model in (
            StationDocument,
            FeederDocument,
            BatteryDocument,
            GridLimitSourceDocument,
            ChargerDocument,
            CapabilitiesDocument,
            ConnectorDocument,
        )
        for field in model.model_fields.values()
        if field.is_required()
    }


def test_every_word_of_the_status_is_in_the_table() -> None:
    cells = [row[0] for row in document_tables.written("The words of the status")]
    listed = [cell.strip("`") for cell in cells if re.fullmatch(r"`\w+`", cell)]
    words = [*Condition, *LimitSource, *EntryState]
    assert sorted(listed) == sorted(str(word) for word in words)


def test_every_key_of_a_scenario_is_in_the_table() -> None:
    cells = [row[0] for row in document_tables.written("Scenario files")]
    listed = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    steps = typing.get_args(typing.get_args(simulators.scenario.Step)[0])
    assert listed - {"simulated.ID"} == {
        *(name for name in Scenario.model_fields if name not in {"step", "stream", "simulated"}),
        *(f"step[].{name}" for step in steps for name in step.model_fields),
        *(f"vehicle.{name}" for name in VehicleSpec.model_fields),
        *(f"stream.{name}" for name in Stream.model_fields),
    }


def commands(app: typer.Typer) -> set[str]:
    return set(typer.main.get_group(app).commands)


def test_every_command_is_in_its_table() -> None:
    listed = {cell[0].strip("`").split()[1] for cell in document_tables.written("Run it")}
    assert listed == commands(csms.cli.app)
    simulated = {
        cell[0].strip("`").split()[3] for cell in document_tables.written("The simulators")
    }
    assert simulated == commands(simulators.cli.app)


def test_settings_named_in_the_text_exist() -> None:
    named = set(re.findall(r"CSMS_([A-Z_]+)", document_tables.read("README.md")))
    named |= set(re.findall(r"CSMS_([A-Z_]+)", document_tables.read("Dockerfile")))
    named |= set(re.findall(r"CSMS_([A-Z_]+)", document_tables.read("docker-compose.yml")))
    assert named
    assert {name.lower() for name in named} - set(Config.model_fields) == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = document_tables.read(document)
    anchors = {
        re.sub(r"[^\w-]", "", heading.strip().lower().replace(" ", "-"))
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert ((ROOT / document).parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_named_in_the_text_exist(document: str) -> None:
    folder = (ROOT / document).parent
    named = re.findall(
        r"`([\w./]+(?:\.(?:py|toml|yml|lock|json)|/))`", document_tables.read(document)
    )
    assert [
        path
        for path in named
        if not (ROOT / path).exists() and not (folder / path).exists() and path != "site.json"
    ] == []


def test_the_map_shows_every_module() -> None:
    shown = set(re.findall(r"`([\w/]+\.py)`", document_tables.section(MAP, "csms/README.md")))
    assert shown == {
        module.path.removeprefix("csms/")
        for module in modules("csms")
        if module.name != "__init__" and "/migrations/" not in module.path
    }


def test_the_example_station_can_be_used() -> None:
    example = re.findall(r"```json\n(.*?)```", document_tables.section("Run it"), re.DOTALL)
    assert len(example) == 1
    station = parse_station(json.loads(example[0]), "README.md")
    assert (station.grid_limit_w, feasibility(station)) == (400_000, [])


def composed_station() -> dict[str, Any]:
    text = document_tables.read("docker-compose.yml")
    block = re.search(r"^    content: \|\n((?:      .*\n)+)", text, re.MULTILINE)
    assert block is not None
    document = json.loads(block[1])
    assert isinstance(document, dict)
    return document


def test_the_composed_station_is_the_one_the_composed_simulator_plays() -> None:
    assert composed_station() == simulators.scenario.load_scenario("demo").station
    assert feasibility(parse_station(composed_station(), "docker-compose.yml")) == []


def test_the_image_runs_as_nobody_in_particular_and_checks_its_health() -> None:
    last_stage = document_tables.read("Dockerfile").split("\nFROM ")[-1]
    assert re.search(r"^USER csms$", last_stage, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last_stage, re.MULTILINE)
    assert "http://127.0.0.1:8080/health" in last_stage
    assert re.search(r"^VOLUME /data$", last_stage, re.MULTILINE)
    assert Config.model_fields["api_port"].default == 8080


def test_the_readme_lists_every_query_parameter_of_the_api() -> None:
    paths = document_tables.api().openapi()["paths"]
    named = [
        (path, each["name"])
        for path, calls in paths.items()
        for call in calls.values()
        for each in call.get("parameters", [])
        if each["in"] == "query"
    ]
    assert len(named) > 8
    rows, path = set(), ""
    for cell, *_ in document_tables.written("Parameters"):
        *call, name = re.findall(r"`([^`]+)`", cell)
        path = call[0].split()[1] if call else path
        rows.add((path, name))
    assert rows == set(named)
