"""The README's table says what is tested, and every habit has a way to take its reaction away."""

from __future__ import annotations

from pathlib import Path

from simulators.charge_point.habits.catalogue import FAMILIES
from tests.e2e.habits.reactions import WITHOUT, told
from tests.e2e.habits.stories import SWITCHES, stories

README = Path(__file__).parent / "README.md"
HEAD = "| row | what it does | switch | test |"


def lines() -> list[str]:
    """The lines of the table, by row."""
    found = [
        (habit.row, f"{habit.text} | `{name}` | `test_{family}.py`")
        for family, habits in FAMILIES.items()
        for name, habit in habits.items()
    ]
    found += [
        (row, f"see `Quirks` | `{name}` | `test_switches.py`")
        for name, (row, _) in SWITCHES.items()
    ]
    found.sort(key=lambda line: (line[0][0], int(line[0][1:])))
    return [f"| {row} | {rest} |" for row, rest in found]


def written() -> list[str]:
    """The table in the README."""
    text = README.read_text(encoding="utf-8")
    table = text[text.index(HEAD) :].split("\n\n")[0].splitlines()
    return table[2:]


def test_the_table_is_complete() -> None:
    assert written() == lines()


def test_forty_rows_at_least_are_covered() -> None:
    rows = {line.split("|")[1] for line in lines()}
    assert len(rows) >= 40


def test_every_story_has_a_reaction_to_be_taken_away() -> None:
    names = {name for family in FAMILIES for name in stories(family)} | SWITCHES.keys()
    assert told().keys() == names
    assert WITHOUT.keys() == names
