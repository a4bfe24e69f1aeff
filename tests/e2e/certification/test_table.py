"""The README's table, the list of cases and the tests agree."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tests.e2e.certification.cases import CASES, case_of

FOLDER = Path(__file__).parent
ROW = re.compile(r"\| TC_(\w+)_CSMS \| [^|]+ \| `(\w+)` in \[(\w+\.py)\]\(\3\) \|")
HEADING = re.compile(r"## (.+)")
NUMBERS = {
    "Core": 34,
    "Local Auth List Management": 6,
    "Firmware Management": 5,
    "Reservation": 10,
    "Remote Trigger": 2,
    "Smart Charging": 5,
    "Security": 15,
}


def table() -> dict[str, list[tuple[str, str, str]]]:
    """By profile: case, test, file of each row of the README."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    profile = ""
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines():
        if heading := HEADING.fullmatch(line):
            profile = heading[1]
        elif row := ROW.fullmatch(line):
            found.setdefault(profile, []).append((row[1], row[2], row[3]))
        else:
            assert not line.startswith("| TC_"), line
    return found


def played() -> list[tuple[str, str, str]]:
    """Case, test and file of every test of a case."""
    found = []
    for path in FOLDER.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                case_id = case_of(node.name)
                if case_id is not None:
                    found.append((case_id, node.name, path.name))
    return found


def test_there_are_as_many_cases_as_the_certification_has() -> None:
    assert {profile: len(ids) for profile, ids in CASES.items()} == NUMBERS
    assert sum(NUMBERS.values()) == 77


def test_every_case_has_one_test() -> None:
    ids = Counter(case_id for case_id, _, _ in played())
    assert ids == Counter(case_id for ids in CASES.values() for case_id in ids)


def test_the_table_names_every_case_and_its_test() -> None:
    rows = table()
    named = {profile: tuple(case_id for case_id, _, _ in found) for profile, found in rows.items()}
    assert named == CASES
    assert sorted(row for found in rows.values() for row in found) == sorted(played())
